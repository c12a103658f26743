"""Rejected records tried again: which fit now, which still don't, and the result as it is reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.copy import Reject, TableRow
from airflow_provider_nexus.load.jsonl.copy import flaw_of
from airflow_provider_nexus.load.rows import RejectedRecord, TableConverter

T = TypeVar("T")
_LOST = "\ufffd"
"""Written in place of bytes that were no text: such a record is not what Nexus sent, and must be read again."""


@dataclass(frozen=True)
class Replayed:
    """One folder, or one reading of a table, that had rejected records.

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
class Tried(Generic[T]):
    """Records tried again.

    :param fitting: those that fit, each with the record as it was rejected
    :param rejects: those that don't, with the reason of now
    """

    fitting: tuple[tuple[Reject, T], ...]
    rejects: tuple[Reject, ...]

    @property
    def rows(self) -> list[T]:
        """What fits."""
        return [row for _, row in self.fitting]

    def result(self, where: Any) -> Replayed:
        """The outcome for a folder or a reading."""
        reasons = tuple(dict.fromkeys(f"{each.field} is not {each.reason}" for each in self.rejects))
        return Replayed(str(where), len(self.fitting), len(self.rejects), reasons)


def try_lines(reader: RowReader, rejects: Iterable[Reject]) -> Tried[Row]:
    """Find the records that JSON lines take now: those whose amounts can be added up."""

    def fit(row: Row) -> Row:
        if row.flaw:
            raise RejectedRecord(row.flaw, reader.expected(row.flaw))
        return row

    return _try(reader, rejects, fit)


def try_typed(resource: Resource, rejects: Iterable[Reject], origin: Origin) -> Tried[TableRow]:
    """Find the records that fit their columns now.

    :param origin: of the reading that rejected them
    """
    converter = TableConverter(resource)
    return _try(RowReader(resource), rejects, lambda row: converter.row(row, origin))


def _try(reader: RowReader, rejects: Iterable[Reject], fit: Callable[[Row], T]) -> Tried[T]:
    fitting, left = list[tuple[Reject, T]](), list[Reject]()
    for each in rejects:
        if _LOST in each.raw:
            left.append(each)
            continue
        try:
            fitting.append((each, fit(flaw_of(reader, reader.read(each.raw.encode())))))
        except RejectedRecord as rejected:
            left.append(Reject(each.key, rejected.field, rejected.reason, each.raw))
        except NexusDataError as error:
            left.append(Reject(each.key, error.field, "of the kind that the schema names", each.raw))
    return Tried(tuple(fitting), tuple(left))
