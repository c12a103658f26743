"""Timelines: when each row was made, as a closed form of its number, and back. No row is looked at to find those of a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from airflow_provider_nexus.sandbox.chance import salt_of, scatter, share
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, SECOND


class Timeline(ABC):
    """Rows numbered from 0 in order of their stamps, in microseconds."""

    @abstractmethod
    def stamp(self, row: int) -> int:
        """When the row was made."""

    @abstractmethod
    def first(self, moment: int) -> int:
        """The first row that is not before the moment, which is also the number of rows before it."""

    def origin(self, row: int) -> int:
        """The row of the timeline beneath that this one comes from; itself on a timeline of its own."""
        return row


class Ticks(Timeline):
    """Evenly spread rows, each but the first a bit off its place: ``count`` up to ``end``, then on, ``gap_after`` apart.

    :param salt: for the bits that each row is off
    :param start: start of the span, in microseconds
    :param end: end of the span
    :param count: rows in the span
    :param gap_after: microseconds between rows after the span; 0 for no more rows
    :param tie: stamps are cut to multiples of this, counted from ``start``; 0 for no cut
    """

    def __init__(self, salt: int, start: int, end: int, count: int, gap_after: int, tie: int) -> None:
        self._salt, self._start, self._end, self._count, self._tie = salt, start, end, count, tie
        self._span = end - start
        self._gap = self._span // count if count else 1
        self._gap_after = gap_after

    def _raw(self, row: int) -> int:
        if row < self._count:
            if not row:
                return self._start
            return self._start + row * self._span // self._count + scatter(self._salt, row) % self._gap
        return self._end + (row - self._count) * self._gap_after + 1 + scatter(self._salt, row) % self._gap_after

    def stamp(self, row: int) -> int:
        """When the row was made. Ties are cut downwards in the span and upwards after it, so that no row is seen early."""
        raw = self._raw(row)
        if not self._tie:
            return raw
        off = (raw - self._start) % self._tie
        return raw - off if row < self._count or not off else raw - off + self._tie

    def first(self, moment: int) -> int:
        """The first row that is not before the moment."""
        row = self._first_of_span(moment)
        if row < self._count or not self._gap_after:
            return row
        if self._tie:
            moment = moment - 1 - (moment - 1 - self._start) % self._tie + 1
        if moment <= self._end:
            return self._count
        return self._settle(moment, self._count + (moment - self._end) // self._gap_after, None)

    def _first_of_span(self, moment: int) -> int:
        if self._tie:
            moment = self._start - (self._start - moment) // self._tie * self._tie
        if moment <= self._start or not self._count:
            return 0
        guess = (moment - self._start) * self._count // self._span
        return self._settle(moment, min(guess, self._count), self._count)

    def _settle(self, moment: int, guess: int, limit: int | None) -> int:
        floor = 0 if limit is not None else self._count
        while guess > floor and self._raw(guess - 1) >= moment:
            guess -= 1
        while (limit is None or guess < limit) and self._raw(guess) < moment:
            guess += 1
        return guess


class Twins(Timeline):
    """A timeline on which every tenth row has the stamp of the one before: both ends of a send or swap.

    :param lone: a row with its own stamp: the first one after the span, which must not be seen in it
    """

    def __init__(self, base: Timeline, lone: int) -> None:
        self._base, self._lone = base, lone

    def _is_twin(self, row: int) -> bool:
        return row % 10 == 5 and row != self._lone

    def stamp(self, row: int) -> int:
        """When the row was made."""
        return self._base.stamp(row - 1 if self._is_twin(row) else row)

    def first(self, moment: int) -> int:
        """The first row that is not before the moment."""
        row = self._base.first(moment)
        return row + 1 if self._is_twin(row) else row


class Derived(Timeline):
    """Rows that each come from a row of another timeline, and share its stamp.

    :param base: the other timeline
    :param origin: row here to row there; never falls
    :param below: how many rows here come from the first so many there
    """

    def __init__(self, base: Timeline, origin: Callable[[int], int], below: Callable[[int], int]) -> None:
        self._base, self._origin, self._below = base, origin, below

    def origin(self, row: int) -> int:
        """The row of the other timeline."""
        return self._origin(row)

    def stamp(self, row: int) -> int:
        """When the row was made."""
        return self._base.stamp(self._origin(row))

    def first(self, moment: int) -> int:
        """The first row that is not before the moment."""
        return self._below(self._base.first(moment))


def every(base: Timeline, stride: int, offset: int) -> Derived:
    """One row for every ``stride`` rows of another timeline."""
    return Derived(base, lambda row: row * stride + offset, lambda count: max(0, -(-(count - offset) // stride)))


def several(base: Timeline, each: int) -> Derived:
    """``each`` rows for every row of another timeline."""
    return Derived(base, lambda row: row // each, lambda count: count * each)


def spread(settings: SandboxSettings, kind: str, count: int, end: int) -> Ticks:
    """The timeline of customers or transactions that the settings ask for."""
    salt = salt_of(settings.seed, f"{kind}-ticks")
    span = settings.days * DAY
    return Ticks(salt, end - span, end, count, _gap_after(settings, count, span), settings.tie_seconds * SECOND)


def _gap_after(settings: SandboxSettings, count: int, span: int) -> int:
    if settings.arrivals_per_hour is None or not settings.transactions:
        per_hour = settings.arrivals_per_hour if settings.arrivals_per_hour is not None else count * HOUR / span
    else:
        per_hour = settings.arrivals_per_hour * count / settings.transactions
    return max(1, round(HOUR / per_hour)) if per_hour else 0


class Presence:
    """Which rows of a timeline can't be seen at a moment: not visible yet, or deleted.

    :param anchor: the moment that ``while_reading`` and deletions count from
    """

    def __init__(self, settings: SandboxSettings, kind: str, timeline: Timeline, anchor: int) -> None:
        self._settings, self._timeline, self._anchor = settings, timeline, anchor
        self._salt = salt_of(settings.seed, f"{kind}-presence")
        self._odd: list[tuple[int, int, int | None]] = []
        self._looked_at = 0

    @property
    def is_plain(self) -> bool:
        """Whether every row is there from its stamp on."""
        return not (self._settings.late_share or self._settings.delete_share)

    def hidden(self, low: int, high: int, at: int) -> set[int]:
        """The rows in ``[low, high)`` that can't be seen."""
        if self.is_plain:
            return set()
        self._look(high)
        return {row for row, since, until in self._odd if low <= row < high and not since <= at < (until or at + 1)}

    def _look(self, high: int) -> None:
        for row in range(self._looked_at, high):
            since, until = self._life(row)
            if since is not None or until is not None:
                self._odd.append((row, since or 0, until))
        self._looked_at = max(self._looked_at, high)

    def _life(self, row: int) -> tuple[int | None, int | None]:
        bits = scatter(self._salt, row)
        settings = self._settings
        since = until = None
        if share(bits) < settings.late_share:
            start = self._timeline.stamp(row) if settings.late_mode == "after_created" else self._anchor
            since = start + int(share(scatter(self._salt + 1, row)) * settings.late_seconds * SECOND)
        if share(bits >> 32) < settings.delete_share:
            start = max(self._anchor, self._timeline.stamp(row))
            until = start + int(share(scatter(self._salt + 2, row)) * settings.delete_seconds * SECOND)
        return since, until
