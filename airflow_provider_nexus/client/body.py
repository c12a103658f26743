"""The bytes of an answer's body: unpacked piece by piece, up to a limit, so that no answer takes all memory.

Both clients read what comes over the wire as it is and hand it to a :class:`Body`. Only gzip is asked for, and nothing else is
unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

MEGABYTE = 1_000_000
PIECE = 65_536
"""Bytes that are asked for at a time."""
CODING = "gzip"
"""The one coding of a body that is asked for."""

_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({CODING, "x-gzip"})  # one and the same (RFC 9110, 8.4.1.3)
_GZIP_BITS = 16 + zlib.MAX_WBITS


class BadBodyError(Exception):
    """A body that can't be taken as it came. Its text says why.

    :param is_final: whether the same call would bring the same again, so that it is not fetched once more
    """

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.is_final = is_final


class OversizeError(BadBodyError):
    """More came than the connection takes of one answer.

    :param limit: bytes that it takes
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the answer has more than the {limit // MEGABYTE} MB that the connection takes of one: "
            "ask for less at once, or raise its max_answer_mb",
            is_final=True,
        )


class Body:
    """A body on its way in.

    :param headers: of the answer
    :param limit: bytes that it may have, packed and unpacked
    """

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        coding = headers.get("Content-Encoding", "").strip().lower()
        self._limit, self._came, self._bytes = limit, 0, BytesIO()
        self._unpacker = zlib.decompressobj(_GZIP_BITS) if coding in _GZIP else None
        self._fault: BadBodyError | None = None
        if coding not in _PLAIN | _GZIP:
            self._fault = BadBodyError(
                f"its body is packed in another way than as {CODING}, which alone was asked for", is_final=True
            )

    def take(self, piece: bytes) -> bool:
        """Take in the next piece.

        :return: whether a further one is of use
        """
        self._came += len(piece)
        if self._came > self._limit:
            self._fault = self._fault or OversizeError(self._limit)
        if self._fault is None:
            try:
                self._bytes.write(self._unpacked(piece))
            except BadBodyError as fault:
                self._fault = fault
        return self._fault is None

    def whole(self) -> bytes:
        """The body, once the last piece was taken.

        :raises BadBodyError: when it is too large, packed in another way, or damaged
        """
        if not self._came:
            return b""  # also of an answer that names a coding and has no body
        if self._fault:
            raise self._fault
        if self._unpacker and not self._unpacker.eof:
            raise BadBodyError("its packed body ends too early", is_final=False)
        return self._bytes.getvalue()

    def _unpacked(self, piece: bytes) -> bytes:
        if self._unpacker is None:
            return piece
        room = self._limit - self._bytes.tell()
        try:
            unpacked = self._unpacker.decompress(piece, room + 1)  # zero would mean no limit
        except zlib.error:
            raise BadBodyError("its packed body is damaged", is_final=False) from None
        if len(unpacked) > room:
            raise OversizeError(self._limit)
        if self._unpacker.unused_data:
            raise BadBodyError("something comes after the end of its packed body", is_final=False)
        return unpacked


@dataclass(frozen=True)
class Received:
    """An answer whose last byte has come.

    :param headers: found without regard to case
    """

    status: int
    headers: Mapping[str, str]
    body: Body
