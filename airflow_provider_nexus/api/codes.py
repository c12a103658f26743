"""Codes and names as users give them: one or several, as a segment of a path, and the hint for one that is not known.

What can't be one is refused by a :class:`NexusConfigurationError`, in which ``what`` is what it is called.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping, Set
from typing import Any
from urllib.parse import quote

import msgspec

from airflow_provider_nexus.exceptions import NexusConfigurationError

IN_QUOTES = "give it in quotes; where templates are rendered as native objects, as \"'{{ ... }}'\""
"""How to give a text that looks like a number."""


def path_segment(code: object, what: str = "code") -> str:
    """A code, percent-encoded as one segment of a path: a text that is not empty and leads to no other path."""
    if not isinstance(code, str):
        hint = "give one code" if isinstance(code, list | tuple | Set | Mapping) else IN_QUOTES
        raise NexusConfigurationError(f"the {what} is {code!r}, {a_kind(code)}, and a code is text: {hint}")
    if not code.strip():
        raise NexusConfigurationError(f"the {what} is empty: without one the call would be another")
    if code in (".", ".."):
        raise NexusConfigurationError(f"the {what} is {code!r}, which leads to another path: nothing was sent")
    if not code.isprintable():
        raise NexusConfigurationError(f"the {what} {code!r} has characters that no code has: nothing was sent")
    return quote(code, safe="")


def code_of(given: object, what: str = "code") -> str:
    """One code as it is given. What a template makes of a missing value is refused, too."""
    path_segment(given, what)
    text = str(given)
    if text.strip() == "None":
        raise NexusConfigurationError(f"the {what} is {text!r}, which is what a template makes of a missing value")
    if text != text.strip():
        raise NexusConfigurationError(f"the {what} is {text!r}, with blanks around it, which no code has")
    return text


def codes_of(given: object, what: str = "code") -> tuple[str, ...]:
    """Codes as they are given, each once, read as :func:`texts_of` does: one text is one code."""
    return tuple(code_of(each, what) for each in texts_of(given, what))


def texts_of(given: object, what: str) -> tuple[str, ...]:
    """One text or several, as they are given, each once.

    :param given: a text, which is one; the text that a template makes of a list; a list of texts or anything else that can be
        iterated, but no dictionary
    """
    found = _listed(given)
    if found is None:
        why = f"{a_kind(given)}: give a text or a list of texts. If it looks like a number, {IN_QUOTES}"
        if isinstance(given, str):
            why = "which looks like a list and can't be read as one of texts"
        raise NexusConfigurationError(f"the {what} is {given!r}, {why}")
    for each in found:
        if not isinstance(each, str):
            raise NexusConfigurationError(f"the {what} {each!r} in a list is {a_kind(each)}, and has to be text: {IN_QUOTES}")
    return tuple(dict.fromkeys(found))


def _listed(given: object) -> list[Any] | None:
    if isinstance(given, str):
        return _rendered(given)
    if isinstance(given, Mapping | bytes | bytearray) or not isinstance(given, Iterable):
        return None
    return sorted(given, key=str) if isinstance(given, Set) else list(given)


def _rendered(text: str) -> list[Any] | None:
    """A text, or the list that it shows, as JSON or as Python writes lists, tuples and sets."""
    bare = text.strip()
    if (bare[:1], bare[-1:]) not in (("[", "]"), ("(", ")"), ("{", "}")):
        return [text]
    for read in (msgspec.json.decode, ast.literal_eval):
        try:
            found = read(bare)
        except (msgspec.DecodeError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return None if isinstance(found, str) else _listed(found)
    return None


def is_same(asked: str, found: object) -> bool:
    """Whether a code that came back is the one that was asked for; blanks around it and letters' case do not count."""
    return str(found).strip().casefold() == asked.strip().casefold()


def did_you_mean(given: object, known: Iterable[str], otherwise: str = "", *, then: str = "") -> str:
    """The hint for a name that is not known: the one that has it as a word, or the nearest of the known names, whatever its case.

    :param otherwise: the hint where none is near; by default all known names
    :param then: a sentence that comes behind it, as a hint that is a question has its own mark
    """
    names = {name.casefold(): name for name in known}
    folded = str(given).casefold()
    having = [name for name in names if folded.strip("-") in re.split(r"[-_.]", name)]
    nearest = having if len(having) == 1 else difflib.get_close_matches(folded, names, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {names[nearest[0]]!r}? {then}".strip()
    hint = otherwise or f"known are {', '.join(names.values())}"
    return f"{hint}. {then}" if then else hint


def a_kind(value: object) -> str:
    """The kind of a value with its article, such as ``an int``."""
    return "no value" if value is None else with_article(type(value).__name__)


def with_article(noun: str) -> str:
    """A noun behind ``a`` or ``an``."""
    return f"{'an' if noun.lower().startswith(('a', 'e', 'i', 'o', 'und')) else 'a'} {noun}"
