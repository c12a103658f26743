"""Proofs: whether a reading is proved by its counts, proved though the set shrank, or not; and what can be read and proved."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airflow_provider_nexus.api.rows import Row
    from airflow_provider_nexus.extract.extracted import Intake


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
    """The verdict on one reading, by the unique records in it and by the server's counts."""
    if total_first is None or total_last is None:
        return Verdict.UNPROVED
    if unique == total_last:
        return Verdict.PROVED
    return Verdict.PROVED_SHRUNK if total_last <= unique <= total_first else Verdict.UNPROVED


class ReadAgain(Exception):  # noqa: N818 - it is no error
    """What a reading has given so far is void: it has to be asked for its rows again."""


class ProvedReading(Protocol):
    """What can be read.

    :ivar proof: that the rows are complete; known when the last one was given
    """

    proof: Proof

    def rows(self, intake: Intake | None = None) -> Generator[list[Row]]:
        """The rows, read while they are asked for, ascending by stamp and key over all batches where they have a stamp.

        :param intake: all rows pass it, but for those of another try, which passed it then
        :raises ReadAgain: when the rows so far are void: this has to be called again
        """
