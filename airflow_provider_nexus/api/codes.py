"""Codes on their way into a path: whatever would make it another path is refused. Fact sheet 6.19."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider_nexus.exceptions import NexusConfigurationError

IN_QUOTES = "give it in quotes; where templates are rendered as native objects, as \"'{{ ... }}'\""
"""How to keep a text that looks like a number."""


def path_segment(code: object, what: str = "code") -> str:
    """A code, percent-encoded as one segment of a path.

    :param what: what it is called, for the error
    :raises NexusConfigurationError: for what is no text, is empty, or leads to another path; nothing is sent
    """
    if not isinstance(code, str):
        raise NexusConfigurationError(f"the {what} is {code!r}, a {type(code).__name__}, and a code is text: {IN_QUOTES}")
    if not code.strip():
        raise NexusConfigurationError(f"the {what} is empty: without one the call would be another")
    if code in (".", ".."):
        raise NexusConfigurationError(f"the {what} is {code!r}, which stands for another path: nothing was sent")
    if not code.isprintable():
        raise NexusConfigurationError(f"the {what} {code!r} holds signs that no code has: nothing was sent")
    return quote(code, safe="")


def is_same(asked: str, found: object) -> bool:
    """Whether a code that came back is the one that was asked for; blanks around it and letters' case do not count."""
    return str(found).strip().casefold() == asked.strip().casefold()
