"""Proved reading: one collection read completely into a sink, again when in doubt, with the proof that nothing is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.account import Digest
from airflow_provider_nexus.extract.checkpoint import Checkpoints
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Source
from airflow_provider_nexus.extract.totals import DeliveredTotals
from airflow_provider_nexus.extract.walks.choice import Count, Walks
from airflow_provider_nexus.extract.window import Window

READINGS = 3
"""Times that a window is read before it is called unproved."""


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
        self._wanted, self._contents = readings, Digest()
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
                agreeing, before = agreeing + 1 if before == self._contents.digest else 1, self._contents.digest
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
            self._contents = Digest()
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
                        self._contents.add_text(row.key.encode() + b"\0" + row.raw)
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
