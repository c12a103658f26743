"""Values of records: typed for Python, with money as ``Decimal`` and times as pendulum in UTC, or plain for XCom."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from airflow_provider_nexus.api import timestamps
from airflow_provider_nexus.api.codes import with_article
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field, Kind
from airflow_provider_nexus.exceptions import NexusDataError

_EXPECTED = {"money": "a decimal number", "time": "an ISO 8601 time stamp", "date": "a date", "text": "text"}

NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
"""A number that comes as text, in a record, an argument or a connection: as JSON writes one. Python reads more."""
OnUntyped = Callable[[str, str], None]
"""Called for a value that is of another kind than declared: dotted wire name of its field, and what was expected."""
_OnMisfit = Callable[[str, Field, Any], Any]


def typed(resource: Resource, record: dict[str, Any], on_untyped: OnUntyped | None = None) -> dict[str, Any]:
    """A decoded record with the values that the schema knows read as what they are.

    Wire names stay; fields that the schema does not know stay as they are, and so do values of another kind than declared; an
    empty string for a time is ``None``.

    :raises NexusDataError: when money, a part of the key or the stamp can't be read; it names resource, key, field and value
    """

    def refuse_or_pass(path: str, field: Field, value: Any) -> Any:
        """A value that is of no kind that its field may have, as it came."""
        expected = _EXPECTED.get(field.kind, with_article(field.kind))
        if resource.must_be_typed(path, field):
            shown = "(personal data, not shown)" if field.personal else value
            raise NexusDataError(resource.name, key_text(resource, record), path, shown, expected)
        if on_untyped:
            on_untyped(path, expected)
        return value

    return _object(refuse_or_pass, "", resource.schema.fields, record)


def key_text(resource: Resource, record: dict[str, Any]) -> str:
    """The key of a record as one text, its parts joined by a bar; empty parts for missing ones."""
    parts = (at(record, name) for name in resource.key)
    return "|".join("" if part is None else str(part) for part in parts)


def at(record: Any, place: str) -> Any:
    """The value at a place of a decoded record, dotted where it lies deeper, names in any case; ``None`` where there is none."""
    for name in place.split("."):
        if not isinstance(record, Mapping):
            return None
        record = next((value for known, value in record.items() if known.lower() == name.lower()), None)
    return record


def as_plain(value: Any) -> Any:
    """A value as XCom can store it without a loss: ``Decimal`` as its digits, times and dates as ISO 8601."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): as_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value


def _object(misfit: _OnMisfit, prefix: str, fields: tuple[Field, ...], record: dict[str, Any]) -> dict[str, Any]:
    known = {field.name.lower(): field for field in fields}
    return {
        name: _value(misfit, prefix + known[name.lower()].name, known[name.lower()], value) if name.lower() in known else value
        for name, value in record.items()
    }


def _value(misfit: _OnMisfit, path: str, field: Field, value: Any) -> Any:
    if value is None:
        return None
    for kind in (field.kind, *field.also):
        if kind in _CONTAINERS:
            if not field.children:
                return value
            if isinstance(value, _CONTAINERS[kind]):
                return _contents(misfit, f"{path}.", field.children, value, is_map=kind == "map")
            continue
        try:
            return _READERS[kind](value)
        except (ValueError, TypeError, InvalidOperation):
            continue
    return misfit(path, field, value)


def _contents(misfit: _OnMisfit, prefix: str, children: tuple[Field, ...], value: Any, *, is_map: bool) -> Any:
    def inside(item: Any) -> Any:
        return _object(misfit, prefix, children, item) if isinstance(item, dict) else item

    if is_map:
        return {name: inside(item) for name, item in value.items()}
    return [inside(item) for item in value] if isinstance(value, list) else inside(value)


def _written(value: Any) -> int | str | Decimal:
    """What numbers and texts come as."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError
    return value


def money(value: Any) -> Decimal:
    """A decimal number, given as a number that is exact or as text.

    :raises ValueError: for a text that is none, or what is infinite
    :raises TypeError: for a float and anything else
    """
    value = _written(value)
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        raise ValueError
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite():
        raise ValueError
    return number


def _stamp(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    def of_text(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError
        return read(value) if value.strip() else None

    return of_text


def _integer(value: Any) -> Any:
    Decimal(_written(value))
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_CONTAINERS: dict[Kind, type] = {"object": dict, "list": list, "map": dict}
_READERS: dict[Kind, Callable[[Any], Any]] = {
    "money": money,
    "time": _stamp(timestamps.to_pendulum),
    "date": _stamp(timestamps.to_date),
    "text": lambda value: str(_written(value)),
    "integer": _integer,
    "flag": _flag,
}


class _AnyDecimal(type):
    """Lets a decoder take ``Decimal`` for what :func:`_number` made."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Decimal)


class Number(metaclass=_AnyDecimal):
    """The type of an amount: a number, or a text that is one as JSON writes it. Python reads more as a ``Decimal``."""


def _number(kind: type, value: Any) -> Decimal:  # noqa: ARG001 - there is one kind
    if value.__class__ is Decimal:
        return value
    try:
        return money(value)
    except ArithmeticError:  # an exponent can have more digits than Python counts
        raise ValueError("no number") from None


def decoder_of(kind: Any, of_float: Callable[[str], Any] = str) -> Callable[[bytes], Any]:
    """A decoder of records.

    :param of_float: ``str`` names the field of a number that can't be one, ``Decimal`` is faster
    """
    return msgspec.json.Decoder(kind, dec_hook=_number, float_hook=of_float).decode
