"""Window bisection: a window with more records than a page has room for is cut into parts, and only first pages are read.

For a server that filters by the stamp but does not sort by it. Each leaf is one answer with room to spare and so a
picture of one moment; one that is full is read twice by pages, as the count may be of another moment than its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.extract.source import Doubt, Page, Source, widened
from airflow_provider_nexus.extract.walks.pages import guarded_walk
from airflow_provider_nexus.extract.walks.seek import check_page
from airflow_provider_nexus.extract.window import Window

_ROOM = 3
"""Halves of a page that are planned for each page's worth of records."""
_MOST_PARTS = 100
"""Parts of one window, however many records the server counts; each can be cut again."""


def bisect_walk(source: Source, window: Window) -> Iterator[list[Row]]:
    """Groups of rows of a window and one second around it, each row once, ascending by stamp and key.

    :raises NotFilteredDoubt: when rows lie outside what was asked for
    :raises Doubt: when the counts contradict each other
    """
    todo = [window]
    while todo:
        part = todo.pop()
        rows = _leaf(source, part)
        if isinstance(rows, Page):
            todo += reversed(_parts(part, rows))
        else:
            low = "" if part.start == window.start else f"{part.start:%FT%T}"
            high = "~" if part.end == window.end else f"{part.end:%FT%T}"
            yield in_order(row for row in rows if low <= row.stamp < high)


def _parts(window: Window, page: Page) -> list[Window]:
    """A window in equal parts: as many as should each fit a page with room to spare, were the records spread evenly.

    Each page that is not the whole of its part was read for nothing, so halving again and again would cost twice the records.
    """
    planned = -(-_ROOM * (page.total or 0) // (2 * len(page.rows)))
    return [Window(*each) for each in pairwise(window.edges(min(max(2, planned), _MOST_PARTS)))]


def _leaf(source: Source, part: Window) -> list[Row] | Page:
    """All rows of a part, or its page when that has too few of them."""
    since, until = widened(part)
    page = source.page(since, until)
    check_page(page, since, until)
    if page.is_whole and source.has_room(page):
        return page.rows
    if source.has_room(page):
        raise Doubt(f"a page has {len(page.rows)} records of a total of {page.total}, and has room for more")
    return guarded_walk(source, since, until, page) if page.is_whole or part.seconds <= 1 else page
