"""Routes for every resource of the catalogue, lists and single records; and what there is, whatever the server lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, bad_query, bare, success
from airflow_provider_nexus.sandbox.filters import select
from airflow_provider_nexus.sandbox.listing import page_answer
from airflow_provider_nexus.sandbox.rows import Record, RowSet
from airflow_provider_nexus.sandbox.stamps import ceil_second, to_micros, zulu
from airflow_provider_nexus.sandbox.world import World

Handler = Callable[[World, ApiCall], ApiAnswer]
"""Answers a call, or raises ``Refusal``."""

_OWN_SHAPE = ("trade_pairs", "exchanges")
"""Lists whose shape is not certain: their routes are in ``extras``."""


@dataclass(frozen=True)
class Route:
    """One endpoint.

    :param path: template; placeholders match one piece of a path
    :param surface: generations that it was seen in
    :param writes: whether it changes something, and so takes the role ``write``
    """

    method: str
    path: str
    handler: Handler
    surface: str = "AB"
    writes: bool = False


def catalogue_routes() -> Iterator[Route]:
    """A list route for every resource, and a record route where the catalogue has one."""
    for resource in RESOURCES.values():
        if resource.name in _OWN_SHAPE:
            continue
        yield Route("GET", resource.path, partial(_list, resource), resource.surface)
        if resource.member_path:
            yield Route("GET", resource.member_path, partial(_record, resource), resource.surface)


def _list(resource: Resource, world: World, call: ApiCall) -> ApiAnswer:
    if resource.name in world.snapshots:
        values, records = world.snapshot(resource, call)
        return success(values, len(records)) if resource.envelope else bare(values, records=len(records))
    parent = call.parts.get("parent", "") or call.query.get(resource.parent_query.lower(), "")
    if resource.parent_query and not parent:
        raise bad_query(f"{resource.parent_query} is required", [f"{resource.parent_query} is required"])
    collection = world.collection_of(resource, parent, call.at)
    if resource.shape is Shape.PAGED:
        return page_answer(world, resource, collection, call)
    found = whole(world, resource, collection, call)
    return success(found, len(found)) if resource.envelope else bare(found, records=len(found))


def whole(world: World, resource: Resource, collection: RowSet, call: ApiCall) -> list[Record]:
    """All records of a collection that has no pages."""
    rows = select(resource, collection, call, world.settings).rows(collection, call.at)
    return [world.sent(resource, collection, row, call.at, call.form(resource.name)) for row in rows]


def _record(resource: Resource, world: World, call: ApiCall) -> ApiAnswer:
    row = world.found(resource.name, call.parts["code"], call.at)
    collection, form = world.collections[resource.name], call.form(resource.name)
    return success(world.sent(resource, collection, row, call.at, form, single=True), 1)


def truth(world: World, name: str, start: datetime | None, end: datetime | None, parent: str, at: int) -> list[bytes]:
    """See :meth:`Sandbox.truth`; ``at`` is in microseconds."""
    resource = get_resource(name)
    try:
        if resource.name in world.snapshots:
            headers = {"request_iso8601": "true"}
            call = ApiCall(method="GET", path=resource.path, query={}, headers=headers, parts={"parent": parent}, at=at)
            return [msgspec.json.encode(record) for record in world.snapshot(resource, call)[1]]
        collection = world.collection_of(resource, parent, at)
    except Refusal as refusal:
        raise LookupError(str(refusal)) from None
    rows = collection.rows(_displayed(start), _displayed(end), at)
    if name == "exchanges" and name not in world.settings.other_shapes:
        rows = rows[:1]  # as one object, there is but one
    return [msgspec.json.encode(world.sent(resource, collection, row, at, zulu)) for row in rows]


def _displayed(moment: datetime | None) -> int | None:
    """A bound on displayed stamps, which are cut to seconds, as a bound on true ones."""
    return None if moment is None else ceil_second(to_micros(moment))
