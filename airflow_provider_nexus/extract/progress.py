"""Progress of long work: reported to whoever follows it, and of a sync every few seconds in the task's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_nexus.client.log import Log, number_of

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.source import Page

Follow = Callable[[int, int | None], object]
"""Called with how much is done, and of how much; the latter is ``None`` while it is not known."""


def unheard(done: int, total: int | None) -> None:
    """For work that nobody follows."""


class Steps:
    """Counts steps of equal weight, and tells at each; ``total`` is ``None`` when it is not known how many there are."""

    def __init__(self, total: int | None, follow: Follow) -> None:
        self._total, self._follow, self._done = total, follow, 0
        follow(0, total)

    def add(self, steps: int = 1) -> None:
        """Steps are done."""
        self._done += steps
        self._follow(self._done, self._total)


class Progress:
    """Counts records and reports.

    :param what: what is read, for the line
    :param every: seconds between two lines
    :ivar total: records to come; ``None`` while unknown
    :ivar pages: answers read
    """

    def __init__(
        self, what: str, log: Log, *, follow: Follow = unheard, every: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what, self._log, self._follow, self._every, self._clock = what, log, follow, every, clock
        self._began = self._spoke = clock()
        self.total: int | None = None
        self.records = self.pages = 0

    def page(self, page: Page) -> None:
        """Count a page, and learn how many records there are."""
        self.pages += 1
        self.total = max(self.total or 0, page.total or 0)

    def restart(self) -> None:
        """Count from nothing again."""
        self.records = 0
        self._follow(0, self.total)

    def add(self, records: int) -> None:
        """Count records, and speak when it is time."""
        self.records += records
        self._follow(self.records, self.total)
        now = self._clock()
        if now - self._spoke >= self._every:
            self._spoke = now
            self._log.info("%s", self.line(now))

    def line(self, now: float) -> str:
        """Records, share of the total, records a second, seconds left."""
        rate = self.records / max(now - self._began, 1e-9)
        if not self.total:
            return f"{self._what}: {number_of(self.records, 'record')}, {rate:,.0f} records/s"
        left = max(self.total - self.records, 0) / max(rate, 1e-9)
        done = f"{self.records:,} of {number_of(self.total, 'record')} ({self.records / self.total:.0%})"
        return f"{self._what}: {done}, {rate:,.0f} records/s, {left:,.0f} s left"
