"""Rows of files that another version has written, in the columns of this one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.jsonl import Part
from airflow_provider_nexus.load.columns import Column, Table
from airflow_provider_nexus.load.copy import Row
from airflow_provider_nexus.load.parquet.arrow import arrow_schema, leaves, load
from airflow_provider_nexus.load.parquet.readings import GONE
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, read_rows
from airflow_provider_nexus.load.rows import content_of, exact

_SYSTEM = 4
_TYPES = {"text": str, "json": str, "time": datetime, "date": date, "integer": int, "flag": bool}


class Spooled:
    """A part that was not published, to be read like a file.

    :param part: holds the bytes
    """

    def __init__(self, part: Part) -> None:
        self._part = part

    def open(self, mode: str = "rb") -> BinaryIO:
        """A handle of its own, from the beginning."""
        self._part.spool.seek(0)
        return os.fdopen(os.dup(self._part.spool.fileno()), mode)  # type: ignore[return-value]


class Recast:
    """Puts rows into other columns, each value exactly as it is.

    :param table: with the columns to come
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def is_needed(self, paths: Sequence[Any]) -> bool:
        """Whether a file has other columns."""
        return any(not _schema(path).equals(arrow_schema(self._table, {})) for path in paths)

    def rows(self, path: Any) -> Iterator[list[Row]]:
        """The rows of a file in the columns of the table.

        :raises NexusStorageError: when a value can't be told in them
        """
        names, jsons = list(leaves(_schema(path))), _json_columns(_schema(path))
        new = {column.name: column for column in self._table.columns}
        for rows in read_rows(path):
            for row in rows:
                _refuse_lost(path, new, dict(zip(names, row, strict=True)))
            yield [self._row(path, dict(zip(names, row, strict=True)), jsons) for row in rows]

    def write(self, paths: Sequence[Any], writer: ParquetWriter) -> list[Spooled]:
        """All rows of files, in files of their own."""
        for path in paths:
            for rows in self.rows(path):
                writer.write(rows)
        return [Spooled(part) for part in writer.parts()]

    def _row(self, path: Any, held: dict[str, Any], jsons: set[str]) -> Row:
        kept = [_value(path, column, held.get(column.name), jsons) for column in self._table.columns[_SYSTEM:]]
        content = GONE if held["_content"] == GONE else content_of(kept)
        return (held["_key"], held["_read_at"], held["_read_by"], content, *kept)


def _value(path: Any, column: Column, value: Any, jsons: set[str]) -> Any:
    if value is None:
        return None
    if column.kind == "money" and isinstance(value, Decimal | int) and not isinstance(value, bool):
        try:
            return exact(Decimal(value), column.scale)
        except ArithmeticError:
            raise _refused(path, column.name) from None
    if column.kind == "text" and type(value) is int:
        return str(value)
    if type(value) is _TYPES.get(column.kind) and (column.name in jsons) == (column.kind == "json"):
        return value
    raise _refused(path, column.name)


def _refuse_lost(path: Any, new: dict[str, Column], held: dict[str, Any]) -> None:
    """A column that is no more, or one that has come and whose values lie among the unknown ones."""
    lost = next((name for name, value in held.items() if value is not None and name not in new), "")
    if lost:
        raise _refused(path, lost)
    extra = msgspec.json.decode(held["_raw_extra"] or "{}", type=dict[str, msgspec.Raw])
    known = {".".join(column.path).lower() for column in new.values() if column.path}
    met = next((name for name in extra if any((each + ".").startswith(name.lower() + ".") for each in known)), "")
    if met:
        raise _refused(path, met)


def _refused(path: Any, name: str) -> NexusStorageError:
    return NexusStorageError(
        f"{path} holds {name!r} in a way that the columns of this version can't: sync the window again instead of replaying it"
    )


def _schema(path: Any) -> Any:
    with store.opened(path) as source:
        return load("pyarrow.parquet").read_schema(source)


def _json_columns(schema: Any, prefix: tuple[str, ...] = ()) -> set[str]:
    """The flattened columns that hold JSON text."""
    found: set[str] = set()
    for field in schema:
        if load().types.is_struct(field.type):
            members = [field.type.field(number) for number in range(field.type.num_fields)]
            found |= _json_columns(members, (*prefix, field.name))
        elif (field.metadata or {}).get(b"content") == b"json":
            found.add("_".join((*prefix, field.name)))
    return found
