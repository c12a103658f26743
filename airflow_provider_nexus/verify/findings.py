"""What a check found, for a person and for a program."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was stored.

    :param where: file, folder, manifest or table
    :param what: what is wrong with it and what to do
    """

    where: str
    what: str


@dataclass(frozen=True)
class Note:
    """Something that a person should know and that is no fault of what is stored.

    :param where: file, folder, manifest or table
    :param what: what is to be known
    """

    where: str
    what: str


@dataclass(frozen=True)
class Report:
    """The end of a check.

    :param problems: empty when all is well
    :param windows: manifests that were checked, those of snapshots and of other readings included
    :param records: rows that were read
    :param bytes: bytes of files that were read; 0 for tables
    :param calls: calls made to Nexus
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
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


@dataclass
class Findings:
    """Collects what a check finds on its way."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    windows: int = 0
    records: int = 0
    bytes: int = 0
    calls: int = 0

    def problem(self, where: Any, what: str) -> None:
        """Something is wrong."""
        self.problems.append(Problem(str(where), what))

    def note(self, where: Any, what: str) -> None:
        """Something is to be known."""
        self.notes.append(Note(str(where), what))

    def report(self) -> Report:
        """All that was found."""
        return Report(tuple(self.problems), tuple(self.notes), self.windows, self.records, self.bytes, self.calls)
