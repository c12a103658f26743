"""Proved reading: one collection read completely, again when in doubt, with the proof that nothing is missing.

In order of preference: seek if the server sorts, bisection if it only filters, else guarded pages.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.proof import Proof, ProvedReading, ReadAgain, Verdict, judge
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Page, Source, widened
from airflow_provider_nexus.extract.totals import DeliveredTotals
from airflow_provider_nexus.extract.walks.bisect import bisect_walk
from airflow_provider_nexus.extract.walks.pages import countless_walk, guarded_walk
from airflow_provider_nexus.extract.walks.parallel import ParallelWalk, parts_of
from airflow_provider_nexus.extract.walks.seek import check_page, seek_walk
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.checkpoint import Checkpoints
    from airflow_provider_nexus.extract.extracted import Intake

_BUCKETS, READINGS = 256, 3
"""Parts that keys are looked for in, and times that a window is read before it is called unproved."""


class Keys:
    """The keys of a reading, to see whether one came twice: Python's own hashes of 64 bits, at eight bytes a record.

    Two keys share one with a chance below one in ten million among a million records; then they are read again.
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
            return f"{number_of(self.repeated, 'record')} came under another record's key, so the server's count proves nothing"
        read = number_of(self.unique, "unique record")
        return f"{read} came, the server counts {self.total_first} at first and {self.total_last} at the end"


class Walks:
    """Walks one collection, by seek if the server sorts, by bisection if it only filters, else by guarded pages.

    :param window: the stamps to deliver; ``None`` for all there is
    :param parallel: sub-windows that a seek reads at once, at most; ``None`` to choose by size
    """

    position: datetime | None = None
    """Where a seek goes on whose records before this second were taken in an earlier try."""

    def __init__(self, source: Source, window: Window | None, parallel: int | None = 1) -> None:
        self._source, self._window, self.parallel = source, window, parallel
        if source.resource.shape is not Shape.PAGED:
            self.strategy = "whole answer"
        elif window:
            self.strategy = "bisect" if source.resource.name in source.client.unsorted else "seek"
        else:
            self.strategy = "guarded"

    def give_way(self, doubt: Doubt) -> None:
        """Take the next strategy that needs less of the server, from the start."""
        self.position = None
        self.strategy = "bisect" if isinstance(doubt, NotSortedDoubt) else "guarded"
        if self.strategy == "bisect":  # the readings to come need not try to sort
            self._source.client.unsorted.add(self._source.resource.name)

    def groups(self, count: Count) -> Generator[tuple[list[Row], list[Row]]]:
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
        with closing(walk):
            for group in walk:
                inside = [row for row in group if low <= row.stamp < high] if window else group
                count.unique += len(group)
                count.outside += len(group) - len(inside)
                count.keys.extend([row.key for row in group])
                yield group, group if len(inside) == len(group) else inside

    def _seek(self, window: Window, count: Count) -> Generator[list[Row]]:
        since, until = widened(window)
        since = self.position - SECOND if self.position else since
        first: Page = self._source.page(since, until)
        check_page(first, since, until)
        if not self.position:
            count.total_first = first.total
        is_whole = first.is_whole
        threads, parts = parts_of(self._source, self.position or window.start, window.end, first, self.parallel)
        if threads > 1:
            walk = ParallelWalk(self._source, parts, threads, first.total or 0, _sub_walk).groups()
        else:
            walk = seek_walk(self._source, since, until, first)
        with closing(walk):
            for group in walk:
                yield [row for row in group if row.stamp >= f"{self.position:%FT%T}"] if self.position else group
        is_one_page = not self.position and is_whole and count.unique == first.total
        count.total_last = first.total if is_one_page else self._source.count(*widened(window))

    def _bisect(self, window: Window, count: Count) -> Generator[list[Row]]:
        count.total_first = self._source.count(*widened(window))
        yield from bisect_walk(self._source, window)
        count.total_last = self._source.count(*widened(window))

    def _all_at_once(self, count: Count) -> Generator[list[Row]]:
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


def _sub_walk(source: Source, window: Window) -> tuple[Count, Iterator[list[Row]]]:
    count = Count()
    return count, (group for group, _ in Walks(source, window).groups(count))


AskTotals = Callable[[datetime, datetime], list[dict[str, Any]] | None]
"""Asks the totals endpoint for what lies between two bounds; ``None`` when the server does not offer it."""


class Reading:
    """Reads one collection until a reading is proved.

    :param window: the stamps to deliver; ``None`` for all there is
    :param totals: given where the resource has a totals endpoint
    :param checkpoints: let another try go on where this one ends; an earlier one's count for the first reading alone
    :param readings: as many readings in a row must be proved and bring the same records with the same contents; with more
        than one there must be no checkpoints, as they are of an earlier try
    :param parallel: sub-windows that are read at once, at most; ``None`` to choose by size. A reading that follows one that is
        in doubt reads one after another
    """

    def __init__(
        self,
        source: Source,
        window: Window | None,
        totals: AskTotals | None = None,
        checkpoints: Checkpoints | None = None,
        *,
        readings: int = 1,
        parallel: int | None = 1,
    ) -> None:
        self._source, self._window, self._totals, self._checkpoints = source, window, totals, checkpoints
        self._walks = Walks(source, window, parallel)
        self._reasons: list[str] = []
        self._totals_match = "none"
        self._resumes = True
        self._wanted, self._most = readings, READINGS * readings
        self._number = self._agreeing = 0
        self._contents = ""

    proof: Proof

    def rows(self, intake: Intake | None = None) -> Generator[list[Row]]:
        """One reading; see :class:`~airflow_provider_nexus.extract.proof.ProvedReading`."""
        count, contents = Count(), hashlib.sha256()
        fields = self._source.resource.totals_fields if self._totals and self._window else None
        delivered = DeliveredTotals(self._source.reader, fields) if fields else None
        if intake:
            intake.begin()
        try:
            if self._checkpoints and self._resumes:
                yield from self._checkpoints.resume(count, delivered)
                self._walks.position = self._checkpoints.position
            with closing(self._walks.groups(count)) as groups:
                for group, inside in groups:
                    if delivered:
                        delivered.add(group)
                    for row in inside if self._wanted > 1 else ():
                        contents.update(b"%b\0%b\n" % (row.key.encode(), row.raw))
                    taken = intake.take(inside) if intake else inside
                    if taken:
                        yield taken
                    if self._checkpoints and group and self._walks.strategy == "seek":
                        self._checkpoints.save(group, taken, count, delivered)
        except (NotSortedDoubt, NotFilteredDoubt) as doubt:
            self._start_anew()
            self._walks.give_way(doubt)
            raise ReadAgain from None
        except Doubt as doubt:
            self._reasons.append(str(doubt))
            verdict = Verdict.UNPROVED
        else:
            verdict = self._verdict(count, delivered)
        self._conclude(verdict, count, contents.hexdigest())

    def _conclude(self, verdict: Verdict, count: Count, contents: str) -> None:
        """Make the proof, or have the collection read again; the contents are a digest."""
        self._number += 1
        if verdict is Verdict.UNPROVED:
            self._agreeing, self._contents, self._walks.parallel = 0, "", 1
        else:
            before, self._contents = self._contents, contents
            self._agreeing = self._agreeing + 1 if before == self._contents else 1
        if self._agreeing < self._wanted and self._number < self._most:
            self._start_anew()
            raise ReadAgain
        if verdict is not Verdict.UNPROVED and self._agreeing < self._wanted:
            verdict = Verdict.UNPROVED
            self._reasons.append(f"of {self._most} readings no {self._wanted} in a row brought the same records and contents")
        reasons, agreeing = tuple(dict.fromkeys(self._reasons)), max(1, self._agreeing)
        counts = count.total_first, count.total_last, count.unique, count.outside
        self.proof = Proof(verdict, self._walks.strategy, self._number, *counts, self._totals_match, reasons, agreeing)

    def _verdict(self, count: Count, delivered: DeliveredTotals | None) -> Verdict:
        """Whether all was read, by the counts and, where Nexus has them, by the totals."""
        if count.verdict is Verdict.UNPROVED:
            self._reasons.append(count.doubt)
        elif delivered and self._totals and self._window:
            totals = self._totals(*widened(self._window))
            differences = delivered.differences(totals) if totals is not None else []
            self._totals_match = "not offered" if totals is None else "differ" if differences else "matched"
            self._reasons += differences[:10]
            if differences:
                return Verdict.UNPROVED
        return count.verdict

    def _start_anew(self) -> None:
        self._resumes, self._walks.position = False, None
        if self._checkpoints:
            self._checkpoints.forget()


def read_all(records: ProvedReading) -> list[Row]:
    """The rows of a small collection."""
    while True:
        with suppress(ReadAgain):
            return [row for batch in records.rows() for row in batch]


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
