"""Values of a call's query, body and headers: what would arrive as something else than it was meant to be is refused.

A refusal is a :class:`NexusConfigurationError`. ``place`` is where a value stands and ``what`` is what has it, for the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from typing import Any

from airflow_provider_nexus.api.codes import IN_QUOTES, a_kind
from airflow_provider_nexus.api.moments import is_missing, moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusConfigurationError, excerpt

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods of HTTP that a call can have."""
_FREE = ".data"
"""Where a body has a dictionary of the user's own, whose names differ by case."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_ELSEWHERE = {
    "authorization": "the token comes from the connection alone",
    "proxy-authorization": "the proxy comes from the environment",
    "cookie": "the token of the connection is what lets a call in",
    "api-version": "it has an argument of its own, api_version",
    "range": "a part of an answer would pass for the whole",
    **dict.fromkeys(
        ("x-http-method", "x-http-method-override", "x-method-override"), "it makes the call another: give the method"
    ),
}
_OF_THE_CLIENT = frozenset(
    """
    accept accept-encoding connection content-encoding content-length content-type expect host keep-alive proxy-connection
    request-iso8601 te trailer transfer-encoding upgrade user-agent
    """.split()  # noqa: SIM905 - a list of sixteen quoted words reads worse
)
_PERSONAL = frozenset({"customer-ip-address"})


def method_of(given: object) -> str:
    """The method of a call in capitals."""
    method = given.strip().upper() if isinstance(given, str) else ""
    if method not in METHODS:
        raise NexusConfigurationError(f"method is {given!r}: give one of {', '.join(METHODS)}; nothing was sent")
    return method


def refuse_bare(json: object) -> None:
    """Refuse a body that is one bare value. As what a template makes of a dictionary, it would be sent as a text in quotes."""
    if isinstance(json, str | bytes | bytearray | memoryview | int | float | Decimal | date):
        raise NexusConfigurationError(
            f"json is {excerpt(json)}, {a_kind(json)}, and Nexus takes no bare value: give a dictionary or a list; "
            "where a template makes it, set render_template_as_native_obj=True in the DAG; nothing was sent"
        )


def refuse_twins(names: Iterable[object], what: str) -> None:
    """Refuse names that are one or differ in case only: Nexus reads them as one, and one of the two values would be lost."""
    seen: dict[str, object] = {}
    for name in names:
        folded = str(name).casefold()
        if folded in seen:
            both = f"both {seen[folded]!r} and {name!r}, which Nexus reads as one name"
            raise NexusConfigurationError(f"{what} has {both}: give it once; nothing was sent")
        seen[folded] = name


def in_body(value: Any, place: str) -> Any:
    """A value for a body: times as Nexus writes them, all else as it is.

    Refused are a float, what is no number, bytes, a number where a code is meant, and names that differ in case only.
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
    """Refuse a number where a code is meant, which the end of its place shows, as it may have lost its leading zeros."""
    if isinstance(value, int) and place.rstrip("]").casefold().endswith("code"):
        raise NexusConfigurationError(f"{place} is the number {value!r}, and a code is text: {IN_QUOTES}; nothing was sent")


def refuse_float(value: Any, place: str) -> None:
    """Refuse a float, as it may have lost digits."""
    if isinstance(value, float):
        hint = f"give a Decimal or text, {IN_QUOTES.removeprefix('give it in quotes; ')}: nothing was sent"
        raise NexusConfigurationError(f"{place} is the float {value!r}, which may have lost digits: {hint}")


def in_query(params: Mapping[str, Any] | None) -> dict[str, str | list[str]]:
    """A query as text. What is ``None`` is left out; the values of a list are sent one by one under their name."""
    if params is not None and not isinstance(params, Mapping):
        hint = "give a dictionary of names and values; nothing was sent"
        raise NexusConfigurationError(f"the query is {params!r}, {a_kind(params)}: {hint}")
    given = {name: value for name, value in (params or {}).items() if value is not None}
    refuse_twins(given, "the query")
    return {str(name): _in_query(value, f"the query's {name}") for name, value in given.items()}


def _in_query(value: Any, place: str) -> str | list[str]:
    if isinstance(value, list | tuple):
        return [as_text(item, f"{place}[{number}]", "query") for number, item in enumerate(value)]
    return as_text(value, place, "query")


def as_text(value: Any, place: str, holder: str, *, is_shown: bool = True) -> str:
    """A value as text for a query, a header or a form: no float, and nothing that is no single value.

    :param holder: what carries it
    :param is_shown: whether an error may show it
    """
    value = _scalar(value, place)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str | int):
        return str(value)
    what = f"{value!r}, {a_kind(value)}" if is_shown else f"{a_kind(value)}"
    raise NexusConfigurationError(f"{place} is {what}, which no {holder} can carry: give it as text")


def _scalar(value: Any, place: str) -> Any:
    if isinstance(value, Enum):
        value = value.value
    refuse_float(value, place)
    if isinstance(value, Decimal) and not value.is_finite():
        raise NexusConfigurationError(f"{place} is {value}, which is no number: nothing was sent")
    if isinstance(value, datetime):
        return to_wire(moment(value, place))
    return value.isoformat() if isinstance(value, date) else value


def in_headers(headers: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers of the user's own as text. No error shows a value, as that can be personal data."""
    if headers is not None and not isinstance(headers, Mapping):
        raise NexusConfigurationError(f"headers is {a_kind(headers)}: give a dictionary of names and values; nothing was sent")
    found: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise NexusConfigurationError(
                f"headers has the name {name!r}, and a header's name is made of letters, digits, - and _: nothing was sent"
            )
        folded = _folded(name)
        if why := _ELSEWHERE.get(folded, "the provider sets it itself" if folded in _OF_THE_CLIENT else ""):
            raise NexusConfigurationError(f"headers has {name!r}, which can't be set: {why}; nothing was sent")
        if folded in map(_folded, found):
            raise NexusConfigurationError(f"headers has {name!r} twice, in two spellings: leave one out; nothing was sent")
        place = f"the header {name!r}"
        if is_missing(value):
            raise NexusConfigurationError(
                f"{place} has no value, or the word None, which is what a template or another task makes of a missing value: "
                "leave it out, or give a value; nothing was sent"
            )
        text = as_text(value, place, "header", is_shown=False)
        try:
            text.encode("latin-1")
        except UnicodeEncodeError:
            raise NexusConfigurationError(
                f"{place} has characters that no header can carry (beyond Latin-1): nothing was sent"
            ) from None
        if not text.isprintable() or text != text.strip():
            raise NexusConfigurationError(f"{place} has line breaks, invisible characters, or blanks around it: nothing was sent")
        found[name] = text
    return found


def personal_forms(headers: Mapping[str, str]) -> list[str]:
    """The spellings in which a server may repeat the personal data in headers, which no log may show, the longest first.

    Of addresses these are each of a list, without its port, shortened and in full.
    """
    found = {value for name, value in headers.items() if _folded(name) in _PERSONAL}
    for part in [each.strip() for value in found for each in value.split(",")]:
        bare = re.sub(r"^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$", r"\1\2", part)
        found |= {part, bare}
        with suppress(ValueError):
            address = ip_address(bare)
            found |= {address.compressed, address.exploded}
    forms = {form for each in found for form in (each, re.sub("[.:]", "-", each))} - {"", "-"}
    return sorted(forms, key=len, reverse=True)


def _folded(name: str) -> str:
    """A name as servers may read it: without case, and with no difference between a hyphen and an underscore."""
    return name.lower().replace("_", "-")
