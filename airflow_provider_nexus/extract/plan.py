"""Planner: cuts a long window into several of about as many records each, to be read side by side.

Only totals are asked for, with a page of one record: the span with the most records is halved again and again until the
pieces are small, and neighbours are put together. A plan is an estimate, since totals can be wrong and records arrive; what
is read is proved window by window, whatever was planned.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.request import SETTLE_LAG
from airflow_provider_nexus.extract.source import PAGE_SIZE, Source
from airflow_provider_nexus.extract.window import BEGINNING, RequestedWindow, Window, server_now, settle

_PIECES_OF_A_WINDOW = 4
_CALLS_OF_A_WINDOW = 16
_CALLS_AT_LEAST = 8
_TOLERANCE = 0.15
"""Share of a window by which it may be smaller or larger for the sake of a rounder end."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

CountBetween = Callable[[datetime, datetime], int | None]
"""How many records lie between two moments; ``None`` when that is not known."""


@dataclass(frozen=True)
class PlannedWindow(Window):
    """A window of a plan.

    :param records: about how many records lie in it; ``None`` when the server does not count
    """

    how: str = field(default="plan", kw_only=True)
    records: int | None = None


def plan(
    client: NexusClient,
    resource: Resource,
    wanted: RequestedWindow,
    max_windows: int,
    *,
    settle_lag: timedelta = SETTLE_LAG,
    follow: Follow = unheard,
) -> list[PlannedWindow]:
    """Windows that lie end to end and cover what is wanted, with about as many records each.

    An end that is open or in the future is cut to the server's clock minus the lag. There are fewer windows than allowed when
    there are few records: each has at least a page of them, unless it is the only one. Ends are midnights where that makes the
    windows about equal, else full hours, else seconds. Of a server that does not count, the windows are equally long.

    :param settle_lag: how old a record must be to be sure to be visible
    :param follow: called with the number of counts; nobody knows how many it will be
    :return: the windows, oldest first; none when nothing is settled yet
    :raises NexusConfigurationError: when the resource has no windows, or none are allowed
    :raises NexusWindowError: when it ends before it starts, or the server's answers have no time
    :raises NexusApiError: one class per cause
    """
    refuse_unwindowed(resource)
    if max_windows < 1:
        raise NexusConfigurationError(f"max_windows is {max_windows}: allow at least one window")
    source = Source(client, resource)
    window, _ = settle(wanted, server_now(client, resource), settle_lag)
    steps = Steps(None, follow)

    def count(start: datetime, end: datetime) -> int | None:
        counted = source.count(start, end)
        steps.add()
        return counted

    return divide(count, window.start, window.end, max_windows) if window else []


def refuse_unwindowed(resource: Resource) -> None:
    """Refuse a resource that can't be cut into windows, by a ``NexusConfigurationError``."""
    if not resource.is_windowed:
        raise NexusConfigurationError(f"{resource.name} has no windows: Nexus gives only its current state. Read it whole")


def divide(count: CountBetween, start: datetime, end: datetime, max_windows: int) -> list[PlannedWindow]:
    """A span divided as :func:`plan` does, whoever counts.

    :param count: asked at most sixteen times per window and eight times more
    """
    total = count(start, end)
    if total is None:
        return [PlannedWindow(*ends) for ends in pairwise(Window(start, end).edges(max_windows))]
    whole, number = PlannedWindow(start, end, total), min(max_windows, total // PAGE_SIZE)
    calls = _CALLS_OF_A_WINDOW * max_windows + _CALLS_AT_LEAST - 1
    return [whole] if number <= 1 else _merge(_split(count, whole, total / number, calls), number)


def _split(count: CountBetween, whole: PlannedWindow, size: float, calls: int) -> list[PlannedWindow]:
    """Pieces that are a quarter of a window at most, as far as seconds and calls go."""
    done: list[PlannedWindow] = []
    heap = [(-(whole.records or 0), whole.start, whole)]
    while heap and calls > 0 and -heap[0][0] > size / _PIECES_OF_A_WINDOW:
        *_, piece = heapq.heappop(heap)
        if piece.seconds <= 1:
            done.append(piece)
            continue
        calls -= 1
        for half in _halves(count, piece):
            heapq.heappush(heap, (-(half.records or 0), half.start, half))
    return sorted([*done, *(piece for *_, piece in heap)], key=lambda piece: piece.start)


def _halves(count: CountBetween, piece: PlannedWindow) -> tuple[PlannedWindow, PlannedWindow]:
    """Only the first half is asked for, so that no record counts twice, whatever the server does at the bounds."""
    middle, records = _middle(piece.start, piece.end), piece.records or 0
    counted = count(piece.start, middle)
    first = min(records, records // 2 if counted is None else counted)
    return PlannedWindow(piece.start, middle, first), PlannedWindow(middle, piece.end, records - first)


def _merge(pieces: Sequence[PlannedWindow], number: int) -> list[PlannedWindow]:
    """Neighbours put together into about equal windows."""
    sums = [0, *accumulate(piece.records or 0 for piece in pieces)]
    ends = [pieces[0].start, *(piece.end for piece in pieces)]
    cuts = [0]
    for count in range(1, number):
        places = [place for place, records in enumerate(sums) if sums[cuts[-1]] + PAGE_SIZE <= records <= sums[-1] - PAGE_SIZE]
        if places:
            cuts.append(_best(places, sums, ends, count / number, _TOLERANCE / number))
    cuts.append(len(pieces))
    return [PlannedWindow(ends[a], ends[b], sums[b] - sums[a]) for a, b in pairwise(cuts)]


def _best(places: Sequence[int], sums: Sequence[int], ends: Sequence[datetime], share: float, tolerance: float) -> int:
    """Of the places whose share of the records is about right the one with the roundest end; if none is, the nearest."""

    def badness(place: int) -> tuple[float, int, float]:
        miss = abs(sums[place] / sums[-1] - share)
        roughness = sum(bool((ends[place] - BEGINNING) % unit) for unit in (_DAY, _HOUR))
        return max(miss, tolerance), roughness, miss

    return min(places, key=badness)


def _middle(start: datetime, end: datetime) -> datetime:
    """About half way: a midnight if one lies between, else a full hour, else a whole second."""
    half = start + (end - start) / 2
    for unit in (_DAY, _HOUR, SECOND):
        nearest = BEGINNING + round((half - BEGINNING) / unit) * unit
        if start < nearest < end:
            return nearest
    return start + SECOND
