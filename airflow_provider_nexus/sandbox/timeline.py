"""Timelines: when each row was made, as a closed form of its number, and back. No row is looked at to find those of a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_nexus.sandbox.chance import salt_of, scatter, share
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import DAY, HOUR, SECOND


@dataclass(frozen=True)
class Timeline:
    """Rows numbered from 0 in order of their stamps, in microseconds.

    :param stamp: row -> when it was made
    :param first: moment -> the first row that is not before it, which is also the number of rows before it
    :param origin: row -> the row of the timeline beneath that it comes from; itself on a timeline of its own
    """

    stamp: Callable[[int], int]
    first: Callable[[int], int]
    origin: Callable[[int], int] = lambda row: row


def ticks(salt: int, start: int, end: int, count: int, gap_after: int, tie: int) -> Timeline:
    """Evenly spread rows, each but the first a bit off its place: ``count`` up to ``end``, then on, ``gap_after`` apart.

    :param gap_after: microseconds between rows after the span; 0 for no more rows
    :param tie: stamps are cut to multiples of this, counted from ``start``: downwards in the span and upwards after it, so that
        no row is seen early; 0 for no cut
    """
    span = end - start
    gap = span // count if count else 1

    def raw(row: int) -> int:
        if row < count:
            return start + row * span // count + scatter(salt, row) % gap if row else start
        return end + (row - count) * gap_after + 1 + scatter(salt, row) % gap_after

    def stamp(row: int) -> int:
        moment = raw(row)
        off = (moment - start) % tie if tie else 0
        return moment - off if row < count or not off else moment - off + tie

    def settled(moment: int, guess: int, floor: int, limit: int | None) -> int:
        while guess > floor and raw(guess - 1) >= moment:
            guess -= 1
        while (limit is None or guess < limit) and raw(guess) < moment:
            guess += 1
        return guess

    def first(moment: int) -> int:
        bound = start - (start - moment) // tie * tie if tie else moment
        row = 0
        if bound > start and count:
            row = settled(bound, min((bound - start) * count // span, count), 0, count)
        if row < count or not gap_after:
            return row
        if tie:
            moment = moment - 1 - (moment - 1 - start) % tie + 1
        return count if moment <= end else settled(moment, count + (moment - end) // gap_after, count, None)

    return Timeline(stamp, first)


def twins(base: Timeline, lone: int) -> Timeline:
    """A timeline on which every tenth row has the stamp of the one before: both ends of a send or swap.

    :param lone: a row with its own stamp: the first one after the span, which must not be seen in it
    """

    def is_twin(row: int) -> bool:
        return row % 10 == 5 and row != lone

    def first(moment: int) -> int:
        row = base.first(moment)
        return row + is_twin(row)

    return Timeline(lambda row: base.stamp(row - is_twin(row)), first)


def derived(base: Timeline, origin: Callable[[int], int], below: Callable[[int], int]) -> Timeline:
    """Rows that each come from a row of another timeline, and share its stamp.

    :param origin: row here to row there; never falls
    :param below: how many rows here come from the first so many there
    """
    return Timeline(lambda row: base.stamp(origin(row)), lambda moment: below(base.first(moment)), origin)


def every(base: Timeline, stride: int, offset: int) -> Timeline:
    """One row for every ``stride`` rows of another timeline."""
    return derived(base, lambda row: row * stride + offset, lambda count: max(0, -(-(count - offset) // stride)))


def several(base: Timeline, each: int) -> Timeline:
    """``each`` rows for every row of another timeline."""
    return derived(base, lambda row: row // each, lambda count: count * each)


def spread(settings: SandboxSettings, kind: str, count: int, end: int) -> Timeline:
    """The timeline of customers or transactions that the settings ask for."""
    salt = salt_of(settings.seed, f"{kind}-ticks")
    span = settings.days * DAY
    return ticks(salt, end - span, end, count, _gap_after(settings, count, span), settings.tie_seconds * SECOND)


def _gap_after(settings: SandboxSettings, count: int, span: int) -> int:
    if settings.arrivals_per_hour is None or not settings.transactions:
        per_hour = settings.arrivals_per_hour if settings.arrivals_per_hour is not None else count * HOUR / span
    else:
        per_hour = settings.arrivals_per_hour * count / settings.transactions
    return max(1, round(HOUR / per_hour)) if per_hour else 0


class Presence:
    """Which rows of a timeline can't be seen: not yet, or deleted; ``while_reading`` and deletions count from the anchor."""

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
