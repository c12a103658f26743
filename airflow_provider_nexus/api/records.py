"""Records with their values as Python should hold them: money as ``Decimal``, times as pendulum in UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_nexus.api import timestamps
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.exceptions import NexusDataError

_EXPECTED = {"money": "a decimal number", "time": "an ISO 8601 time stamp", "date": "a date", "text": "text"}


def typed(resource: Resource, record: dict[str, Any]) -> dict[str, Any]:
    """A decoded record with the values that the schema knows read as what they are.

    Wire names stay; fields that the schema does not know stay as they are; an empty string for a time is ``None``.

    :raises NexusDataError: when a value can't be read; it names resource, key, field and value
    """
    return _object(_Place(resource, key_text(resource, record)), resource.schema.fields, record)


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

    def __init__(self, resource: Resource, key: str) -> None:
        self.resource, self.key = resource, key

    def error(self, field: Field, value: object) -> NexusDataError:
        """What to raise for a value; one that can identify a person is not told."""
        value = "(personal data, not shown)" if field.personal else value
        return NexusDataError(self.resource.name, self.key, field.name, value, _EXPECTED.get(field.kind, f"a {field.kind}"))


def _object(place: _Place, fields: tuple[Field, ...], record: dict[str, Any]) -> dict[str, Any]:
    known = {field.name.lower(): field for field in fields}
    return {name: _value(place, known[name.lower()], value) if name.lower() in known else value for name, value in record.items()}


def _value(place: _Place, field: Field, value: Any) -> Any:
    if value is None:
        return None
    if field.kind in ("object", "list", "map"):
        return _container(place, field, value)
    reader = _READERS.get(field.kind)
    try:
        return reader(value) if reader else value
    except (ValueError, TypeError, InvalidOperation):
        raise place.error(field, value) from None


def _container(place: _Place, field: Field, value: Any) -> Any:
    if not field.children:
        return value
    if field.kind == "list" and isinstance(value, list):
        return [_object(place, field.children, item) if isinstance(item, dict) else item for item in value]
    if field.kind == "map" and isinstance(value, dict):
        return {name: _object(place, field.children, item) if isinstance(item, dict) else item for name, item in value.items()}
    if field.kind == "object" and isinstance(value, dict):
        return _object(place, field.children, value)
    raise place.error(field, value)


def _money(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise TypeError
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


_READERS: dict[str, Callable[[Any], Any]] = {"money": _money, "time": _time, "date": _date, "text": _text}
