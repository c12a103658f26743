"""Values on their way into a call's query or body: what would arrive as something else than it was meant to be is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from airflow_provider_nexus.api.codes import IN_QUOTES
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusConfigurationError, excerpt

LOST_DIGITS = f"which may have lost digits: give a Decimal or text, {IN_QUOTES.removeprefix('give it in quotes; ')}"
"""What is wrong with a float, and what to do."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods of HTTP that a call can have."""
_FREE = ".data"
"""Where a body holds a dictionary of the user's own, whose names are told apart by case."""


def method_of(given: object) -> str:
    """The method of a call in capitals.

    :raises NexusConfigurationError: when it is none
    """
    method = given.strip().upper() if isinstance(given, str) else ""
    if method not in METHODS:
        raise NexusConfigurationError(f"method is {given!r}: give one of {', '.join(METHODS)}; nothing was sent")
    return method


def refuse_bare(json: object) -> None:
    """Refuse a body that is one bare value. As what a template makes of a dictionary, it would be sent as a text in quotes.

    :raises NexusConfigurationError: when so
    """
    if isinstance(json, str | bytes | bytearray | memoryview | int | float | Decimal | date):
        raise NexusConfigurationError(
            f"json is {excerpt(json)}, a {type(json).__name__}, and Nexus takes no bare value: give a dictionary or a list; "
            "where a template makes it, set render_template_as_native_obj=True in the DAG; nothing was sent"
        )


def refuse_twins(names: Iterable[object], what: str) -> None:
    """Refuse names that are one or differ in case only: Nexus reads them as one, and one of the two values would be lost.

    :param what: what holds them, for the error
    :raises NexusConfigurationError: names both
    """
    seen: dict[str, object] = {}
    for name in names:
        folded = str(name).casefold()
        if folded in seen:
            both = f"both {seen[folded]!r} and {name!r}, which Nexus reads as one name"
            raise NexusConfigurationError(f"{what} has {both}: give it once; nothing was sent")
        seen[folded] = name


def in_body(value: Any, place: str) -> Any:
    """A value as a body holds it: times as Nexus writes them, all else as it is.

    :param place: where it stands in the body, for the error
    :raises NexusConfigurationError: for a float, what is no number, bytes, a number where a code is meant, and names that differ
        in case only
    """
    if isinstance(value, Mapping):
        if not place.endswith(_FREE):
            refuse_twins(value, place)
        return {name: in_body(item, f"{place}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_body(item, f"{place}[{number}]") for number, item in enumerate(value)]
    refuse_number_for_code(value, place)
    if isinstance(value, bytes | bytearray | memoryview):
        raise NexusConfigurationError(f"{place} is {excerpt(value)}, and JSON has no bytes: give text; nothing was sent")
    return _scalar(value, place)


def refuse_number_for_code(value: Any, place: str) -> None:
    """Refuse a number where a code is meant, as it may have lost its leading zeros.

    :param place: where it stands, for the error; a code's name ends so
    :raises NexusConfigurationError: when so
    """
    if isinstance(value, int) and place.rstrip("]").casefold().endswith("code"):
        raise NexusConfigurationError(f"{place} is the number {value!r}, and a code is text: {IN_QUOTES}; nothing was sent")


def in_query(params: Mapping[str, Any] | None) -> dict[str, str | list[str]]:
    """A query as text. What is ``None`` is left out; the values of a list are sent one by one under their name.

    :raises NexusConfigurationError: when it is no mapping of names to values that a query can hold, or names differ in case only
    """
    if params is not None and not isinstance(params, Mapping):
        raise NexusConfigurationError(
            f"the query is {params!r}, a {type(params).__name__}: give a dictionary of names and values; nothing was sent"
        )
    given = {name: value for name, value in (params or {}).items() if value is not None}
    refuse_twins(given, "the query")
    return {str(name): _query_value(value, f"the query's {name}") for name, value in given.items()}


def as_text(value: Any, place: str, holder: str, *, is_shown: bool = True) -> str:
    """A value as the text that a query, a header or a form holds.

    :param place: where it stands, for the error
    :param holder: what holds it
    :param is_shown: whether an error may show it
    :raises NexusConfigurationError: for a float, what is no number, and anything that is no single value
    """
    value = _scalar(value, place)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int):
        return str(value)
    what = f"{value!r}, a {type(value).__name__}" if is_shown else f"a {type(value).__name__}"
    raise NexusConfigurationError(f"{place} is {what}, which no {holder} can hold: give it as text")


def _query_value(value: Any, place: str) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [as_text(item, f"{place}[{number}]", "query") for number, item in enumerate(value)]
    return as_text(value, place, "query")


def _scalar(value: Any, place: str) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, float):
        raise NexusConfigurationError(f"{place} is the float {value!r}, {LOST_DIGITS}: nothing was sent")
    if isinstance(value, Decimal) and not value.is_finite():
        raise NexusConfigurationError(f"{place} is {value}, which is no number: nothing was sent")
    if isinstance(value, datetime):
        return to_wire(moment(value, place))
    return value.isoformat() if isinstance(value, date) else value
