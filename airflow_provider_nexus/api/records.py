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
from airflow_provider_nexus.api.schemas.field import Field, Kind, Schema
from airflow_provider_nexus.exceptions import NexusDataError

_EXPECTED = {"money": "a decimal number", "time": "an ISO 8601 time stamp", "date": "a date", "text": "text"}

NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
"""A number that comes as text, in a record, an argument or a connection: as JSON writes one. Python reads more."""
OnUntyped = Callable[[str, str], None]
"""Called for a value that is of another kind than declared: dotted wire name of its field, and what was expected."""
_OnMisfit = Callable[[str, Field, Any], Any]
_Read = Callable[[Any, _OnMisfit], Any]


def typed(resource: Resource, record: dict[str, Any], on_untyped: OnUntyped | None = None) -> dict[str, Any]:
    """A decoded record with the values that the schema knows read as what they are.

    Wire names stay; fields that the schema does not know stay as they are, and so do values of another kind than declared; an
    empty string for a time is ``None``.

    :raises NexusDataError: when money, a part of the key or the stamp can't be read; it names resource, key, field and value
    """

    def refuse_or_pass(path: str, field: Field, value: Any) -> Any:
        expected = _EXPECTED.get(field.kind, with_article(field.kind))
        if resource.must_be_typed(path, field):
            shown = "(personal data, not shown)" if field.personal else value
            raise NexusDataError(resource.name, key_text(resource, record), path, shown, expected)
        if on_untyped:
            on_untyped(path, expected)
        return value

    schema = resource.schema
    _, plan = _plans.get(id(schema)) or _plans.setdefault(id(schema), (schema, _Plan("", schema.fields)))
    return plan.read(record, refuse_or_pass)


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


class _Plan:
    """How the values of an object are read: looked up once for each name as it comes, then by the class of the value.

    :param prefix: dotted wire name of the object, with a point at the end; empty for the record
    :param fields: those that it may have
    """

    def __init__(self, prefix: str, fields: tuple[Field, ...]) -> None:
        self._prefix, self._fields = prefix, {field.name.lower(): field for field in fields}
        self._ways: dict[str, tuple[dict[type, _Read | None], _Read | None]] = {}

    def read(self, record: dict[str, Any], misfit: _OnMisfit) -> dict[str, Any]:
        """The object with its values as what they are."""
        ways, found = self._ways, record.copy()
        for name, value in record.items():
            usual, otherwise = ways.get(name) or self._way(name)
            read = usual.get(value.__class__, otherwise)
            if read:
                found[name] = read(value, misfit)
        return found

    def _way(self, name: str) -> tuple[dict[type, _Read | None], _Read | None]:
        """Of a field its readers by the class of a value, ``None`` where the value stays as it is, and the one for all others."""
        field = self._fields.get(name.lower())
        if field is None:
            return {}, None
        path = self._prefix + field.name
        inside = _Plan(f"{path}.", field.children) if field.children else None
        usual: dict[type, _Read | None] = {type(None): None, **_USUAL.get(field.kind, {})}
        if field.kind == "object" and inside:
            usual[dict] = inside.read

        def otherwise(value: Any, misfit: _OnMisfit) -> Any:
            for kind in (field.kind, *field.also):
                if kind in _CONTAINERS:
                    if inside is None:
                        return value
                    if isinstance(value, _CONTAINERS[kind]):
                        return _contents(misfit, inside, value, is_map=kind == "map")
                    continue
                try:
                    return _READERS[kind](value)
                except (ValueError, TypeError, InvalidOperation):
                    continue
            return misfit(path, field, value)

        def stamp(value: str, misfit: _OnMisfit) -> Any:
            try:
                return timestamps.to_pendulum(value)
            except ValueError:
                return otherwise(value, misfit)

        if field.kind == "time":
            usual[str] = stamp
        return self._ways.setdefault(name, (usual, otherwise))


_plans = dict[int, tuple[Schema, _Plan]]()
"""By the identity of a schema, as its hash is that of all its fields; with the schema, so that no other one gets its identity."""


def _contents(misfit: _OnMisfit, plan: _Plan, value: Any, *, is_map: bool) -> Any:
    def inside(item: Any) -> Any:
        return plan.read(item, misfit) if isinstance(item, dict) else item

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
_USUAL: dict[Kind, dict[type, _Read | None]] = {
    "money": {Decimal: None, int: lambda value, _: Decimal(value)},  # JSON has no infinite numbers
    "text": {str: None},
    "integer": {int: None},
    "flag": {bool: None},
}
"""How values of the classes that most have are read; ``None`` where they stay as they are."""


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
    """A decoder of records. ``of_float=str`` names the field of a number that can't be one, ``Decimal`` is faster."""
    return msgspec.json.Decoder(kind, dec_hook=_number, float_hook=of_float).decode
