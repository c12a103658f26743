"""Pages of a list: filter, sort, cut, and answer with what was done. See docs/api_facts.rst, Paging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.sandbox import money
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, bad_query, success
from airflow_provider_nexus.sandbox.chance import scatter
from airflow_provider_nexus.sandbox.filters import Test, select
from airflow_provider_nexus.sandbox.rows import RowSet
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import Stamp
from airflow_provider_nexus.sandbox.world import World

_STAMP = "stamp"
_STAMP_NAMES = ("created", "createdon", "createddate")


@dataclass(frozen=True)
class Sort:
    """What to sort by: a field of the record, or the row's own stamp."""

    field: str
    descending: bool


def page_answer(world: World, resource: Resource, collection: RowSet, call: ApiCall, *tests: Test) -> ApiAnswer:
    """One page of a list.

    :param tests: what rows have to pass besides the filters
    :raises Refusal: for a query that can't be read
    """
    settings = world.settings
    page, limit = _page(call, settings), _limit(call, settings)
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
    form = call.form(resource.name)
    records = [world.sent(resource, collection, row, call.at, form) for row in cut]
    echo = chosen.echo
    if resource.name == "mails":  # they state their default sort even when it was not asked for
        echo |= {"sortBy": call.query.get("sortby", "Created"), "sortDirection": call.query.get("sortdirection", "Desc")}
    values = {"page": page, "total": total, "totalPages": pages, "filteringParameters": echo, "records": records}
    return success(values, len(records))


def _page(call: ApiCall, settings: SandboxSettings) -> int:
    page = call.whole("page", 1)
    if page == 0 and settings.page_zero == "first":
        return 1
    if page < 1:
        raise bad_query("The page starts at 1")
    return page


def _limit(call: ApiCall, settings: SandboxSettings) -> int:
    limit = call.whole("limit", settings.default_limit)
    if limit < 1:
        raise bad_query("The limit starts at 1")
    return min(limit, settings.max_limit or limit)


def _default_sort(resource: Resource) -> Sort:
    if resource.created is not None or resource.stamp or resource.name == "buckets":
        return Sort(_STAMP, descending=True)
    return Sort(resource.key[0], descending=False)


def _sort(resource: Resource, call: ApiCall, settings: SandboxSettings) -> Sort:
    direction = call.query.get("sortdirection", "").lower()
    if direction not in ("", "asc", "desc"):
        raise bad_query("The sort direction is Asc or Desc")
    if settings.sort == "ignored":
        return Sort(_STAMP, descending=True)
    default, wanted = _default_sort(resource), call.query.get("sortby", "").lower()
    if not wanted:
        return Sort(default.field, direction == "desc" if direction else default.descending)
    if wanted not in call.sorts:
        raise bad_query(f"{resource.schema.name} can't be sorted by {wanted!r}")
    if wanted in _STAMP_NAMES:
        return Sort(_STAMP, direction == "desc")
    return Sort(resource.schema.by_folded_name[wanted].name, direction == "desc")


def _cut(collection: RowSet, rows: Sequence[int], sort: Sort, start: int, stop: int, at: int, salt: int | None) -> Iterable[int]:
    """The rows from ``start`` till ``stop`` in the order asked for."""
    size = len(rows)
    if sort.field != _STAMP:
        return _by_field(collection, rows, sort, at, salt)[start:stop]
    if sort.descending:
        start, stop = max(0, size - stop), max(0, size - start)
    cut = rows[start:stop] if salt is None else _shuffled(collection, rows, start, min(stop, size), salt)
    return reversed(cut) if sort.descending else cut


def _by_field(collection: RowSet, rows: Sequence[int], sort: Sort, at: int, salt: int | None) -> list[int]:
    def key(row: int) -> tuple[Any, ...]:
        value = collection.value(row, at, (sort.field,))
        return (*_ranked(value), scatter(salt, row) if salt is not None else (collection.stamp(row), row))

    return sorted(rows, key=key, reverse=sort.descending)


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
