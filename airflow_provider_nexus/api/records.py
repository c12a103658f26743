"""Records with their values as Python should hold them: money as ``Decimal``, times as pendulum in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_nexus.api import timestamps
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field, Kind
from airflow_provider_nexus.exceptions import NexusDataError

_EXPECTED = {"money": "a decimal number", "time": "an ISO 8601 time stamp", "date": "a date", "text": "text"}

NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
"""A number that comes as text, as JSON writes one; Python reads more."""
OnUntyped = Callable[[str, str], None]
"""Called for a value that is of another kind than declared: dotted wire name of its field, and what was expected."""


def typed(resource: Resource, record: dict[str, Any], on_untyped: OnUntyped | None = None) -> dict[str, Any]:
    """A decoded record with the values that the schema knows read as what they are.

    Wire names stay; fields that the schema does not know stay as they are, and so do values of another kind than declared; an
    empty string for a time is ``None``.

    :raises NexusDataError: when money, a part of the key or the stamp can't be read; it names resource, key, field and value
    """
    return _object(_Place(resource, key_text(resource, record), on_untyped), "", resource.schema.fields, record)


def key_text(resource: Resource, record: dict[str, Any]) -> str:
    """The key of a record as one text, its parts joined by a bar; empty parts for missing ones."""
    parts = (at(record, name) for name in resource.key)
    return "|".join("" if part is None else str(part) for part in parts)


def at(record: Any, place: str) -> Any:
    """What a decoded record holds at a place, dotted where it lies deeper, names in any case; ``None`` where there is nothing."""
    for name in place.split("."):
        if not isinstance(record, Mapping):
            return None
        record = next((value for known, value in record.items() if known.lower() == name.lower()), None)
    return record


class _Place:
    """Where in which record a value stands, for the error that it may end in."""

    def __init__(self, resource: Resource, key: str, on_untyped: OnUntyped | None) -> None:
        self.resource, self.key, self._on_untyped = resource, key, on_untyped

    def refuse_or_keep(self, path: str, field: Field, value: Any) -> Any:
        """A value that is of no kind that its field may have, as it came.

        :raises NexusDataError: when it must be typed; one that can identify a person is not told
        """
        expected = _EXPECTED.get(field.kind, f"a {field.kind}")
        if self.resource.must_be_typed(path, field):
            shown = "(personal data, not shown)" if field.personal else value
            raise NexusDataError(self.resource.name, self.key, path, shown, expected)
        if self._on_untyped:
            self._on_untyped(path, expected)
        return value


def _object(place: _Place, prefix: str, fields: tuple[Field, ...], record: dict[str, Any]) -> dict[str, Any]:
    known = {field.name.lower(): field for field in fields}
    return {
        name: _value(place, prefix + known[name.lower()].name, known[name.lower()], value) if name.lower() in known else value
        for name, value in record.items()
    }


def _value(place: _Place, path: str, field: Field, value: Any) -> Any:
    if value is None:
        return None
    for kind in (field.kind, *field.also):
        if kind in _CONTAINERS:
            if not field.children:
                return value
            if isinstance(value, _CONTAINERS[kind]):
                return _contents(place, f"{path}.", field.children, value, is_map=kind == "map")
            continue
        try:
            return _READERS[kind](value)
        except (ValueError, TypeError, InvalidOperation):
            continue
    return place.refuse_or_keep(path, field, value)


def _contents(place: _Place, prefix: str, children: tuple[Field, ...], value: Any, *, is_map: bool) -> Any:
    def inside(item: Any) -> Any:
        return _object(place, prefix, children, item) if isinstance(item, dict) else item

    if is_map:
        return {name: inside(item) for name, item in value.items()}
    return [inside(item) for item in value] if isinstance(value, list) else inside(value)


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        raise ValueError
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite():
        raise ValueError
    return number


def _time(value: Any) -> Any:
    return timestamps.to_pendulum(value) if _filled(value) else None


def _date(value: Any) -> Any:
    return timestamps.to_date(value) if _filled(value) else None


def _filled(value: Any) -> bool:
    if not isinstance(value, str):
        raise TypeError
    return bool(value.strip())


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError
    return str(value)


def _integer(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError
    Decimal(value)
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_CONTAINERS: dict[Kind, type] = {"object": dict, "list": list, "map": dict}
_READERS: dict[Kind, Callable[[Any], Any]] = {
    "money": _money,
    "time": _time,
    "date": _date,
    "text": _text,
    "integer": _integer,
    "flag": _flag,
}
