"""The walks in order of preference, and the change from one to the next when the server does not oblige."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.proof import Verdict, judge
from airflow_provider_nexus.extract.source import Doubt, NotSortedDoubt, Page, Source, Span, widened
from airflow_provider_nexus.extract.walks.bisect import bisect_walk
from airflow_provider_nexus.extract.walks.keys import Keys
from airflow_provider_nexus.extract.walks.pages import countless_walk, guarded_walk
from airflow_provider_nexus.extract.walks.seek import check_page, seek_walk


@dataclass
class Count:
    """Counts of one walk, records around the span's edges included.

    :param unique: records given out, each once
    :param outside: those of them that lay outside the span
    :param total_first: the server's count when the walk began
    :param total_last: the server's count when it had ended
    :param keys: of those records
    """

    unique: int = 0
    outside: int = 0
    total_first: int | None = None
    total_last: int | None = None
    keys: Keys = field(default_factory=Keys)

    def add(self, group: list[Row], inside: list[Row]) -> None:
        """Count a group and the part of it that lies inside the span."""
        self.unique += len(group)
        self.outside += len(group) - len(inside)
        for row in group:
            self.keys.add(row.key)

    @cached_property
    def repeated(self) -> int:
        """Records that came under a key that another had: where one has two stamps, a third may hide behind the count."""
        return self.keys.repeated

    @property
    def verdict(self) -> Verdict:
        """What the counts say."""
        return Verdict.UNPROVED if self.repeated else judge(self.unique, self.total_first, self.total_last)

    @property
    def doubt(self) -> str:
        """Why they prove nothing."""
        if self.repeated:
            return f"{self.repeated} records came under a key that another record had, so the server's count tells nothing"
        said = f"{self.total_first} at first and {self.total_last} at the end"
        return f"{self.unique} unique records were read, the server counts {said}"


class Walks:
    """Walks one collection, by seek if the server sorts, by bisection if it only filters, else by guarded pages.

    :param source: the collection
    :param span: the stamps to deliver; ``None`` for all there is
    """

    position: datetime | None = None
    """Where a seek goes on whose records before this second were taken in an earlier try."""

    def __init__(self, source: Source, span: Span | None) -> None:
        self._source, self._span = source, span
        if source.resource.shape is not Shape.PAGED:
            self.strategy = "whole answer"
        elif span:
            self.strategy = "bisect" if source.is_unsorted else "seek"
        else:
            self.strategy = "guarded"

    def give_way(self, doubt: Doubt) -> None:
        """Take the next strategy that needs less of the server, from the start."""
        self.position = None
        self.strategy = "bisect" if isinstance(doubt, NotSortedDoubt) else "guarded"
        if self.strategy == "bisect":
            self._source.remember_unsorted()

    def groups(self, count: Count) -> Iterator[tuple[list[Row], list[Row]]]:
        """One walk: groups of rows, and the part of each that lies inside the span.

        :param count: filled in on the way; complete when the iterator ends
        :raises NotSortedDoubt: when the strategy needs sorting and the server does not sort
        :raises NotFilteredDoubt: when the strategy needs filtering and the server does not filter
        :raises Doubt: when the server's answers contradict each other
        """
        for group in self._walk(count):
            inside = self._inside(group)
            count.add(group, inside)
            yield group, inside

    def _walk(self, count: Count) -> Iterator[list[Row]]:
        if self._span and self.strategy == "seek":
            return self._seek(self._span, count)
        if self._span and self.strategy == "bisect":
            return self._bisect(self._span, count)
        return self._all_at_once(count)

    def _seek(self, span: Span, count: Count) -> Iterator[list[Row]]:
        left = Span(self.position, span.end) if self.position else span
        first: Page = self._source.page(*widened(left))
        check_page(first, *widened(left))
        if not self.position:
            count.total_first = first.total
        for group in seek_walk(self._source, left, first):
            yield group if left is span else [row for row in group if row.stamp >= f"{left.start:%FT%T}"]
        is_one_page = left is span and first.is_whole and count.unique == first.total
        count.total_last = first.total if is_one_page else self._source.count(span)

    def _bisect(self, span: Span, count: Count) -> Iterator[list[Row]]:
        count.total_first = self._source.count(span)
        yield from bisect_walk(self._source, span)
        count.total_last = self._source.count(span)

    def _all_at_once(self, count: Count) -> Iterator[list[Row]]:
        """Either one answer that is the whole, or a walk that has compared all readings when it returns."""
        if self._source.resource.is_seen or self._span:
            bounds = widened(self._span) if self._span else (None, None)
            rows = self._source.whole().rows if self.strategy == "whole answer" else guarded_walk(self._source, *bounds)
        else:
            rows = self._all_of_unseen()
        count.total_first = count.total_last = len(rows)
        yield rows

    def _all_of_unseen(self) -> list[Row]:
        """What came decides how an answer is read that no source shows: a page has a count, a whole list has none."""
        if self.strategy != "whole answer":
            first = self._source.page()
            return countless_walk(self._source, first) if first.total is None else guarded_walk(self._source, first=first)
        answer = self._source.whole()
        return answer.rows if answer.total is None or answer.is_whole else guarded_walk(self._source)

    def _inside(self, group: list[Row]) -> list[Row]:
        if self._span is None:
            return group
        low, high = f"{self._span.start:%FT%T}", f"{self._span.end:%FT%T}"
        return [row for row in group if low <= row.stamp < high]
