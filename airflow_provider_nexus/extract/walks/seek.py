"""The seek walk: always page 1, the lower bound moved up to the last stamp seen.

A page number is an offset, and an offset into a set that changes loses rows. Here nothing is counted off: each call asks
for the oldest records from a stamp on, so rows that vanish or appear elsewhere move nothing (drift simulation: no loss at
the same number of calls).
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Page, Source, second_of
from airflow_provider_nexus.extract.walks.pages import guarded_walk


def seek_walk(source: Source, since: datetime, until: datetime, first: Page) -> Generator[list[Row]]:
    """Groups of rows between two bounds as they are sent, each row once, ascending by stamp and key.

    The rows of the last second on a page may go on on the next one, so that second is put off and asked for again; a
    group is given out when all its seconds are complete. One page is in memory, so a group is emptied when the next one is asked
    for.

    A count does not end the walk, as it may be of another moment than the rows of its page. It ends on a page that has room,
    as the server is known to put more on one; a last page that is full is followed by one more question like any other.

    :raises NotSortedDoubt: when stamps fall, or the first page was not the oldest one
    :raises NotFilteredDoubt: when rows lie outside what was asked for
    :raises Doubt: when the counts contradict each other
    """
    seek, page = _Seek(source, since, until), first
    while True:
        check_page(page, seek.asked, until)
        stamps = [row.stamp for row in page.rows]
        if stamps != sorted(stamps):
            raise NotSortedDoubt("the server does not sort by the stamp")
        edge = f"{seek.position:%FT%T}"
        rows = [row for row in page.rows if row.stamp >= edge]  # those before were given out
        if page.is_whole and source.has_room(page):
            yield in_order(rows)
            return
        if page is first and page.is_whole and stamps and stamps[0][:19] == stamps[-1][:19]:
            yield guarded_walk(source, since, until, first)
            return
        last = rows[-1].stamp[:19] if rows else edge
        if last > edge:
            complete = in_order(row for row in rows if row.stamp < last)
            known = {row.key for row in rows if row.stamp >= last}
            second: Page | None = None
            if page is first:  # what the server does not oblige in shows on the second page: nothing is given out before
                second = seek.move_to(second_of(last), known)
                check_page(second, seek.asked, until)
                refuse_skipped(first, len(complete), second)
            page.rows.clear()
            rows.clear()
            yield complete
            complete.free()
            page = second or seek.move_to(second_of(last), known)
        else:
            yield seek.crowded_second()
            page = seek.move_to(seek.position + SECOND, set())


class _Seek:
    """The position of the walk; ``asked`` is the lower bound of the latest page as it was sent."""

    def __init__(self, source: Source, since: datetime, until: datetime) -> None:
        self._source, self._since, self._until = source, since, until
        self.position = self.asked = since
        self._exclusive = False

    def move_to(self, position: datetime, known: set[str]) -> Page:
        """The page that begins at a second, some of whose rows are known already. All rows before it were given out.

        When known rows of that second are missing, the server leaves out its lower bound (or they were deleted): from
        then on it is asked for one second more, and what was given out already is dropped.
        """
        self.position = position
        while True:
            self.asked = position - SECOND if self._exclusive else position
            page = self._source.page(self.asked, self._until)
            if self._exclusive or known <= {row.key for row in page.rows}:
                return page
            self._exclusive = True

    def crowded_second(self) -> list[Row]:
        """All rows of the second that fills a page by itself; asked for wider, but never beyond the walk's own bounds."""
        since, until = max(self.position - SECOND, self._since), min(self.position + 2 * SECOND, self._until)
        edge = f"{self.position:%FT%T}"
        return [row for row in guarded_walk(self._source, since, until) if row.stamp[:19] == edge]


def refuse_skipped(first: Page, given: int, second: Page) -> None:
    """Refuse to go on when the first move left rows behind.

    A first page of newest rows that share a stamp looks sorted. A row deleted between the two calls looks the same and costs
    a walk by bisection.

    :param given: rows given out of the first page
    :raises NotSortedDoubt: when fewer rows are left than should be
    """
    if first.total is not None and second.total is not None and given + second.total < first.total:
        raise NotSortedDoubt("the first page did not have the oldest rows")


def check_page(page: Page, since: datetime, until: datetime) -> None:
    """Refuse a page that can't be what was asked for.

    :raises NotFilteredDoubt: when it has rows outside the bounds
    :raises Doubt: when it has no total, or one that its rows belie
    """
    low, high = f"{since:%FT%T}", f"{until + SECOND:%FT%T}"
    stamps = [row.stamp for row in page.rows]
    if stamps and not low <= min(stamps) <= max(stamps) < high:
        raise NotFilteredDoubt("the server does not filter by the stamp")
    if page.total is None:
        raise Doubt("the server gives no total to compare with")
    if page.total < len(page.rows) or (page.total and not page.rows):
        raise Doubt(f"a page has {len(page.rows)} records of a total of {page.total}")
