"""Routes for every resource of the catalogue: lists and single records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.call import Answer, Call, Refusal, bare, not_found, success
from airflow_provider_nexus.sandbox.collection import Collection
from airflow_provider_nexus.sandbox.data.world import World
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.listing import page_answer
from airflow_provider_nexus.sandbox.misfits import outgoing
from airflow_provider_nexus.sandbox.routing import Route

_KINDS = {
    "transactions": "Transaction",
    "broker_transactions": "Transaction",
    "customers": "Customer",
    "accounts": "Account",
    "orders": "Order",
    "mails": "Mail",
    "payment_methods": "PaymentMethod",
    "currencies": "Currency",
}


_OWN_SHAPE = ("trade_pairs", "exchanges")
"""Lists whose shape is not certain: their routes are in ``extras``."""


def catalogue_routes() -> Iterator[Route]:
    """A list route for every resource, and a record route where the catalogue has one."""
    for resource in RESOURCES.values():
        if resource.name in _OWN_SHAPE:
            continue
        yield Route("GET", resource.path, partial(_list, resource), resource.surface)
        if resource.member_path:
            yield Route("GET", resource.member_path, partial(_record, resource), resource.surface)


def collection_of(world: World, resource: Resource, parent: str, at: int) -> Collection:
    """The collection of a resource; a child's belongs to the parent of that code.

    :raises Refusal: 404 when there is no such parent
    """
    if not resource.parent:
        return world.collections[resource.name]
    row = world.collections[resource.parent].find(parent, at)
    if row is None:
        raise not_found(_KINDS[resource.parent], parent)
    return world.children[resource.name](row, at)


def _list(resource: Resource, world: World, call: Call) -> Answer:
    if resource.name in world.snapshots:
        return _snapshot(resource, world, call)
    parent = call.parts.get("parent", "") or call.query.get(resource.parent_query.lower(), "")
    if resource.parent_query and not parent:
        raise Refusal(
            400, "InvalidQueryParameter", f"{resource.parent_query} is required", [f"{resource.parent_query} is required"]
        )
    collection = collection_of(world, resource, parent, call.at)
    if resource.shape is Shape.PAGED:
        return page_answer(resource, collection, call, world.settings)
    records = whole(resource, collection, world, call)
    return success(records, len(records)) if resource.envelope else bare(records, records=len(records))


def whole(resource: Resource, collection: Collection, world: World, call: Call) -> list[Any]:
    """All records of a collection that has no pages."""
    form = call.form(resource.name)
    return [
        outgoing(resource, collection, row, collection.record(row, call.at, form), world.settings)
        for row in select(resource, collection, call, world.settings).rows(collection, call.at)
    ]


def _record(resource: Resource, world: World, call: Call) -> Answer:
    collection = world.collections[resource.name]
    row = collection.find(call.parts["code"], call.at)
    if row is None:
        raise not_found(_KINDS.get(resource.name, resource.schema.name), call.parts["code"])
    record = collection.record(row, call.at, call.form(resource.name), single=True)
    return success(outgoing(resource, collection, row, record, world.settings), 1)


def _snapshot(resource: Resource, world: World, call: Call) -> Answer:
    values = world.snapshots[resource.name](call)
    count = len(records_in(resource, values))
    return success(values, count) if resource.envelope else bare(values, records=count)


def records_in(resource: Resource, values: Any) -> list[Any]:
    """The records in the ``values`` of a snapshot."""
    if resource.shape is Shape.OBJECT:
        return [values]
    if isinstance(values, list):
        return values
    held = [values[name] for name in resource.holders] or [values]
    return [record for group in held for record in (group.values() if isinstance(group, dict) else group)]
