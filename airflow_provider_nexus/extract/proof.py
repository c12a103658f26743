"""Proofs: whether a reading is proved by its counts, proved though the set shrank, or not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The end of a reading."""

    PROVED = "proved"
    """As many unique records were delivered as the server counts."""
    PROVED_SHRUNK = "proved_shrunk"
    """Records vanished while reading: no more than at the start, no fewer than at the end were delivered."""
    UNPROVED = "unproved"
    """The counts can't be made to agree."""


@dataclass(frozen=True)
class Proof:
    """How the completeness of a window was checked.

    :param strategy: ``seek``, ``bisect``, ``guarded`` or ``whole answer``
    :param readings: how often the window was read
    :param total_first: the server's count when reading began
    :param total_last: the server's count afterwards
    :param unique: unique records counted, those around the window's edges included
    :param outside: how many of them lay around the edges and were left out
    :param totals: the comparison with the totals endpoint: ``matched``, ``not offered``, ``none``
    :param reasons: what did not agree
    :param agreeing: how many readings in a row, the last included, brought the same records with the same contents
    """

    verdict: Verdict
    strategy: str
    readings: int
    total_first: int | None
    total_last: int | None
    unique: int
    outside: int = 0
    totals: str = "none"
    reasons: tuple[str, ...] = ()
    agreeing: int = 1

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.verdict is not Verdict.UNPROVED


def judge(unique: int, total_first: int | None, total_last: int | None) -> Verdict:
    """The verdict on one reading.

    :param unique: unique records counted
    """
    if total_first is None or total_last is None:
        return Verdict.UNPROVED
    if unique == total_last:
        return Verdict.PROVED
    return Verdict.PROVED_SHRUNK if total_last <= unique <= total_first else Verdict.UNPROVED
