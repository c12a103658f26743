"""Secrets: texts that nobody sees by accident, and that are blanked in the texts of others."""

from __future__ import annotations

import base64
import hmac
import html
import re
from collections.abc import Iterator, Sequence
from typing import TypeVar

E = TypeVar("E", bound=BaseException)
_BLANK = "***"
_LAYERS = 4
_LEAST = 8
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\\+u00[0-9A-Fa-f]{2}|\\+/|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});")
_TO_URL_SAFE = str.maketrans("+/", "-_")


class Secret:
    """A text, without blanks around it, that lets somebody in. Who prints it, or the locals of a frame, sees three stars."""

    __slots__ = ("_needles", "_text")

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._needles = tuple(self._spellings()) if self._text else ()

    def reveal(self) -> str:
        """The text. Use it where it is needed and put it into no variable: tracebacks can show those."""
        return self._text

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern fits the whole text."""
        return pattern.fullmatch(self._text) is not None

    def scrub(self, text: str) -> str:
        """A text of somebody else, with the secret blanked in each of the forms that servers repeat it in.

        These are the text itself, percent-encoded, escaped as in JSON or HTML, one within another, and base64 of it and of
        any text around it. It has to be whole, so scrub before something is cut.
        """
        spans: list[tuple[int, int]] = []
        plain = text
        starts: Sequence[int] = range(len(text) + 1)
        for _ in range(_LAYERS):
            for needle in self._needles:
                if needle in plain:
                    spans += [(starts[each.start()], starts[each.end()]) for each in re.finditer(re.escape(needle), plain)]
            if not _ESCAPE.search(plain):
                break
            plain, steps = _unescaped(plain)
            starts = [starts[step] for step in steps]
        return _blanked(text, spans) if spans else text

    def _spellings(self) -> Iterator[str]:
        yield self._text
        raw = self._text.encode()
        for shift in range(3):  # base64 goes by three bytes, so it depends on how many are before
            whole = base64.b64encode(bytes(shift) + raw).decode()
            core = whole[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6]
            if len(core) >= _LEAST:
                yield core
                yield core.translate(_TO_URL_SAFE)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({_BLANK})"


def bare(error: E) -> E:
    """An error without the frames that it came through, and without what led to it.

    The frames of HTTP libraries have the headers of the call, and tools that show the locals of frames would show the token.
    """
    error.__context__ = None
    return error.with_traceback(None)


def _unescaped(text: str) -> tuple[str, list[int]]:
    """A text with one layer of escapes undone, and the place in the text of each of its characters, and of its end."""
    pieces: list[str] = []
    steps: list[int] = []
    done = 0
    for escape in _ESCAPE.finditer(text):
        found = escape.group()
        sign = html.unescape(found) if found.startswith("&") else "/" if found.endswith("/") else chr(int(found[-2:], 16))
        pieces += text[done : escape.start()], sign
        steps += [*range(done, escape.start()), *[escape.start()] * len(sign)]
        done = escape.end()
    return "".join([*pieces, text[done:]]), [*steps, *range(done, len(text) + 1)]


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for begin, end in sorted(spans):
        if begin >= done:
            pieces += text[done:begin], _BLANK
        done = max(done, end)
    return "".join([*pieces, text[done:]])
