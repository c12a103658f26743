"""Headers of the user's own: what a call may carry beside those that the client sets itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from airflow_provider_nexus.api.moments import is_missing
from airflow_provider_nexus.client.values import as_text
from airflow_provider_nexus.exceptions import NexusConfigurationError

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


def in_headers(headers: Mapping[str, Any] | None) -> dict[str, str]:
    """Headers as text. No error holds a value, as that can be personal data.

    :raises NexusConfigurationError: when they are no mapping of names to values that a header can hold, or one of them is not the
        user's to set
    """
    if headers is not None and not isinstance(headers, Mapping):
        raise NexusConfigurationError(
            f"headers is a {type(headers).__name__}: give a dictionary of names and values; nothing was sent"
        )
    found: dict[str, str] = {}
    for name, value in (headers or {}).items():
        _refuse_name(name, found)
        found[name] = _value(name, value)
    return found


def is_personal(name: str) -> bool:
    """Whether the value of a header tells of a person, so that no log may hold it."""
    return _folded(name) in _PERSONAL


def personal_forms(value: str) -> set[str]:
    """The spellings in which a server may repeat addresses: each of a list, without its port, shortened and in full."""
    found = {value}
    for part in (each.strip() for each in value.split(",")):
        bare = re.sub(r"^\[(.+)\](?::\d+)?$|^([\d.]+):\d+$", r"\1\2", part)
        found |= {part, bare}
        with suppress(ValueError):
            address = ip_address(bare)
            found |= {address.compressed, address.exploded}
    return {form for each in found for form in (each, re.sub("[.:]", "-", each))} - {"", "-"}


def _folded(name: str) -> str:
    """A name as servers may read it: without case, and with no difference between a hyphen and an underscore."""
    return name.lower().replace("_", "-")


def _refuse_name(name: object, found: Mapping[str, str]) -> None:
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise NexusConfigurationError(
            f"headers has the name {name!r}, and a header's name is made of letters, digits, - and _: nothing was sent"
        )
    folded = _folded(name)
    if why := _ELSEWHERE.get(folded, "the provider sets it itself" if folded in _OF_THE_CLIENT else ""):
        raise NexusConfigurationError(f"headers has {name!r}, which can't be set: {why}; nothing was sent")
    if folded in map(_folded, found):
        raise NexusConfigurationError(f"headers has {name!r} twice, in two spellings: leave one out; nothing was sent")


def _value(name: str, value: Any) -> str:
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
        raise NexusConfigurationError(f"{place} holds signs that no header can (beyond Latin-1): nothing was sent") from None
    if not text.isprintable() or text != text.strip():
        raise NexusConfigurationError(
            f"{place} holds line breaks, signs that can't be seen, or blanks around it: nothing was sent"
        )
    return text
