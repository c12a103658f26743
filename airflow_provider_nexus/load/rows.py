"""Table converter: records as rows of their table, many at once.

Records whose values are all of their declared kinds are decoded together. What is out of the ordinary is left to
:class:`~airflow_provider_nexus.load.values.ValueReader`, which is ten times slower. Both give the same values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from airflow_provider_nexus.api import timestamps
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.account import TableAccount
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import RejectedRecord, TableRow
from airflow_provider_nexus.load.values import EXACT, LONGEST_KEY, UNITS, ValueReader

_NULL = b"null"
_KINDS: dict[str, Any] = {
    "text": str | None,
    "time": str | None,
    "date": str | None,
    "flag": bool | None,
    "integer": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None,
    "money": Any,  # with floats read as Decimal: so a number is told from a text that looks like one
}
_UNUSUAL = (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError)
_MOST_UNKNOWN = 100
_MEMBER = b'":'
"""Every member has one, and so may a text: its record is looked at closely then."""
_MAYBE_ODD = (b"\\u0000", b" :", b"\t", b"\n", b"\r")
"""Most records have nothing of it, which is found soon."""
_ODD = re.compile(rb'\\u0000|"\s+:')
"""A NUL, which no column takes, and a name apart from its colon, which is not counted."""


_encoder = msgspec.json.Encoder()


class TableConverter:
    """Reads records of one resource of the catalogue into rows of its table.

    :param keeps_untyped: whether values of another kind than declared go to ``_raw_extra``; if not, the record does not fit
    :ivar untyped: how many values were stored so, by dotted wire name of their field
    """

    def __init__(self, resource: Resource, *, keeps_untyped: bool = True) -> None:
        self.table = Table(resource)
        self._typed = TypedDecoder(self.table)
        self._reader = ValueReader(self.table, self._typed.learn, keeps_untyped=keeps_untyped)
        self.untyped, self.expected = self._reader.untyped, self._reader.expected

    def account(self) -> TableAccount:
        """An account of the rows."""
        return TableAccount(self.table)

    def rows(self, records: Sequence[Row], origin: Origin) -> list[TableRow | RejectedRecord]:
        """The rows of records, each in its place, or why one does not fit."""
        found, typed = list[TableRow | RejectedRecord](), self._typed.values([record.raw for record in records])
        for record, values, text in zip(records, typed, _encoder.encode_lines(typed).splitlines(), strict=True):
            try:
                if values is None or len(record.key) > LONGEST_KEY:
                    found.append(self.row(record, origin))
                else:
                    found.append((record.key, origin.read_at, origin.read_by, hashlib.sha256(text).hexdigest(), *values))
            except RejectedRecord as rejected:
                found.append(rejected)
        return found

    def row(self, row: Row, origin: Origin) -> TableRow:
        """The values of all columns, in the table's order.

        :raises RejectedRecord: when one can't be stored exactly
        """
        values = self._reader.values(row)
        return (row.key, origin.read_at, origin.read_by, content_of(values), *values)


def content_of(values: Sequence[Any]) -> str:
    """The digest in which two versions of a record differ, and by which a stored row can be checked.

    :param values: those of ``_raw_extra`` and of the record's columns, in the table's order
    """
    return hashlib.sha256(_encoder.encode(values)).hexdigest()


class TypedDecoder:
    """Decodes records of one table into its columns.

    Fields that the catalogue does not know go to ``_raw_extra``. Each is known from its first record on, as a field that Nexus
    adds comes with every record.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._unknown: dict[str, list[str]] = {}
        self._decode: Callable[[bytes], Any] | None = None
        self._decode_all: Callable[[bytes], list[Any]]
        self._levels: list[_Level] = []

    def learn(self, prefix: str, name: str) -> None:
        """Know a field that the catalogue does not know.

        :param prefix: dotted wire name of the object that it is in, with a point at the end; empty for the record
        """
        names = self._unknown.setdefault(prefix, [])
        if "." not in name and name not in names and sum(map(len, self._unknown.values())) < _MOST_UNKNOWN:
            names.append(name)
            self._decode = None

    def values(self, raws: Sequence[bytes]) -> list[tuple[Any, ...] | None]:
        """Of each record the values of ``_raw_extra`` and its own columns; ``None`` for one that has to be looked at closely."""
        if self._decode is None:
            self._levels = []
            record = self._struct((), "", self._table.resource.schema.fields)
            self._decode = msgspec.json.Decoder(record, float_hook=Decimal).decode
            self._decode_all = msgspec.json.Decoder(list[record], float_hook=Decimal).decode  # type: ignore[valid-type]
        whole = b"[%b]" % b",".join(raws)
        with suppress(*_UNUSUAL):
            if not any(map(whole.__contains__, _MAYBE_ODD)) and len(found := self._decode_all(whole)) == len(raws):
                return self._columns(found, whole.count(_MEMBER))
        decoded = dict[int, Any]()
        for place, raw in enumerate(raws):
            with suppress(*_UNUSUAL):
                if not _ODD.search(raw):
                    decoded[place] = self._decode(raw)
        values: list[tuple[Any, ...] | None] = [None] * len(raws)
        members = [raws[place].count(_MEMBER) for place in decoded]
        for place, row in zip(decoded, self._halved(list(decoded.values()), members), strict=True):
            values[place] = row
        return values

    def _halved(self, found: list[Any], members: list[int]) -> list[tuple[Any, ...] | None]:
        """The values of decoded records with so many members each; when one of them does not fit, those of each half."""
        try:
            return self._columns(found, sum(members)) if found else []
        except _UNUSUAL:
            half = len(found) // 2
            parts = (self._halved(found[part], members[part]) for part in (slice(half), slice(half, None)))
            return [row for part in parts for row in part] if half else [None]

    def _columns(self, found: list[Any], members: int) -> list[tuple[Any, ...] | None]:
        """The values of records, column by column.

        :raises ValueError: when they have more members than were decoded, as of two with the same name only the last one is
        """
        objects, columns = dict[tuple[str, ...], list[Any]](), dict[tuple[str, ...], Sequence[Any]]()
        extra: list[dict[str, Raw]] = [{} for _ in found]
        for level in self._levels:
            inside = found
            if level.path:
                inside = list(map(level.of_parent, objects[level.path[:-1]]))
                members -= len(inside)
                if not {type(None), UnsetType}.isdisjoint(map(type, inside)):
                    members += sum([each is UNSET for each in inside])
                    inside = [level.empty if each is None or each is UNSET else each for each in inside]
            objects[level.path] = inside
            for attribute, field in level.fields.items():
                values: list[Any] = list(map(attrgetter(attribute), inside))
                kinds = set(map(type, values))
                if kinds == {UnsetType}:
                    columns[(*level.path, field.name)] = [None] * len(values)
                    continue
                if UnsetType in kinds:
                    members += sum([each is UNSET for each in values])
                    values = [None if each is UNSET else each for each in values]
                members -= len(values)
                if field.kind not in _KINDS:  # JSON, as text
                    raws = [_NULL if each is None else bytes(each) for each in values]
                    members -= sum([raw.count(_MEMBER) for raw in raws])
                    values = [None if raw == _NULL else raw.decode() for raw in raws]
                columns[(*level.path, field.name)] = _READERS[field.kind](values, field) if field.kind in _READERS else values
            for attribute, name in level.unknown.items():
                for record, value in zip(extra, map(attrgetter(attribute), inside), strict=True):
                    if value is not UNSET:
                        record[name] = value
                        members -= 1 + bytes(value).count(_MEMBER)
        if members:
            raise ValueError("a member that comes twice")
        texts = [msgspec.json.encode(each, order="sorted").decode() if each else None for each in extra]
        return list(zip(texts, *(columns[column.path] for column in self._table.fields), strict=True))

    def _struct(self, path: tuple[str, ...], attribute: str, fields: Sequence[Field]) -> type[msgspec.Struct]:
        """The type of an object and, in ``_levels``, how its values are found, objects before those in them."""
        level = _Level(path, attrgetter(attribute or "self"))
        self._levels.append(level)
        members, wire = list[tuple[str, Any, Any]](), dict[str, str]()
        for number, field in enumerate(fields):
            wire[name := f"known{number}"] = field.name
            if field.kind == "object" and field.children:
                members.append((name, self._struct((*path, field.name), name, field.children) | None | UnsetType, UNSET))
            else:
                members.append((name, _KINDS.get(field.kind, Raw) | UnsetType, UNSET))
                level.fields[name] = field
        prefix = "".join(f"{each}." for each in path)
        for number, unknown in enumerate(self._unknown.get(prefix, ())):
            wire[name := f"unknown{number}"] = unknown
            members.append((name, Raw | UnsetType, UNSET))
            level.unknown[name] = prefix + unknown
        made = msgspec.defstruct("Record", members, rename=wire, forbid_unknown_fields=True, gc=False)
        level.empty = made()
        return made


@dataclass
class _Level:
    """An object of a record.

    :param path: wire names down to it; empty for the record itself
    :param of_parent: finds it in the object that it is in
    :ivar fields: the fields with values of its own by their attribute
    :ivar unknown: the dotted names of those that the catalogue does not know
    :ivar empty: stands for one that is null
    """

    path: tuple[str, ...]
    of_parent: Callable[[Any], Any]
    fields: dict[str, Field] = dataclass_field(default_factory=dict)
    unknown: dict[str, str] = dataclass_field(default_factory=dict)
    empty: Any = None


def _read_money(values: list[Any], field: Field) -> list[Decimal | None]:
    kinds, quantize, unit = set(map(type, values)), EXACT.quantize, UNITS[field.scale]
    if kinds == {type(None)}:
        return values
    if not kinds <= {Decimal, int, type(None)}:
        raise ValueError("no number")
    if int in kinds:
        values = [Decimal(each) if each.__class__ is int else each for each in values]
    if type(None) in kinds:
        values = [None if each is None else quantize(each, unit) for each in values]
    else:
        values = list(map(quantize, values, repeat(unit)))
    # zero may be negative, which no column type knows
    return [each if each or each is None else each.copy_abs() for each in values]


def _read_times(values: list[str | None], _: Field) -> list[datetime | None]:
    known = list(filter(None, values))
    if timestamps.are_plain(known):
        return [datetime.fromisoformat(each) if each else None for each in values]
    read = timestamps.to_datetime
    return [read(each) if each and not each.isspace() else None for each in values]


def _read_dates(values: list[str | None], _: Field) -> list[date | None]:
    return [timestamps.to_date(each) if each and not each.isspace() else None for each in values]


_READERS: dict[str, Callable[[list[Any], Field], Sequence[Any]]] = {
    "money": _read_money,
    "time": _read_times,
    "date": _read_dates,
}
