"""The guarded page walk: page after page, believed only when every count agrees, else read again.

For collections without a date filter, which are small, and for more records in one second than a page holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.sync.doubt import Doubt
from airflow_provider_nexus.sync.source import Page, Source

READS = 8
"""Times that the pages are read before the walk gives up. Ties in random order need two to four (drift simulation)."""


def guarded_walk(source: Source, since: datetime | None = None, until: datetime | None = None) -> list[Row]:
    """All records between two bounds, each once, in order of stamp and key.

    One reading is enough when no count moved, every record came once, and there are as many as the server says. When
    records came twice and others not at all while the count stood still (ties in changing order), further readings are
    united until the count is reached. A count that moves means that the set changed, and only a clean reading counts.

    :raises Doubt: when the counts never agreed
    """
    union: dict[str, Row] = {}
    totals: set[int | None] = set()
    for _ in range(READS):
        pages = list(_pages(source, since, until))
        rows = [row for page in pages for row in page.rows]
        seen, unique = {page.total for page in pages}, {row.key: row for row in rows}
        if seen == {len(rows)} and len(unique) == len(rows):
            return in_order(rows)
        totals |= seen
        union.update(unique)
        if totals == {len(union)}:
            return in_order(union.values())
    raise Doubt(f"{READS} readings of the pages never agreed: {len(union)} records, totals {_shown(totals)}")


def _pages(source: Source, since: datetime | None, until: datetime | None) -> Iterator[Page]:
    """The pages of one reading.

    A server that caps the page size is asked for its own size from then on, so that the pages do not overlap. An empty
    page, or the one that the server names as the last, ends the reading.
    """
    page = source.page(since, until)
    size = len(page.rows)
    read, number = 0, 1
    while True:
        yield page
        read += len(page.rows)
        if not page.rows or page.total is None or read >= page.total or number >= _last(page, size):
            return
        number += 1
        page = source.page(since, until, number=number, limit=size)


def _last(page: Page, size: int) -> int:
    """A bound on the page number that no mistaken ``totalPages`` can lift."""
    by_count = -(-(page.total or 0) // max(size, 1)) + 1
    return min(page.total_pages or by_count, by_count)


def _shown(totals: set[int | None]) -> str:
    return ", ".join("none" if total is None else str(total) for total in sorted(totals, key=lambda total: total or -1)[:5])
