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
    united until the count is reached. A count that moves, or that the number of rows belies, means that the set changed or
    that the count is wrong; then only a clean reading counts.

    :raises Doubt: when the counts never agreed
    """
    union: dict[str, Row] = {}
    totals: set[int | None] = set()
    belied = False
    for _ in range(READS):
        pages = list(_pages(source, since, until))
        rows = [row for page in pages for row in page.rows]
        seen, unique = {page.total for page in pages}, {row.key: row for row in rows}
        if seen == {len(rows)} and len(unique) == len(rows):
            return in_order(rows)
        totals |= seen
        belied = belied or seen != {len(rows)}
        union.update(unique)
        if totals == {len(union)} and not belied:
            return in_order(union.values())
    raise Doubt(f"{READS} readings of the pages never agreed: {len(union)} records, totals {_shown(totals)}")


def _pages(source: Source, since: datetime | None, until: datetime | None) -> Iterator[Page]:
    """The pages of one reading.

    A server that caps the page size is asked for its own size from then on, so that the pages do not overlap. Where the
    count says that the end is reached on a page that is full, the next one is asked for all the same: it must be empty.
    """
    page = first = source.page(since, until)
    read, number = 0, 1
    while page.rows:
        yield page
        read += len(page.rows)
        if page.total is None or (read >= page.total and source.has_room(page)) or number > _last(page, first):
            return
        number += 1
        page = source.page_after(first, since, until, number=number)
    if number == 1:
        yield page


def _last(page: Page, first: Page) -> int:
    """A bound on the page number that no mistaken count of pages can lift."""
    return -(-(page.total or 0) // len(first.rows))


def _shown(totals: set[int | None]) -> str:
    return ", ".join("none" if total is None else str(total) for total in sorted(totals, key=lambda total: total or -1)[:5])
