"""Proved reading: one collection read completely into a sink, again when in doubt, with the proof that nothing is missing.

The walks stand in order of preference: seek if the server sorts, bisection if it only filters, else guarded pages.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.proof import Proof, Verdict, judge
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Page, Source, widened
from airflow_provider_nexus.extract.totals import DeliveredTotals
from airflow_provider_nexus.extract.walks.bisect import bisect_walk
from airflow_provider_nexus.extract.walks.pages import countless_walk, guarded_walk
from airflow_provider_nexus.extract.walks.seek import check_page, seek_walk
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.checkpoint import Checkpoints

_BUCKETS = 256
READINGS = 3
"""Times that a window is read before it is called unproved."""


class Keys:
    """The keys of a reading, to see whether one came twice: Python's own hashes of 64 bits, at eight bytes a record.

    Two keys that share one are taken for the same, with a chance below one in ten million among a million records. They are then
    read again, and by another try with other hashes.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def extend(self, keys: Iterable[str]) -> None:
        """Take keys."""
        buckets = self._buckets
        for number in map(hash, keys):
            buckets[number % _BUCKETS].append(number)

    @property
    def repeated(self) -> int:
        """How many keys were taken that had been taken before; looked for in parts, as a set takes ten times the memory."""
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


class RowSink(Protocol):
    """Takes the rows of a reading. A reading that failed is begun again, and what it wrote is void."""

    def begin(self) -> None:
        """A reading begins; forget what was written."""

    def write(self, rows: list[Row]) -> None:
        """Rows of the window, ascending by stamp and key over all calls of a reading."""


AskTotals = Callable[[Window], list[dict[str, Any]] | None]
"""Asks the totals endpoint for a window; ``None`` when the server does not offer it."""


class Reading:
    """Reads one collection into a sink until a reading is proved.

    :param source: the collection
    :param window: the stamps to deliver; ``None`` for all there is
    :param sink: where rows go
    :param totals: asks the totals endpoint, where the resource has one
    :param checkpoints: let another try go on where this one ends; an earlier one's count for the first reading alone
    :param readings: as many readings in a row must be proved and bring the same records with the same contents; with more
        than one there must be no checkpoints, as they are of an earlier try
    """

    def __init__(
        self,
        source: Source,
        window: Window | None,
        sink: RowSink,
        totals: AskTotals | None = None,
        checkpoints: Checkpoints | None = None,
        *,
        readings: int = 1,
    ) -> None:
        self._wanted, self._contents = readings, hashlib.sha256()
        self._source, self._window, self._sink, self._totals, self._checkpoints = source, window, sink, totals, checkpoints
        self._walks = Walks(source, window)
        self._reasons: list[str] = []
        self._totals_match = "none"
        self._resumes = True

    def read(self) -> Proof:
        """Read, and again when in doubt."""
        most, agreeing, before = READINGS * self._wanted, 0, ""
        for number in range(1, most + 1):
            verdict, count = self._read_once()
            if verdict is Verdict.UNPROVED:
                agreeing, before = 0, ""
            else:
                contents = self._contents.hexdigest()
                agreeing, before = agreeing + 1 if before == contents else 1, contents
            if agreeing >= self._wanted or number == most:
                break
            self._start_anew()
        if verdict is not Verdict.UNPROVED and agreeing < self._wanted:
            verdict = Verdict.UNPROVED
            self._reasons.append(f"of {most} readings no {self._wanted} in a row brought the same records and contents")
        return Proof(
            verdict,
            self._walks.strategy,
            number,
            count.total_first,
            count.total_last,
            count.unique,
            count.outside,
            self._totals_match,
            tuple(dict.fromkeys(self._reasons)),
            max(1, agreeing),
        )

    def _read_once(self) -> tuple[Verdict, Count]:
        """One reading to its end; a strategy that the server does not allow is changed on the way."""
        fields = self._source.resource.totals_fields if self._totals and self._window else None
        while True:
            count, delivered = Count(), DeliveredTotals(self._source.reader, fields) if fields else None
            self._contents = hashlib.sha256()
            self._sink.begin()
            try:
                if self._checkpoints and self._resumes:
                    self._walks.position = self._checkpoints.resume(count, delivered)
                for group, inside in self._walks.groups(count):
                    if delivered:
                        delivered.add(group)
                    if inside:
                        self._sink.write(inside)
                    for row in inside if self._wanted > 1 else ():
                        self._contents.update(b"%b\0%b\n" % (row.key.encode(), row.raw))
                    if self._checkpoints and group and self._walks.strategy == "seek":
                        self._checkpoints.save(group, count, delivered)
                break
            except (NotSortedDoubt, NotFilteredDoubt) as doubt:
                self._start_anew()
                self._walks.give_way(doubt)
            except Doubt as doubt:
                self._reasons.append(str(doubt))
                return Verdict.UNPROVED, count
        if count.verdict is Verdict.UNPROVED:
            self._reasons.append(count.doubt)
        elif delivered and self._totals and self._window:
            totals = self._totals(self._window)
            differences = delivered.differences(totals) if totals is not None else []
            self._totals_match = "not offered" if totals is None else "differ" if differences else "matched"
            self._reasons += differences[:10]
            if differences:
                return Verdict.UNPROVED, count
        return count.verdict, count

    def _start_anew(self) -> None:
        self._resumes, self._walks.position = False, None
        if self._checkpoints:
            self._checkpoints.forget()


def stream(source: Source, window: Window | None) -> Iterator[Row]:
    """The rows of a collection as they come, each once, one page in memory.

    The rows are on their way before the last count is known, so there is one reading and no second.

    :raises NexusUnprovedError: at the end, or where it shows, when the rows can't be proved complete
    """
    walks, given = Walks(source, window), 0
    while True:
        count = Count()
        try:
            for _, inside in walks.groups(count):
                given += len(inside)
                yield from inside
        except (NotSortedDoubt, NotFilteredDoubt) as doubt:
            if given:
                raise _unproved(source, str(doubt)) from None
            walks.give_way(doubt)
            continue
        except Doubt as doubt:
            raise _unproved(source, str(doubt)) from None
        if count.verdict is Verdict.UNPROVED:
            raise _unproved(source, count.doubt)
        return


def _unproved(source: Source, reason: str) -> NexusUnprovedError:
    return NexusUnprovedError(f"{source.resource.name} can't be proved complete: {reason}. Read it again", (reason,))
