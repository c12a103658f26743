"""One collection read completely into a sink, again when in doubt, with the proof that nothing is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.proof import Proof, Verdict
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Source, Span
from airflow_provider_nexus.extract.tally import DigestOfSet, TotalsTally
from airflow_provider_nexus.extract.walks.choice import Count, Walks

READINGS = 3
"""Times that a window is read before it is called unproved."""


class Sink(Protocol):
    """Takes the rows of a reading. A reading that failed is begun again, and what it wrote is void."""

    def begin(self) -> None:
        """A reading begins; forget what was written."""

    def write(self, rows: list[Row]) -> None:
        """Rows of the span, ascending by stamp and key over all calls of a reading."""


class Keeper(Protocol):
    """Keeps what a reading has brought so far, for another try to go on from."""

    def resume(self, count: Count, tally: TotalsTally | None) -> datetime | None:
        """Put an earlier try's rows into the sink and its counts into ``count`` and ``tally``.

        :return: where to go on; ``None`` when there is nothing to go on from
        """

    def keep(self, group: list[Row], count: Count, tally: TotalsTally | None) -> None:
        """Rows were taken, complete up to the second of the last one."""

    def forget(self) -> None:
        """What was kept is of no use."""


Totals = Callable[[Span], list[dict[str, Any]] | None]
"""Asks the totals endpoint for a span; ``None`` when the server does not offer it."""


class Reading:
    """Reads one collection into a sink until a reading is proved.

    :param source: the collection
    :param span: the stamps to deliver; ``None`` for all there is
    :param sink: where rows go
    :param totals: asks the totals endpoint, where the resource has one
    :param keeper: lets another try go on where this one ends; what it holds counts for the first reading alone
    :param readings: as many readings in a row must be proved and bring the same records with the same contents; with more
        than one there must be no keeper, as what it holds is of an earlier try
    """

    def __init__(
        self,
        source: Source,
        span: Span | None,
        sink: Sink,
        totals: Totals | None = None,
        keeper: Keeper | None = None,
        *,
        readings: int = 1,
    ) -> None:
        self._wanted, self._contents = readings, DigestOfSet()
        self._source, self._span, self._sink, self._totals, self._keeper = source, span, sink, totals, keeper
        self._walks = Walks(source, span)
        self._reasons: list[str] = []
        self._totals_said = "none"
        self._resumes = True

    def read(self) -> Proof:
        """Read, and again when in doubt, and say what came of it."""
        most, agreeing, before = READINGS * self._wanted, 0, ""
        for number in range(1, most + 1):
            verdict, count = self._read_once()
            if verdict is Verdict.UNPROVED:
                agreeing, before = 0, ""
            else:
                agreeing, before = agreeing + 1 if before == self._contents.said else 1, self._contents.said
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
            self._totals_said,
            tuple(dict.fromkeys(self._reasons)),
            max(1, agreeing),
        )

    def _read_once(self) -> tuple[Verdict, Count]:
        """One reading to its end; a strategy that the server does not allow is changed on the way."""
        while True:
            count, tally = Count(), self._new_totals()
            try:
                self._fill(count, tally)
                return self._judge(count, tally), count
            except (NotSortedDoubt, NotFilteredDoubt) as doubt:
                self._start_anew()
                self._walks.give_way(doubt)
            except Doubt as doubt:
                self._reasons.append(str(doubt))
                return Verdict.UNPROVED, count

    def _fill(self, count: Count, tally: TotalsTally | None) -> None:
        self._sink.begin()
        self._contents = DigestOfSet()
        if self._keeper and self._resumes:
            self._walks.position = self._keeper.resume(count, tally)
        for group, inside in self._walks.groups(count):
            if tally:
                tally.add_all(group)
            if inside:
                self._sink.write(inside)
            for row in inside if self._wanted > 1 else ():
                self._contents.add(row.key.encode() + b"\0" + row.raw)
            if self._keeper and group and self._walks.strategy == "seek":
                self._keeper.keep(group, count, tally)

    def _start_anew(self) -> None:
        self._resumes, self._walks.position = False, None
        if self._keeper:
            self._keeper.forget()

    def _new_totals(self) -> TotalsTally | None:
        fields = self._source.resource.totals_fields
        return TotalsTally(self._source.reader, fields) if fields and self._totals and self._span else None

    def _judge(self, count: Count, tally: TotalsTally | None) -> Verdict:
        if count.verdict is Verdict.UNPROVED:
            self._reasons.append(count.doubt)
        elif tally and self._differ(tally):
            return Verdict.UNPROVED
        return count.verdict

    def _differ(self, tally: TotalsTally) -> bool:
        """Whether the totals endpoint says something else than the records do."""
        totals = self._totals(self._span) if self._totals and self._span else None
        differences = tally.differences(totals) if totals is not None else []
        self._totals_said = "not offered" if totals is None else "differ" if differences else "matched"
        self._reasons += differences[:10]
        return bool(differences)


def stream(source: Source, span: Span | None) -> Iterator[Row]:
    """The rows of a collection as they come, each once, one page in memory.

    The rows are on their way before the last count is known, so there is one reading and no second.

    :raises NexusUnprovedError: at the end, or where it shows, when the rows can't be proved complete
    """
    walks, given = Walks(source, span), 0
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
