"""What trying again has brought."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.spool import flaw_of
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.copy import Row as Typed
from airflow_provider_nexus.load.rows import Conformer, Misfit

T = TypeVar("T")
_LOST = "\ufffd"
"""Stands where bytes were no text: such a record is not what Nexus sent, and must be read again."""


@dataclass(frozen=True)
class Replayed:
    """One folder, or one reading of a table, that had records put aside.

    :param where: folder, or table and reading
    :param fitted: records that are now among the others
    :param left: records that still don't fit
    :param reasons: why, one line each: field and what was expected
    """

    where: str
    fitted: int
    left: int
    reasons: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any]:
        """JSON-able members."""
        return asdict(self)


@dataclass(frozen=True)
class Sorted(Generic[T]):
    """Records tried again.

    :param fitting: those that fit, each with the record as it was put aside
    :param left: those that don't, with the reason of now
    """

    fitting: tuple[tuple[Reject, T], ...]
    left: tuple[Reject, ...]

    @property
    def rows(self) -> list[T]:
        """What fits."""
        return [row for _, row in self.fitting]

    def told(self, where: Any) -> Replayed:
        """As it is reported."""
        reasons = tuple(dict.fromkeys(f"{each.field} is not {each.reason}" for each in self.left))
        return Replayed(str(where), len(self.fitting), len(self.left), reasons)


def sort_lines(reader: RowReader, rejects: Iterable[Reject]) -> Sorted[Row]:
    """Which records can be added up now."""
    fitting, left = [], []
    for each in rejects:
        row = _read(reader, each)
        if isinstance(row, Row):
            (left.append(_again(each, row.flaw, reader.expected(row.flaw))) if row.flaw else fitting.append((each, row)))
        else:
            left.append(row)
    return Sorted(tuple(fitting), tuple(left))


def sort_typed(reader: RowReader, conformer: Conformer, rejects: Iterable[Reject], origin: Origin) -> Sorted[Typed]:
    """Which records fit their table now."""
    fitting: list[tuple[Reject, Typed]] = []
    left: list[Reject] = []
    for each in rejects:
        row = _read(reader, each)
        if isinstance(row, Reject):
            left.append(row)
            continue
        try:
            fitting.append((each, conformer.row(row, origin)))
        except Misfit as misfit:
            left.append(_again(each, misfit.field, misfit.reason))
    return Sorted(tuple(fitting), tuple(left))


def _read(reader: RowReader, reject: Reject) -> Row | Reject:
    if _LOST in reject.raw:
        return reject
    try:
        return flaw_of(reader, reader.read(reject.raw.encode()))
    except NexusDataError as error:
        return _again(reject, error.field, "of the kind that the schema names")


def _again(reject: Reject, field: str, reason: str) -> Reject:
    return Reject(reject.key, field, reason, reject.raw)
