"""How far a sync is, said every few seconds in the task's log."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_nexus.client.log import Log


class Progress:
    """Counts records and reports.

    :param what: what is read, for the line
    :param total: records to come; ``None`` while unknown
    :param every: seconds between two lines
    """

    def __init__(
        self,
        what: str,
        log: Log,
        *,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._log, self._every, self._clock = what, log, every, clock
        self._began = self._spoke = clock()
        self.total: int | None = None
        self.records = 0

    def restart(self) -> None:
        """Count from nothing again."""
        self.records = 0

    def add(self, records: int) -> None:
        """Count records, and speak when it is time."""
        self.records += records
        now = self._clock()
        if now - self._spoke >= self._every:
            self._spoke = now
            self._log.info("%s", self.line(now))

    def line(self, now: float) -> str:
        """Records, share of the total, records a second, seconds left."""
        rate = self.records / max(now - self._began, 1e-9)
        if not self.total:
            return f"{self._what}: {self.records:,} records, {rate:,.0f} records/s"
        left = max(self.total - self.records, 0) / max(rate, 1e-9)
        done = f"{self.records:,} of {self.total:,} records ({self.records / self.total:.0%})"
        return f"{self._what}: {done}, {rate:,.0f} records/s, {left:,.0f} s left"
