"""Value reader: the values of one record, each looked at by itself, exactly as they were sent.

Nothing is rounded, cut or guessed but for the seventh digit of a second, which no column type of any target has room for. A value
that does not fit its column is stored as it came in ``_raw_extra``; with money, the key or the stamp the record does not fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from airflow_provider_nexus.api import lenient, timestamps
from airflow_provider_nexus.api.records import NUMBER
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.schemas.field import PRECISION, Field
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import RejectedRecord

EXACT = Context(prec=PRECISION, traps=[Inexact, InvalidOperation])
UNITS = [Decimal((0, (1,), -scale)) for scale in range(PRECISION + 1)]
"""The last digit of a number, by its digits after the point."""
LONGEST_KEY = 255
"""Characters of the longest key that a table takes: MySQL's longest indexed text under every row format."""
_NULL = b"null"
_LONG = 1 << 63
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str).decode


class ValueReader:
    """Reads the values of a table's columns.

    :param keeps_untyped: whether values of another kind than declared go to ``_raw_extra``; if not, the record does not fit
    :param on_unknown: called with each field that the catalogue does not know: the dotted name of the object that it is in,
        with a point at the end, and its own name
    :ivar untyped: how many values were stored so, by dotted wire name of their field
    """

    def __init__(self, table: Table, on_unknown: Callable[[str, str], None], *, keeps_untyped: bool) -> None:
        self.untyped: Counter[str] = Counter()
        self._resource, self._on_unknown, self._keeps_untyped = table.resource, on_unknown, keeps_untyped
        self._places = {".".join(column.path): number for number, column in enumerate(table.fields)}
        self._scales = {".".join(path): field.scale for path, field in table.resource.schema.walk() if field.kind == "money"}
        self._objects = _Objects(table.resource.schema.fields)

    def values(self, row: Row) -> list[Any]:
        """The values of ``_raw_extra`` and of a record's columns, in the table's order.

        :raises RejectedRecord: when one can't be stored exactly
        """
        if len(row.key) > LONGEST_KEY:
            raise RejectedRecord("|".join(self._resource.key), f"a key of at most {LONGEST_KEY} characters")
        values: list[Any] = [None] * len(self._places)
        extra: dict[str, Raw] = {}
        self._fill(row.raw, "", self._objects, values, extra, flaw=row.flaw)
        return [msgspec.json.encode(extra, order="sorted").decode() if extra else None, *values]

    def _fill(
        self, raw: bytes, prefix: str, known: _Objects, values: list[Any], extra: dict[str, Raw], *, flaw: str = ""
    ) -> None:
        try:
            members, names = _members(raw), lenient.names(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise RejectedRecord(prefix.rstrip(".") or flaw or "?", "an object of readable JSON") from None
        if len({name.lower() for name in names}) < len(names):
            which = "two differ in their letters' case only" if len(names) == len(members) else "one comes twice"
            raise RejectedRecord(prefix.rstrip(".") or "?", f"an object that names each member once: {which}")
        for name, member in members.items():
            field, text = known.fields.get(name.lower()), bytes(member)
            if field is None:
                if prefix + name in extra:
                    raise RejectedRecord(prefix + name, "one field: another one has the same dotted name")
                extra[prefix + name] = member
                self._on_unknown(prefix, name)
                continue
            if text == _NULL:
                continue
            path = prefix + field.name
            if field.kind == "object" and field.children:
                if text[:1] == b"{":
                    self._fill(text, f"{path}.", known.children[name.lower()], values, extra)
                    continue
                if "text" in field.also:  # the code in place of the object that has it
                    field = field.children[0]
                    path = f"{path}.{field.name}"
            try:
                value = _READERS[field.kind](text)
                values[self._places[path]] = exact(value, self._scales[path]) if field.kind == "money" else value
            except (ValueError, ArithmeticError, KeyError, msgspec.MsgspecError):
                if not self._keeps_untyped or self._resource.must_be_typed(path, field):
                    raise RejectedRecord(path, _expected(field)) from None
                if path in extra:
                    raise RejectedRecord(path, "one field: another one has the same dotted name") from None
                self.untyped[path] += 1
                extra[path] = Raw(text)

    def expected(self, path: str) -> str:
        """What the field of a value that was stored untyped should be."""
        return next(_expected(field) for names, field in self._resource.schema.walk() if ".".join(names) == path)


class _Objects:
    """The fields of an object by lower-case name, and those of the objects in it."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = {field.name.lower(): field for field in fields}
        self.children = {name: _Objects(field.children) for name, field in self.fields.items() if field.children}


def exact(value: Decimal, scale: int) -> Decimal:
    """A number with as many digits after the point as its column has.

    :raises ArithmeticError: when it has more, or too many before the point
    """
    # no column type knows a negative zero
    return EXACT.quantize(value if value else value.copy_abs(), UNITS[scale])


def _read_text(raw: bytes) -> str:
    if raw[:1] == b'"':
        text: str = _text(raw)
        if "\0" in text:
            raise ValueError("a NUL character")
        return text
    if raw[:1] in b"-0123456789":
        return raw.decode()
    raise ValueError("no text")


def _read_money(raw: bytes) -> Decimal:
    text = _text(raw).strip() if raw[:1] == b'"' else raw.decode()
    if raw[:1] == b'"' and not NUMBER.fullmatch(text):
        raise ValueError("no number")
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("no number")
    return value


def _read_integer(raw: bytes) -> int:
    value = Decimal(_text(raw) if raw[:1] == b'"' else raw.decode())
    if not value.is_finite() or value != value.to_integral_value() or not -_LONG <= value < _LONG:
        raise ValueError("no whole number of 64 bits")
    return int(value)


def _read_flag(raw: bytes) -> bool:
    if raw not in (b"true", b"false"):
        raise ValueError("neither true nor false")
    return raw == b"true"


def _read_stamp(raw: bytes, read: Callable[[str], Any]) -> Any:
    text = _text(raw)
    return read(text) if text.strip() else None


_READERS: Mapping[str, Callable[[bytes], Any]] = {
    "text": _read_text,
    "money": _read_money,
    "integer": _read_integer,
    "flag": _read_flag,
    "time": partial(_read_stamp, read=timestamps.to_datetime),
    "date": partial(_read_stamp, read=timestamps.to_date),
    **dict.fromkeys(("object", "list", "map"), bytes.decode),
}
_EXPECTED = {
    "text": "text without NUL characters",
    "money": "a decimal number of at most {} digits before the point and {} after it",
    "integer": "a whole number of 64 bits",
    "flag": "true or false",
    "time": "an ISO 8601 time stamp",
    "date": "a date",
}


def _expected(field: Field) -> str:
    return _EXPECTED.get(field.kind, "JSON").format(PRECISION - field.scale, field.scale)
