"""A text that nobody sees by accident, and how it is blanked in what others say."""

from __future__ import annotations

import base64
import hmac
import html
import re
from collections.abc import Iterator
from typing import TypeVar

E = TypeVar("E", bound=BaseException)
_BLANK = "***"
_LAYERS = 4
_LEAST = 8
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|\\+u00[0-9A-Fa-f]{2}|\\+/|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,31});")
_TO_URL_SAFE = str.maketrans("+/", "-_")


class Secret:
    """A text that lets somebody in. Whoever prints it, or the locals of a frame that holds it, sees three stars.

    :param text: the text; blanks around it are not of it
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """The text. Use it where it is needed and keep it in no variable: tracebacks can show those."""
        return self._text

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether a pattern fits the whole text."""
        return pattern.fullmatch(self._text) is not None

    def scrub(self, text: str) -> str:
        """What somebody else says, with the secret blanked in each of the forms that servers repeat it in.

        These are the text itself, percent-encoded, escaped as in JSON or HTML, one within another, and base64 of it and of
        any text around it. It has to be whole, so scrub before something is cut.
        """
        if not self._text:
            return text
        spans: list[tuple[int, int]] = []
        plain, starts = text, [*range(len(text) + 1)]
        for _ in range(_LAYERS):
            spans += [(starts[begin], starts[end]) for needle in self._spellings() for begin, end in _found(needle, plain)]
            plain, steps = _unescaped(plain)
            starts = [starts[step] for step in steps]
        return _blanked(text, spans)

    def _spellings(self) -> Iterator[str]:
        yield self._text
        raw = self._text.encode()
        for shift in range(3):  # base64 goes by three bytes, so it depends on how many stand before
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

    The frames of HTTP libraries hold the headers of the call, and tools that show the locals of frames would show the token.
    """
    error.__context__ = None
    return error.with_traceback(None)


def _found(needle: str, text: str) -> Iterator[tuple[int, int]]:
    begin = text.find(needle)
    while begin >= 0:
        yield begin, begin + len(needle)
        begin = text.find(needle, begin + len(needle))


def _unescaped(text: str) -> tuple[str, list[int]]:
    """A text with one layer of escapes undone, and where in the text each of its signs, and its end, stands."""
    pieces: list[str] = []
    steps: list[int] = []
    done = 0
    for escape in _ESCAPE.finditer(text):
        sign = _meant(escape.group())
        pieces += text[done : escape.start()], sign
        steps += [*range(done, escape.start()), *[escape.start()] * len(sign)]
        done = escape.end()
    return "".join([*pieces, text[done:]]), [*steps, *range(done, len(text) + 1)]


def _meant(escape: str) -> str:
    if escape.startswith("&"):
        return html.unescape(escape)
    return "/" if escape.endswith("/") else chr(int(escape[-2:], 16))


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for begin, end in sorted(spans):
        if begin >= done:
            pieces += text[done:begin], _BLANK
        done = max(done, end)
    return "".join([*pieces, text[done:]])
