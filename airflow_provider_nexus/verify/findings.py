"""Findings of a check: problems, notes and counts, collected on the way and reported to a person and to a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CheckFinding:
    """A problem, which is something that is not as it was stored, or a note, which is no fault of what is stored.

    :param where: file, folder, manifest or table
    :param what: of a problem, what is wrong and what to do; of a note, what a person should know
    """

    where: str
    what: str


@dataclass(frozen=True)
class Report:
    """The result of a check.

    :param problems: empty when all is well
    :param windows: manifests that were checked, those of snapshots and of other readings included
    :param records: rows that were read
    :param bytes: bytes of files that were read; 0 for tables
    :param calls: calls made to Nexus
    """

    problems: tuple[CheckFinding, ...] = ()
    notes: tuple[CheckFinding, ...] = ()
    windows: int = 0
    records: int = 0
    bytes: int = 0
    calls: int = 0

    @property
    def is_fine(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def plus(self, other: Report) -> Report:
        """Both together."""
        numbers = {name: getattr(self, name) + getattr(other, name) for name in ("windows", "records", "bytes", "calls")}
        return Report(self.problems + other.problems, self.notes + other.notes, **numbers)

    def dump(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {"fine": self.is_fine, **asdict(self)}


class Findings:
    """Collects what a check finds; the counts are those of :class:`Report`."""

    def __init__(self) -> None:
        self.problems, self.notes = list[CheckFinding](), list[CheckFinding]()
        self.windows = self.records = self.bytes = self.calls = 0

    def problem(self, where: Any, what: str) -> None:
        """Something is wrong."""
        self.problems.append(CheckFinding(str(where), what))

    def note(self, where: Any, what: str) -> None:
        """Something is to be known."""
        self.notes.append(CheckFinding(str(where), what))

    def report(self) -> Report:
        """All that was found."""
        return Report(tuple(self.problems), tuple(self.notes), self.windows, self.records, self.bytes, self.calls)
