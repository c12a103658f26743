"""The virtual clock: it can run faster than time, stand still, be moved on and be put back."""

from __future__ import annotations

import time

from airflow_provider_nexus.sandbox.stamps import SECOND


class Clock:
    """Virtual time in microseconds.

    :param start: where it starts
    :param speed: virtual seconds per real second; 0 stands still
    """

    def __init__(self, start: int, speed: float) -> None:
        self.start = start
        self.restart(speed)

    @property
    def now(self) -> int:
        """The virtual time; it never goes back but by :meth:`restart`."""
        elapsed = (time.monotonic_ns() - self._real) // 1000 if self._speed else 0
        return self._virtual + int(elapsed * self._speed)

    def advance(self, seconds: float) -> None:
        """Move on by virtual seconds."""
        self._virtual += round(seconds * SECOND)

    def change_speed(self, speed: float) -> None:
        """Go on from now at another speed."""
        self._virtual, self._real = self.now, time.monotonic_ns()
        self._speed = speed

    def restart(self, speed: float) -> None:
        """Back to the start."""
        self._virtual, self._real, self._speed = self.start, time.monotonic_ns(), speed
