"""Where a copy and Nexus differ, found by totals: counts and exact sums, asked for ever smaller windows.

A window whose totals agree needs no further look. One that differs is halved, until what is left is less than a page. Nexus
is always asked from the beginning up to where a window is halved, and what lies between two such answers is their difference:
so two halves add up to the whole however bounds are understood, and each takes one call. A change of no count
and no sum can't be seen. The calls are limited: see :data:`MOST_CALLS`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.extractor import ask_totals
from airflow_provider_nexus.extract.totals import Totals, totals_of
from airflow_provider_nexus.extract.window import BEGINNING, Window, joined

MOST_CALLS = 1_000
"""Calls of one comparison, but for one or two for each window that is asked about. To find one difference takes about fifty; a
server whose totals are others at each call would be asked for every second of all years."""
_NEAR = 8
"""Seconds to each side of a middle in which an empty one is looked for."""


class Counted(Protocol):
    """What can be compared with Nexus."""

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a window, as they are stored."""


class Comparison:
    """Compares a copy with Nexus.

    :param resource: one with a totals endpoint
    :param enough: a window with as many records need not be halved
    """

    def __init__(self, client: NexusClient, resource: Resource, copy: Counted, enough: int) -> None:
        self._client, self._resource, self._copy, self._enough = client, resource, copy, enough
        self.calls = 0

    def differences(self, window: Window) -> list[Window] | None:
        """The windows that differ, in order, those that meet joined; ``None`` when the server has no totals of a window."""
        found: list[Window] = []
        for flag in (None, True) if self._resource.totals_flag else (None,):
            theirs = self._ask(window, flag)
            if theirs is None:
                return None
            differing = not self._agree(window, flag, self._copy.totals(window.start, window.end), theirs)
            if differing and self._takes_no_notice():
                return None
            found += self._differing(window, window, flag, Totals(), theirs) if differing else []
        # A record may be counted with the window beside the one that shows its stamp.
        wider = (Window(max(window.start, each.start - SECOND), min(window.end, each.end + SECOND)) for each in found)
        return list(joined(wider))

    def _differing(self, whole: Window, window: Window, flag: bool | None, before: Totals, theirs: Totals) -> list[Window]:
        """The parts of a window that differ, given the totals that Nexus has of the whole up to it, and of itself."""
        stored = self._copy.totals(window.start, window.end)
        if self._agree(window, flag, stored, theirs):
            return []
        most = max(sum(stored.counts.values()), sum(theirs.counts.values()))
        if most <= self._enough or window.seconds <= 1 or self.is_cut:
            return [window]
        middle = self._middle(window)
        first, second = Window(window.start, middle), Window(middle, window.end)
        until = self._ask(Window(whole.start, first.end), flag)
        if until is None:
            return [window]
        part = until.less(before)
        found = self._differing(whole, first, flag, before, part)
        found += self._differing(whole, second, flag, until, theirs.less(part))
        # Each half may agree by another way to understand bounds: what differs lies where they meet then.
        return found or [Window(second.start, second.start + SECOND)]

    @property
    def is_cut(self) -> bool:
        """Whether as many calls were made as may be: what differs is halved no further then, and named as large as it is."""
        return self.calls >= MOST_CALLS

    def _takes_no_notice(self) -> bool:
        """Whether the totals are the same whatever the bounds: then they show that something differs, and not where."""
        nothing = self._ask(Window(BEGINNING, BEGINNING + SECOND), None)
        return nothing is None or any(nothing.counts.values())

    def _middle(self, window: Window) -> datetime:
        """Where to halve: in a second of which the copy has nothing, if one is near, as bounds don't matter there."""
        middle = window.seconds // 2
        near = range(max(1, middle - _NEAR), min(window.seconds, middle + _NEAR + 1))
        for second in sorted(near, key=lambda each: abs(each - middle)):
            moment = window.start + second * SECOND
            if not self._copy.totals(moment, moment + SECOND).counts:
                return moment
        return window.start + middle * SECOND

    def _agree(self, window: Window, flag: bool | None, stored: Totals, theirs: Totals) -> bool:
        """Whether the totals are equal under one of the ways in which a server can understand bounds.

        Whether a bound is included is not documented, so each end may or may not include the records of its second.
        """
        mine = stored.cut(flag)
        if mine.same_as(theirs):
            return True
        first = self._copy.totals(window.start, window.start + SECOND).cut(flag)
        after = self._copy.totals(window.end, window.end + SECOND).cut(flag)
        others = (mine.less(first), mine.plus(after), mine.less(first).plus(after)) if first.counts or after.counts else ()
        return any(other.same_as(theirs) for other in others)

    def _ask(self, window: Window, flag: bool | None) -> Totals | None:
        self.calls += 1
        answer = ask_totals(self._client, self._resource, window.start, window.end, flag)
        return None if answer is None else totals_of(answer, self._resource.totals_fields)
