"""The guarded page walk: page after page, believed only when every count agrees and a second reading brings the same.

For collections without a date filter, which are small, and for more records in one second than fit a page.

A server may ask its store for a page and then for the count. When records vanish between the two, the later pages begin
further on, as many others are never given, and all counts agree. So the records of a reading count only when they are
still there in the next one: what was given both before and after a moment was there at that moment, and when that is as
many as there were, it is all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.extract.source import Doubt, Page, Source

READS = 16
"""Times that the pages are read before the walk gives up. Ties in random order need four to eight (drift simulation)."""
_MOST_PAGES = 1000
"""Pages without a count that are read before the walk gives up: such collections are small."""
_BARREN = 10
"""Pages of one reading that may bring nothing new, beyond as many as brought something: ties in random order bring some."""


def guarded_walk(
    source: Source, since: datetime | None = None, until: datetime | None = None, first: Page | None = None
) -> list[Row]:
    """All records between two bounds, each once, in order of stamp and key.

    One answer is enough when it has room and its count agrees. More than that is a picture of several moments. Readings are
    united until there are as many records as the server counts, which one reading is enough for unless records came twice and
    others not at all (ties in changing order); then the same is done again, and must bring the same records. A count that
    moves, or that the number of rows belies, means that the set changed or that the count is wrong: then all begins anew.

    :param first: the first page, when it has been read already
    :raises Doubt: when the readings never agreed
    """
    union: dict[str, Row] = {}
    before: set[str] | None = None
    expected, totals = -1, set[int | None]()
    for _ in range(READS):
        pages = list(_pages(source, since, until, first, is_again=before is not None))
        first = None
        rows = [row for page in pages for row in page.rows]
        seen = {page.total for page in pages}
        totals |= seen
        if seen != {len(rows)} or len(rows) != expected:
            union, before, expected = {}, None, len(rows)
        if seen != {len(rows)}:
            continue
        union.update((row.key, row) for row in rows)
        if len(union) < expected:
            continue
        if (len(pages) == 1 and source.has_room(pages[0])) or before == union.keys():
            return in_order(union.values())
        union, before = {}, set(union) if len(union) == expected else None
    shown = ["none" if total is None else str(total) for total in sorted(totals, key=lambda total: total or -1)[:5]]
    raise Doubt(f"{READS} readings of the pages never agreed: totals {', '.join(shown)}")


def countless_walk(source: Source, first: Page) -> list[Row]:
    """All records of a collection whose answers carry no count, each once, in order of stamp and key.

    Pages are read until one brings nothing new, which is the second one where the server gives all at once, and two readings
    in a row must bring the same records.

    :raises Doubt: when they never did, when there is no end, or when a page has a key twice
    """
    before: set[str] | None = None
    for _ in range(READS):
        union = _countless_reading(source, first)
        if before == union.keys():
            return in_order(union.values())
        before, first = set(union), source.page()
    raise Doubt(f"{READS} readings of pages without a count never brought the same records")


def _countless_reading(source: Source, first: Page) -> dict[str, Row]:
    union: dict[str, Row] = {}
    page = first
    for number in range(2, _MOST_PAGES + 2):
        if len({row.key for row in page.rows}) < len(page.rows):
            raise Doubt("a page without a count has a key twice")
        news = {row.key: row for row in page.rows if row.key not in union}
        if not news:
            return union
        union |= news
        page = source.page_after(first, number=number)
    raise Doubt(f"the server goes on with pages without a count: {_MOST_PAGES} of them have {len(union)} records")


def _pages(
    source: Source, since: datetime | None, until: datetime | None, first: Page | None, *, is_again: bool
) -> Iterator[Page]:
    """The pages of one reading.

    A server that caps the page size is asked for its own size from then on, so that the pages do not overlap. Where the
    end is reached by the count on a page that is full, the next one is asked for all the same: it must be empty, or
    the first one over again, as from a server that takes no page numbers and has but one page.

    :param is_again: whether the reading before has asked for that next page
    """
    page = first = first or source.page(since, until)
    read, number, known, news = 0, 1, set[str](), 0
    while page.rows:
        yield page
        read += len(page.rows)
        news += not known.issuperset(row.key for row in page.rows)
        known.update(row.key for row in page.rows)
        at_end = page.total is None or (read >= page.total and (is_again or source.has_room(page)))
        # a bound that no mistaken count of pages can lift
        if at_end or number > -(-(page.total or 0) // len(first.rows)):
            return
        if number - news > news + _BARREN:
            raise Doubt(f"the server goes on with pages that bring nothing new: {number} pages have {len(known)} records")
        number += 1
        page = source.page_after(first, since, until, number=number)
        is_alike = bool(page.rows) and len(page.rows) == len(first.rows)
        if number == 2 and is_alike and {row.key for row in page.rows} == {row.key for row in first.rows}:
            if page.total is None or page.total > read:
                raise Doubt(f"the server gives its first page for the second too: {read} records of {page.total} can be read")
            return
    if number == 1:
        yield page
