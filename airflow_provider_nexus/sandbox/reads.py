"""Routes for every resource of the catalogue: pages, whole lists and single records. See docs/api_facts.rst, Paging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, bad_query, bare, success
from airflow_provider_nexus.sandbox.chance import scatter
from airflow_provider_nexus.sandbox.filters import Test, select
from airflow_provider_nexus.sandbox.rows import Record, RowSet
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import SECOND, Stamp, to_micros, zulu
from airflow_provider_nexus.sandbox.world import World

Handler = Callable[[World, ApiCall], ApiAnswer]
"""Answers a call, or raises ``Refusal``."""

_STAMP = "stamp"
Sort = tuple[str, bool]
_STAMP_NAMES = ("created", "createdon", "createddate")
_OWN_SHAPE = ("trade_pairs", "exchanges")
"""Lists whose shape is not certain: their routes are in ``extras``."""


@dataclass(frozen=True)
class Route:
    """One endpoint: its template, the generations that it was seen in, and whether it takes the role ``write``."""

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
    form = call.form(resource.name)
    if resource.name in world.snapshots:
        values, records = world.snapshot(resource, call)
        count = len(records)
        return success(values, count, form) if resource.envelope else bare(values, records=count, form=form)
    parent = call.parts.get("parent", "") or call.query.get(resource.parent_query.lower(), "")
    if resource.parent_query and not parent:
        raise bad_query(f"{resource.parent_query} is required", [f"{resource.parent_query} is required"])
    collection = world.collection_of(resource, parent, call.at)
    if resource.shape is Shape.PAGED:
        return page_answer(world, resource, collection, call)
    values = whole(world, resource, collection, call)
    return success(values, len(values), form) if resource.envelope else bare(values, records=len(values), form=form)


def page_answer(world: World, resource: Resource, collection: RowSet, call: ApiCall, *tests: Test) -> ApiAnswer:
    """One page of a list of the rows that pass the filters and the tests; a refusal for a query that can't be read."""
    settings = world.settings
    page, limit = _page_and_limit(call, settings)
    sort = _sort(resource, call, settings)
    chosen = select(resource, collection, call, settings)
    chosen.tests[:0] = tests
    rows = chosen.rows(collection, call.at)
    total = max(0, len(rows) + settings.total_error)
    pages = -(-total // limit)
    if page > max(pages, 1) and settings.past_last_page == "error":
        raise bad_query(f"Page {page} is past the last page {pages}")
    salt = call.serial if settings.ties == "shuffled" else None
    cut = _cut(collection, rows, sort, (page - 1) * limit, page * limit, call.at, salt)
    records = [world.sent(resource, collection, row, call.at) for row in cut]
    echo = chosen.echo
    if resource.name == "mails":  # they state their default sort even when it was not asked for
        echo |= {"sortBy": call.query.get("sortby", "Created"), "sortDirection": call.query.get("sortdirection", "Desc")}
    values = {"page": page, "total": total, "totalPages": pages, "filteringParameters": echo, "records": records}
    return success(values, len(records), call.form(resource.name))


def _page_and_limit(call: ApiCall, settings: SandboxSettings) -> tuple[int, int]:
    page, limit = call.whole("page", 1), call.whole("limit", settings.default_limit)
    if page < 0 or (page == 0 and settings.page_zero == "error"):
        raise bad_query("The page starts at 1")
    if limit < 1:
        raise bad_query("The limit starts at 1")
    return max(page, 1), min(limit, settings.max_limit or limit)


def _sort(resource: Resource, call: ApiCall, settings: SandboxSettings) -> Sort:
    """The field of the record to sort by, or the row's own stamp, and whether downwards."""
    direction = call.query.get("sortdirection", "").lower()
    if direction not in ("", "asc", "desc"):
        raise bad_query("The sort direction is Asc or Desc")
    if settings.sort == "ignored":
        return _STAMP, True
    wanted = call.query.get("sortby", "").lower()
    if not wanted:
        is_dated = resource.created is not None or bool(resource.stamp) or resource.name == "buckets"
        return (_STAMP if is_dated else resource.key[0]), (direction == "desc" if direction else is_dated)
    if wanted not in call.sorts:
        raise bad_query(f"{resource.schema.name} can't be sorted by {wanted!r}")
    if wanted in _STAMP_NAMES:
        return _STAMP, direction == "desc"
    return resource.schema.by_folded_name[wanted].name, direction == "desc"


def _cut(collection: RowSet, rows: Sequence[int], sort: Sort, start: int, stop: int, at: int, salt: int | None) -> Iterable[int]:
    """The rows from ``start`` till ``stop`` in the order asked for."""
    size, (field, descending) = len(rows), sort
    if field != _STAMP:
        return _by_field(collection, rows, sort, at, salt)[start:stop]
    if descending:
        start, stop = max(0, size - stop), max(0, size - start)
    cut = rows[start:stop] if salt is None else _shuffled(collection, rows, start, min(stop, size), salt)
    return reversed(cut) if descending else cut


def _by_field(collection: RowSet, rows: Sequence[int], sort: Sort, at: int, salt: int | None) -> list[int]:
    def key(row: int) -> tuple[Any, ...]:
        value = collection.value(row, at, (sort[0],))
        return (*_ranked(value), scatter(salt, row) if salt is not None else (collection.stamp(row), row))

    return sorted(rows, key=key, reverse=sort[1])


def _ranked(value: object) -> tuple[int, Any]:
    if isinstance(value, Stamp):
        return 3, int(value)
    if isinstance(value, Raw | int):
        return 1, money.decimal(int(value) if isinstance(value, bool) else value)
    return (2, value.casefold()) if isinstance(value, str) else (0, 0)


def _shuffled(collection: RowSet, rows: Sequence[int], start: int, stop: int, salt: int) -> list[int]:
    """The cut, rows of one stamp in an order of this call alone: groups that reach over its edges are shuffled whole."""
    if start >= stop:
        return []
    low, high = start, stop
    while low > 0 and collection.stamp(rows[low - 1]) == collection.stamp(rows[start]):
        low -= 1
    while high < len(rows) and collection.stamp(rows[high]) == collection.stamp(rows[stop - 1]):
        high += 1
    mixed = sorted(rows[low:high], key=lambda row: (collection.stamp(row), scatter(salt, row)))
    return mixed[start - low : stop - low]


def whole(world: World, resource: Resource, collection: RowSet, call: ApiCall) -> list[Record]:
    """All records of a collection that has no pages."""
    rows = select(resource, collection, call, world.settings).rows(collection, call.at)
    return [world.sent(resource, collection, row, call.at) for row in rows]


def _record(resource: Resource, world: World, call: ApiCall) -> ApiAnswer:
    row = world.found(resource.name, call.parts["code"], call.at)
    record = world.sent(resource, world.collections[resource.name], row, call.at, single=True)
    return success(record, 1, call.form(resource.name))


def truth(world: World, name: str, start: datetime | None, end: datetime | None, parent: str, at: int) -> list[bytes]:
    """See :meth:`Sandbox.truth`; ``at`` is in microseconds."""
    resource = get_resource(name)
    try:
        if resource.name in world.snapshots:
            headers = {"request_iso8601": "true"}
            call = ApiCall(method="GET", path=resource.path, query={}, headers=headers, parts={"parent": parent}, at=at)
            return [msgspec.json.encode(record, enc_hook=zulu) for record in world.snapshot(resource, call)[1]]
        collection = world.collection_of(resource, parent, at)
    except Refusal as refusal:
        raise LookupError(str(refusal)) from None
    rows = collection.rows(_displayed(start), _displayed(end), at)
    if name == "exchanges" and name not in world.settings.other_shapes:
        rows = rows[:1]  # as one object, there is but one
    return [msgspec.json.encode(world.sent(resource, collection, row, at), enc_hook=zulu) for row in rows]


def _displayed(moment: datetime | None) -> int | None:
    """A bound on displayed stamps, which are cut to seconds, as a bound on true ones."""
    return None if moment is None else -(-to_micros(moment) // SECOND) * SECOND
