"""Moments as whole microseconds since 1970, the forms in which they are sent, and the virtual clock.

See docs/api_facts.rst, Dates.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_MARKS = str.maketrans("", "", "-:T")
_FIRST, _END = 365 * DAY, (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

Form = Callable[[int], str]
"""Writes a moment."""


class Stamp(int):
    """A moment in microseconds among the values of a record. It is sent in the form that the call asks for."""


def stamped(value: Any, form: Form) -> Any:
    """A copy of a value with every :class:`Stamp` in it, however deep, written in a form."""
    kind = type(value)
    if kind is Stamp:
        return form(value)
    if kind is dict:
        return {name: stamped(item, form) for name, item in value.items()}
    return [stamped(item, form) for item in value] if kind is list else value


def to_micros(moment: datetime) -> int:
    """An aware moment in microseconds."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(micros: int) -> datetime:
    """The moment as an aware ``datetime`` in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%dT")


def naive(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss``, the fraction cut."""
    days, rest = divmod(micros // SECOND, 86_400)
    return f"{_day(days)}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def zulu(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ssZ``, what ``request_iso8601: true`` asks for."""
    return naive(micros) + "Z"


def naive_millis(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fff``."""
    return f"{naive(micros)}.{micros // 1000 % 1000:03d}"


def zulu_millis(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fffZ``."""
    return naive_millis(micros) + "Z"


def zulu_ticks(micros: int) -> str:
    """``yyyy-MM-ddTHH:mm:ss.fffffffZ``, .NET's seven digits."""
    return f"{naive(micros)}.{micros % SECOND:06d}0Z"


def compact(micros: int) -> str:
    """``yyyyMMddHHmmss``, as it is in codes."""
    return naive(micros).translate(_NO_MARKS)


def http_date(micros: int) -> str:
    """The ``Date`` header's RFC 1123 form."""
    return format_datetime(to_datetime(micros // SECOND * SECOND), usegmt=True)


class Clock:
    """Virtual time in microseconds from a start on, by virtual seconds per real second; 0 for a clock that does not move."""

    def __init__(self, start: int, speed: float) -> None:
        self.start = start
        self.restart(speed)

    @property
    def now(self) -> int:
        """The virtual time; it never goes back but by :meth:`restart`."""
        elapsed = (time.monotonic_ns() - self._real) // 1000 if self._speed else 0
        return self._virtual + int(elapsed * self._speed)

    def advance(self, seconds: float) -> None:
        """Move on by virtual seconds, or back; ``ValueError`` when that leads out of the years from 1971 to 9998."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not _FIRST <= self.now + seconds * SECOND < _END:
            raise ValueError(f"the clock can't move by {seconds!r}: give seconds that leave it in the years from 1971 to 9998")
        self._virtual += round(seconds * SECOND)

    def change_speed(self, speed: float) -> None:
        """Go on from now at another speed."""
        self._virtual, self._real = self.now, time.monotonic_ns()
        self._speed = speed

    def restart(self, speed: float) -> None:
        """Back to the start."""
        self._virtual, self._real, self._speed = self.start, time.monotonic_ns(), speed
