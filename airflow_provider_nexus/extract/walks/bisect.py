"""Window bisection: a span with more records than a page holds is cut into parts, and only first pages are read.

For a server that filters by the stamp but does not sort by it. Each leaf is one answer with room to spare and so a
picture of one moment; one that is full is read twice by pages, as the count may be of another moment than its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from airflow_provider_nexus.api.rows import Row, in_order
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.extract.source import Doubt, Page, Source, Span, widened
from airflow_provider_nexus.extract.walks.pages import guarded_walk
from airflow_provider_nexus.extract.walks.seek import check_page

_ROOM = 3
"""Halves of a page that are planned for each page's worth of records."""
_MOST_PARTS = 100
"""Parts of one span, whatever the server says it holds; each can be cut again."""


def bisect_walk(source: Source, span: Span) -> Iterator[list[Row]]:
    """Groups of rows of a span and one second around it, each row once, ascending by stamp and key.

    :raises NotFilteredDoubt: when rows lie outside what was asked for
    :raises Doubt: when the counts contradict each other
    """
    todo = [span]
    while todo:
        part = todo.pop()
        rows = _leaf(source, part)
        if isinstance(rows, Page):
            todo += reversed(_parts(part, rows))
        else:
            low = "" if part.start == span.start else f"{part.start:%FT%T}"
            high = "~" if part.end == span.end else f"{part.end:%FT%T}"
            yield in_order(row for row in rows if low <= row.stamp < high)


def _parts(span: Span, page: Page) -> list[Span]:
    """A span in equal parts: as many as should each fit a page with room to spare, were the records spread evenly.

    Each page that is not the whole of its part was read for nothing, so halving again and again would cost twice the records.
    """
    planned = -(-_ROOM * (page.total or 0) // (2 * len(page.rows)))
    number = min(span.seconds, max(2, planned), _MOST_PARTS)
    edges = [span.start + SECOND * (span.seconds * place // number) for place in range(number)]
    return [Span(*each) for each in pairwise([*edges, span.end])]


def _leaf(source: Source, part: Span) -> list[Row] | Page:
    """All rows of a part, or its page when that holds too few of them.

    :raises Doubt: when the count says that there is more than a page that has room holds
    """
    since, until = widened(part)
    page = source.page(since, until)
    check_page(page, since, until)
    if page.is_whole and source.has_room(page):
        return page.rows
    if source.has_room(page):
        raise Doubt(f"a page holds {len(page.rows)} records of a total of {page.total}, and has room for more")
    return guarded_walk(source, since, until, page) if page.is_whole or part.seconds <= 1 else page
