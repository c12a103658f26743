"""The walks in order of preference, and the change from one to the next when the server does not oblige."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.extract.proof import Verdict, judge
from airflow_provider_nexus.extract.source import Doubt, NotSortedDoubt, Page, Source, widened
from airflow_provider_nexus.extract.walks.bisect import bisect_walk
from airflow_provider_nexus.extract.walks.pages import countless_walk, guarded_walk
from airflow_provider_nexus.extract.walks.seek import check_page, seek_walk
from airflow_provider_nexus.extract.window import Window

_BUCKETS = 256


class Keys:
    """The keys of a reading, to see whether one came twice: Python's own hashes of 64 bits, at eight bytes a record.

    Two keys that share one are taken for the same, with a chance below one in ten million among a million records. They are then
    read again, and by another try with other hashes.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def extend(self, keys: Iterable[str]) -> None:
        """Take keys."""
        for key in keys:
            number = hash(key)
            self._buckets[number % _BUCKETS].append(number)

    @property
    def repeated(self) -> int:
        """How many keys were taken that had been taken before."""
        return sum(len(bucket) - len(set(bucket)) for bucket in self._buckets)


@dataclass
class Count:
    """Counts of one walk, records around the window's edges included.

    :param unique: records given out, each once
    :param outside: those of them that lay outside the window
    :param total_first: the server's count when the walk began
    :param total_last: the server's count when it had ended
    :param keys: of those records
    """

    unique: int = 0
    outside: int = 0
    total_first: int | None = None
    total_last: int | None = None
    keys: Keys = field(default_factory=Keys)

    @cached_property
    def repeated(self) -> int:
        """Records that came under a key that another had: where one has two stamps, a third may hide behind the count."""
        return self.keys.repeated

    @property
    def verdict(self) -> Verdict:
        """The verdict by the counts."""
        return Verdict.UNPROVED if self.repeated else judge(self.unique, self.total_first, self.total_last)

    @property
    def doubt(self) -> str:
        """Why they prove nothing."""
        if self.repeated:
            return f"{self.repeated} records came under a key that another record had, so the server's count proves nothing"
        counted = f"{self.total_first} at first and {self.total_last} at the end"
        return f"{self.unique} unique records were read, the server counts {counted}"


class Walks:
    """Walks one collection, by seek if the server sorts, by bisection if it only filters, else by guarded pages.

    :param source: the collection
    :param window: the stamps to deliver; ``None`` for all there is
    """

    position: datetime | None = None
    """Where a seek goes on whose records before this second were taken in an earlier try."""

    def __init__(self, source: Source, window: Window | None) -> None:
        self._source, self._window = source, window
        if source.resource.shape is not Shape.PAGED:
            self.strategy = "whole answer"
        elif window:
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
        """One walk: groups of rows, and the part of each that lies inside the window.

        :param count: filled in on the way; complete when the iterator ends
        :raises NotSortedDoubt: when the strategy needs sorting and the server does not sort
        :raises NotFilteredDoubt: when the strategy needs filtering and the server does not filter
        :raises Doubt: when the server's answers contradict each other
        """
        window = self._window
        if window and self.strategy == "seek":
            walk = self._seek(window, count)
        elif window and self.strategy == "bisect":
            walk = self._bisect(window, count)
        else:
            walk = self._all_at_once(count)
        low, high = (f"{window.start:%FT%T}", f"{window.end:%FT%T}") if window else ("", "~")
        for group in walk:
            inside = [row for row in group if low <= row.stamp < high] if window else group
            count.unique += len(group)
            count.outside += len(group) - len(inside)
            count.keys.extend([row.key for row in group])
            yield group, inside

    def _seek(self, window: Window, count: Count) -> Iterator[list[Row]]:
        since, until = widened(window)
        since = self.position - SECOND if self.position else since
        first: Page = self._source.page(since, until)
        check_page(first, since, until)
        if not self.position:
            count.total_first = first.total
        for group in seek_walk(self._source, since, until, first):
            yield [row for row in group if row.stamp >= f"{self.position:%FT%T}"] if self.position else group
        is_one_page = not self.position and first.is_whole and count.unique == first.total
        count.total_last = first.total if is_one_page else self._source.count(*widened(window))

    def _bisect(self, window: Window, count: Count) -> Iterator[list[Row]]:
        count.total_first = self._source.count(*widened(window))
        yield from bisect_walk(self._source, window)
        count.total_last = self._source.count(*widened(window))

    def _all_at_once(self, count: Count) -> Iterator[list[Row]]:
        """Either one answer that is the whole, or a walk that has compared all readings when it returns."""
        if self._source.resource.is_seen or self._window:
            bounds = widened(self._window) if self._window else (None, None)
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
