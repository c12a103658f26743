"""Codes and ids of records. Each can be turned back into the row that it belongs to, so none has to be stored."""

from __future__ import annotations

import re

WRITTEN = 1 << 40
"""Rows from here on were written over the API; those below come from the seed."""

_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = _ALNUM[10:]
_PAIRS = tuple(first + second for first in _ALNUM for second in _ALNUM)
_TAIL = 26 * 36 * 36
_ROOM = 26 * 26 * _TAIL
_STEP = 9_999_991
_BACK = pow(_STEP, -1, _ROOM)
_ACCOUNT_ROOM = 36**7
_ACCOUNT_STEP = 48_271_000_003
_ACCOUNT_BACK = pow(_ACCOUNT_STEP, -1, _ACCOUNT_ROOM)
_FLIP = 0x5BD1E995
_SPREAD = 0x9E3779B97F4A7C15F39CC0605CEDC835


def _wrap(row: int, room: int) -> int:
    return row if row < WRITTEN else room - 1 - (row - WRITTEN)


def _unwrap(number: int, room: int) -> int:
    return number if number < room - room // 16 else WRITTEN + room - 1 - number


def transaction(row: int, stamp: str) -> str:
    """Two letters, 14 digits of a time stamp, a letter, two alphanumerics; unique for 21 million rows."""
    head, tail = divmod(_wrap(row, _ROOM) * _STEP % _ROOM, _TAIL)
    letter, rest = divmod(tail, 1296)
    return f"{_LETTERS[head // 26]}{_LETTERS[head % 26]}{stamp}{_LETTERS[letter]}{_ALNUM[rest // 36]}{_ALNUM[rest % 36]}"


def transaction_row(code: str) -> int | None:
    """The row that a transaction code can belong to; the caller compares the time stamp."""
    if re.fullmatch(r"[A-Z]{2}\d{14}[A-Z][A-Z0-9]{2}", code) is None:
        return None
    head = _LETTERS.index(code[0]) * 26 + _LETTERS.index(code[1])
    tail = _LETTERS.index(code[16]) * 1296 + _ALNUM.index(code[17]) * 36 + _ALNUM.index(code[18])
    return _unwrap((head * _TAIL + tail) * _BACK % _ROOM, _ROOM)


def account(row: int) -> str:
    """Eight characters, the first an A."""
    head, tail = divmod(_wrap(row, _ACCOUNT_ROOM) * _ACCOUNT_STEP % _ACCOUNT_ROOM, 1296 * 1296)
    first, second = divmod(head, 1296)
    return f"A{_ALNUM[first]}{_PAIRS[second]}{_PAIRS[tail // 1296]}{_PAIRS[tail % 1296]}"


def account_row(code: str) -> int | None:
    """The row that an account code can belong to."""
    if re.fullmatch(r"A[0-9A-Z]{7}", code) is None:
        return None
    number = sum(_ALNUM.index(char) * 36 ** (6 - place) for place, char in enumerate(code[1:]))
    return _unwrap(number * _ACCOUNT_BACK % _ACCOUNT_ROOM, _ACCOUNT_ROOM)


def serial(prefix: str, row: int, stamp: str) -> str:
    """A prefix, a time stamp and a number, as in ``ORD-BTC20260102030405-00012A``."""
    return f"{prefix}{stamp}-{_wrap(row, 16**8):08X}"


def serial_row(code: str) -> int | None:
    """The row that such a code can belong to."""
    number = code.rpartition("-")[2]
    return _unwrap(int(number, 16), 16**8) if re.fullmatch(r"[0-9A-F]{8}", number) else None


def guid(row: int, salt: int) -> str:
    """A guid; its first eight digits are the row."""
    tail = f"{salt * _SPREAD & (1 << 96) - 1:024x}"
    return f"{_wrap(row, 16**8) ^ _FLIP:08x}-{tail[:4]}-4{tail[4:7]}-8{tail[7:10]}-{tail[10:22]}"


def guid_row(code: str) -> int | None:
    """The row that a guid can belong to."""
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", code) is None:
        return None
    return _unwrap(int(code[:8], 16) ^ _FLIP, 16**8)
