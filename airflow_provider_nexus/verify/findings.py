"""Findings of a check: problems, notes and counts, collected on the way and reported to a person and to a program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.extract.window import Window


def verdict_of(problems: int, unproved: int, gaps: int, overlaps: int) -> str:
    """What a check comes to in a few words, by the numbers of a :class:`Report`: the one rule for ``verify`` and the report."""
    if not (problems or unproved):
        between = " and ".join(number_of(number, word) for number, word in ((gaps, "gap"), (overlaps, "overlap")) if number)
        return f"All that is stored is proved, with {between} between windows" if between else "All is well"
    parts = [(problems, "problem"), (unproved, "unproved window"), (gaps, "gap"), (overlaps, "overlap")]
    *others, last = [number_of(number, word) for number, word in parts if number]
    return f"{', '.join(others)} and {last}" if others else last


def gaps_between(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The spans between the first and the last of some spans that none of them covers."""
    found, reached = list[tuple[datetime, datetime]](), None
    for start, end in sorted(spans):
        if reached and start > reached:
            found.append((reached, start))
        reached = max(reached or end, end)
    return found


@dataclass(frozen=True)
class CheckFinding:
    """A problem, which is something that is not as it was stored, or a note, which is no fault of what is stored.

    :param what: of a problem, what is wrong and what to do; of a note, what a person should know
    """

    where: str
    what: str


@dataclass(frozen=True)
class Report:
    """The result of a check.

    :param problems: empty when all is well
    :param unproved: windows and readings that were stored without a proof
    :param gaps: spans between windows that no window covers
    :param overlaps: windows that begin within another one
    :param windows: manifests that were checked, those of snapshots and of other readings included
    :param records: rows that were read
    :param bytes: bytes of files that were read; 0 for tables
    :param calls: calls made to Nexus
    """

    problems: tuple[CheckFinding, ...] = ()
    notes: tuple[CheckFinding, ...] = ()
    unproved: int = 0
    gaps: int = 0
    overlaps: int = 0
    windows: int = 0
    records: int = 0
    bytes: int = 0
    calls: int = 0

    @property
    def is_fine(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """What it comes to, in a few words."""
        return verdict_of(len(self.problems), self.unproved, self.gaps, self.overlaps)

    def plus(self, other: Report) -> Report:
        """Both together."""
        numbers = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return Report(self.problems + other.problems, self.notes + other.notes, **numbers)

    def dump(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"fine": self.is_fine, "verdict": self.verdict, **asdict(self)}


_NUMBERS = ("unproved", "gaps", "overlaps", "windows", "records", "bytes", "calls")


class Findings:
    """Collects what a check finds; the counts are those of :class:`Report`."""

    def __init__(self) -> None:
        self.problems, self.notes = list[CheckFinding](), list[CheckFinding]()
        self.unproved = self.gaps = self.overlaps = self.windows = self.records = self.bytes = self.calls = 0

    def problem(self, where: Any, what: str) -> None:
        """Something is wrong."""
        self.problems.append(CheckFinding(str(where), what))

    def note(self, where: Any, what: str) -> None:
        """Something is to be known."""
        self.notes.append(CheckFinding(str(where), what))

    def note_gaps(self, where: Any, windows: Iterable[Window]) -> None:
        """Note what lies between windows and is in none of them."""
        for start, end in gaps_between((window.start, window.end) for window in windows):
            self.gaps += 1
            self.note(where, f"a gap: {to_wire(start)} to {to_wire(end)} is in no window")

    def report(self) -> Report:
        """All that was found."""
        return Report(tuple(self.problems), tuple(self.notes), **{name: getattr(self, name) for name in _NUMBERS})
