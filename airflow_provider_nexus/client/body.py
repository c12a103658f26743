"""Body of an answer: unpacked piece by piece, up to a limit, so that no answer takes all memory.

Both clients hand what comes over the wire to a :class:`Body`. Only gzip is asked for, and nothing else is unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO

MEGABYTE = 1_000_000
PIECE = 65_536
"""Bytes that are asked for at a time."""
CODING = "gzip"
"""The one coding of a body that is asked for."""

OF_THE_CONNECTION = "the connection takes of one: ask for less at once, or raise its max_answer_mb"
"""What bounds an answer that is put into memory, and what to do."""

_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({CODING, "x-gzip"})  # one and the same (RFC 9110, 8.4.1.3)
_GZIP_BITS = 16 + zlib.MAX_WBITS


class BadBodyError(Exception):
    """A body that can't be taken as it came. Its text is the reason.

    :param is_final: whether the same call would bring the same again, so that it is not fetched once more
    """

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.is_final = is_final


class OversizeError(BadBodyError):
    """More bytes came than the limit of one answer.

    :param by: what sets the limit, and what to do
    """

    def __init__(self, limit: int, by: str = OF_THE_CONNECTION) -> None:
        super().__init__(f"the answer has more than the {limit // MEGABYTE} MB that {by}", is_final=True)


class Body:
    """A body on its way in.

    :param limit: bytes that it may have, packed and unpacked
    :param write: takes each unpacked piece; by default they are put into memory
    :param by: what sets the limit, and what to do
    """

    def __init__(
        self, headers: Mapping[str, str], limit: int, write: Callable[[bytes], object] | None = None, by: str = OF_THE_CONNECTION
    ) -> None:
        coding = headers.get("Content-Encoding", "").strip().lower()
        self._limit, self._by, self._came, self._bytes = limit, by, 0, BytesIO()
        self._write, self.size = write or self._bytes.write, 0
        self._unpacker = zlib.decompressobj(_GZIP_BITS) if coding in _GZIP else None
        self._fault: BadBodyError | None = None
        if coding not in _PLAIN | _GZIP:
            self._fault = BadBodyError(
                f"its body is packed in another way than as {CODING}, which alone was asked for", is_final=True
            )

    def take(self, piece: bytes) -> bool:
        """Take in the next piece, and tell whether a further one is of use."""
        self._came += len(piece)
        if self._came > self._limit:
            self._fault = self._fault or OversizeError(self._limit, self._by)
        if self._fault is None:
            try:
                unpacked = self._unpacked(piece)
                self.size += len(unpacked)
                self._write(unpacked)
            except BadBodyError as fault:
                self._fault = fault
        return self._fault is None

    @property
    def is_packed(self) -> bool:
        """Whether its own coding marks where it ends."""
        return self._unpacker is not None

    def check(self) -> None:
        """Refuse what can't be taken, once the last piece was taken. An answer without a body can name a coding.

        :raises BadBodyError: when it is too large, packed in another way, or damaged
        """
        if self._came and self._fault:
            raise self._fault
        if self._came and self._unpacker and not self._unpacker.eof:
            raise BadBodyError("its packed body ends too early", is_final=False)

    def whole(self) -> bytes:
        """The body that was put into memory, once the last piece was taken and passed :meth:`check`."""
        self.check()
        return self._bytes.getvalue()

    def _unpacked(self, piece: bytes) -> bytes:
        if self._unpacker is None:
            return piece
        room = self._limit - self.size
        try:
            unpacked = self._unpacker.decompress(piece, room + 1)  # zero would mean no limit
        except zlib.error:
            raise BadBodyError("its packed body is damaged", is_final=False) from None
        if len(unpacked) > room:
            raise OversizeError(self._limit, self._by)
        if self._unpacker.unused_data:
            raise BadBodyError("something comes after the end of its packed body", is_final=False)
        return unpacked


@dataclass(frozen=True)
class Received:
    """An answer whose last byte has come. Its headers are found without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: Body
