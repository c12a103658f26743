"""Typed decoder: records whose values are all of their declared kinds, as the values of their columns, many at once.

What is out of the ordinary is left to :class:`~airflow_provider_nexus.load.rows.TableConverter`, which looks at each value by
itself and is ten times slower. Both give the same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from airflow_provider_nexus.api import timestamps
from airflow_provider_nexus.api.schemas.field import PRECISION, Field
from airflow_provider_nexus.load.columns import Table

_EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])
_UNITS = [Decimal((0, (1,), -scale)) for scale in range(PRECISION + 1)]
"""The last digit of a number, by its digits after the point."""
_NULL, _NULL_TEXT = Raw(b"null"), b"null"
_KINDS: dict[str, Any] = {
    "text": str | None,
    "time": str | None,
    "date": str | None,
    "flag": bool | None,
    "integer": Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | None,
    "money": Any,  # with floats read as Decimal: so a number is told from a text that looks like one
}
_MOST_UNKNOWN = 100
_MEMBER = b'":'
"""Every member has one, and so may a text: its record is looked at closely then."""
_MAYBE_ODD = (b"\\u0000", b'" ', b'"\t', b'"\n', b'"\r')
_ODD = re.compile(rb'\\u0000|"\s+:')
"""A NUL, which no column takes, and a name apart from its colon, which is not counted."""


def exact(value: Decimal, scale: int) -> Decimal:
    """A number with as many digits after the point as its column has.

    :raises ArithmeticError: when it has more, or too many before the point
    """
    # no column type knows a negative zero
    return _EXACT.quantize(value if value else value.copy_abs(), _UNITS[scale])


class TypedDecoder:
    """Decodes records of one table.

    Fields that the catalogue does not know go to ``_raw_extra``. Each is known from its first record on, as a field that Nexus
    adds comes with every record.

    :param table: its columns are filled
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._unknown: dict[str, list[str]] = {}
        self._decode: Callable[[bytes], Any] | None = None
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
            whole = self._struct((), "", self._table.resource.schema.fields)
            self._decode = msgspec.json.Decoder(whole, float_hook=Decimal).decode
        decoded = dict[int, Any]()
        for place, raw in enumerate(raws):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation, RecursionError):
                # most records have nothing that looks like it, which is found in a tenth of the time
                if not (any(map(raw.__contains__, _MAYBE_ODD)) and _ODD.search(raw)):
                    decoded[place] = self._decode(raw)
        values: list[tuple[Any, ...] | None] = [None] * len(raws)
        members = [raws[place].count(_MEMBER) for place in decoded]
        for place, row in zip(decoded, self._halved(list(decoded.values()), members), strict=True):
            values[place] = row
        return values

    def _halved(self, found: list[Any], members: list[int]) -> list[tuple[Any, ...] | None]:
        """The values of decoded records; when one of them does not fit, those of each half.

        :param members: how many members each has, in the objects in it too
        """
        try:
            return self._columns(found, sum(members)) if found else []
        except (ValueError, ArithmeticError, TypeError):
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
                members -= len(inside) - inside.count(UNSET)
                inside = [level.empty if each is None or each is UNSET else each for each in inside]
            objects[level.path] = inside
            for attribute, field in level.fields.items():
                values = list(map(attrgetter(attribute), inside))
                if missing := values.count(UNSET):
                    absent = _NULL if field.kind not in _KINDS else None
                    values = [absent if each is UNSET else each for each in values]
                members -= len(values) - missing
                if field.kind not in _KINDS:
                    members -= sum(bytes(each).count(_MEMBER) for each in values)
                columns[(*level.path, field.name)] = _READERS[field.kind](values, field)
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


def _as_decoded(values: list[Any], _: Field) -> list[Any]:
    return values


def _read_money(values: list[Any], field: Field) -> list[Decimal | None]:
    quantize, unit = _EXACT.quantize, _UNITS[field.scale]
    # zero may be negative, which no column type knows
    numbers = [each if each is None or (each.__class__ is Decimal and each) else _whole(each) for each in values]
    return [None if each is None else quantize(each, unit) for each in numbers]


def _whole(value: Any) -> Decimal:
    """A number without a fraction, or zero.

    :raises ValueError: when it is no number
    """
    if value.__class__ not in (int, Decimal):
        raise ValueError("no number")
    number = Decimal(value)
    return number or number.copy_abs()


def _read_times(values: list[str | None], _: Field) -> list[datetime | None]:
    known = list(filter(None, values))
    read = datetime.fromisoformat if timestamps.are_plain(known) else timestamps.to_datetime
    return [read(each) if each and not each.isspace() else None for each in values]


def _read_dates(values: list[str | None], _: Field) -> list[date | None]:
    return [timestamps.to_date(each) if each and not each.isspace() else None for each in values]


def _read_json(values: list[Raw], _: Field) -> list[str | None]:
    return [None if text == _NULL_TEXT else text.decode() for text in map(bytes, values)]


_READERS: dict[str, Callable[[list[Any], Field], Sequence[Any]]] = {
    "text": _as_decoded,
    "integer": _as_decoded,
    "flag": _as_decoded,
    "money": _read_money,
    "time": _read_times,
    "date": _read_dates,
    "object": _read_json,
    "list": _read_json,
    "map": _read_json,
}
