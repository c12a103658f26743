r"""JSON objects that are out of the ordinary: names in another case, texts with an unpaired surrogate such as ``"\ud800"``.

A server that cuts a text between the halves of a character sends such an escape. The grammar allows it, no text can have
it, and the strict parser refuses all that it is in: a page for one letter of one record. Here values stay as bytes, so that
the one record can be separated from the others. It is slow, and only for what is not read otherwise. What is no JSON for another
reason than a surrogate, or is no object or array, raises ``msgspec.DecodeError``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BLANK = re.compile(r"[ \t\n\r]*")
_strict_members = msgspec.json.Decoder(dict[str, Raw]).decode
_strict_items = msgspec.json.Decoder(list[Raw]).decode


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


Tree = dict[str, Any]
"""Names that are wanted of an object: of each its kind, or the names that are wanted of the object in it."""

_scan = json.JSONDecoder(parse_constant=_refuse, parse_int=str, parse_float=str).raw_decode


def has_surrogate(raw: bytes) -> bool:
    """Whether a text has an escaped surrogate, paired or not."""
    return _SURROGATE.search(raw) is not None


def members(raw: bytes) -> dict[str, Raw]:
    """The members of an object, each value as it came."""
    try:
        return _strict_members(raw)
    except msgspec.DecodeError:
        if not has_surrogate(raw):
            raise
    return dict(_pairs(_Cursor(raw)))


def names(raw: bytes) -> list[str]:
    """The names of an object's members, one that comes twice twice."""
    return [name for name, _ in _pairs(_Cursor(raw))]


def items(raw: bytes) -> list[Raw]:
    """The items of an array, each as it came."""
    try:
        return _strict_items(raw)
    except msgspec.DecodeError:
        if not has_surrogate(raw):
            raise
    cursor = _Cursor(raw)
    return [Raw(cursor.value()) for _ in cursor.inside("[", "]")]


def join(parts: Mapping[str, Raw]) -> bytes:
    """An object of members that stay the bytes that they are."""
    try:
        return msgspec.json.encode(parts)
    except UnicodeEncodeError:  # a name that is no valid text
        return b"{%b}" % b",".join(b"%b:%b" % (json.dumps(name).encode(), bytes(value)) for name, value in parts.items())


def unreadable(raw: bytes, prefix: str = "") -> str:
    """The dotted name of the first value that is no valid text; empty when there is none."""
    try:
        msgspec.json.decode(raw, type=Raw)
    except msgspec.DecodeError:
        if raw[:1] != b"{" or not has_surrogate(raw):
            return prefix.rstrip(".")
        found = (unreadable(bytes(value), f"{prefix}{name}.") for name, value in members(raw).items())
        return next(filter(None, found), prefix.rstrip(".") or "?")
    return ""


def is_respelt(raw: bytes, tree: Tree) -> bool:
    """Whether a record writes a wanted name in another case than the catalogue. Asked once, as servers do not change that."""
    try:
        found = members(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    spelling = {name.lower(): name for name in tree}
    branches = ((bytes(found[name]), branch) for name, branch in tree.items() if isinstance(branch, dict) and name in found)
    return any(spelling.get(name.lower(), name) != name for name in found) or any(is_respelt(*each) for each in branches)


def refold(raw: bytes, tree: Tree) -> bytes:
    """What is wanted of a record and can be read, in the catalogue's spelling, whatever case its names came in."""
    spelling = {name.lower(): name for name in tree}
    try:
        found = members(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return raw
    out: dict[str, Raw] = {}
    for name, value in found.items():
        known = spelling.get(name.lower())
        if known is None:
            continue
        branch = tree[known]
        if isinstance(branch, dict) and bytes(value)[:1] == b"{":
            out[known] = Raw(refold(bytes(value), branch))
        elif not (has_surrogate(bytes(value)) and unreadable(bytes(value), known)):
            out[known] = value
    return msgspec.json.encode(out)


def value_at(raw: bytes, dotted: str) -> object:
    """The value at a dotted path, as it was written."""
    try:
        for name in dotted.split(".") if dotted else ():
            raw = bytes(members(raw)[name])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        return "a value"
    return raw.decode("utf-8", "replace")


def _pairs(cursor: _Cursor) -> Iterator[tuple[str, Raw]]:
    for _ in cursor.inside("{", "}"):
        name: Any = json.loads(cursor.value())
        if not isinstance(name, str):
            raise msgspec.DecodeError("JSON is malformed: a name that is no text")
        cursor.take(":")
        yield name, Raw(cursor.value())


class _Cursor:
    """A place in a text. One character is one byte, so that places in both are the same."""

    def __init__(self, raw: bytes) -> None:
        self._text, self._place = raw.decode("latin-1"), 0

    def inside(self, opening: str, closing: str) -> Iterator[None]:
        """Stop at each item between two brackets, up to the end of the text."""
        self.take(opening)
        if not self._meets(closing):
            yield
            while not self._meets(closing):
                self.take(",")
                yield
        if self._place != len(self._text):
            raise msgspec.DecodeError("JSON is malformed: something follows")

    def value(self) -> bytes:
        """The value here, as it is written."""
        self._skip()
        start = self._place
        try:
            _, self._place = _scan(self._text, start)
        except (ValueError, RecursionError) as error:
            raise msgspec.DecodeError(f"JSON is malformed: {error}") from None
        return self._text[start : self._place].encode("latin-1")

    def take(self, mark: str) -> None:
        """Go past a mark."""
        if not self._meets(mark):
            raise msgspec.DecodeError(f"JSON is malformed: no {mark}")

    def _meets(self, mark: str) -> bool:
        self._skip()
        is_here = self._text.startswith(mark, self._place)
        self._place += len(mark) if is_here else 0
        self._skip()
        return is_here

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._place)
        self._place = found.end() if found else self._place
