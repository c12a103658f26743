"""Where a copy and Nexus differ, found by totals: counts and exact sums, asked for ever smaller spans.

A span whose totals agree needs no further look. One that differs is halved, until what is left is less than a page. Nexus
is always asked from the beginning up to where a span is halved, and what lies between two such answers is their difference:
so two halves add up to the whole however bounds are understood, and each takes one call. A change that leaves every count
and every sum as they were can't be seen. The calls are limited: see :data:`MOST_CALLS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.extractor import ask_totals
from airflow_provider_nexus.extract.source import Span
from airflow_provider_nexus.extract.totals import Totals, said
from airflow_provider_nexus.extract.window import BEGINNING

MOST_CALLS = 1_000
"""Calls of one comparison, but for one or two for each span that is asked about. To find one difference takes about fifty; a
server whose totals are others at each call would be asked for every second of all years."""
_NEAR = 8
"""Seconds to each side of a middle in which an empty one is looked for."""


class Counted(Protocol):
    """What can be compared with Nexus."""

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as they are held."""


class Comparison:
    """Compares a copy with Nexus.

    :param client: asks Nexus
    :param resource: one with a totals endpoint
    :param copy: what is compared
    :param enough: a span with as many records need not be halved
    """

    def __init__(self, client: NexusClient, resource: Resource, copy: Counted, enough: int) -> None:
        self._client, self._resource, self._copy, self._enough = client, resource, copy, enough
        self.calls = 0

    def differences(self, span: Span) -> list[Span] | None:
        """The spans that differ, in order, those that meet joined; ``None`` when the server has no totals of a span."""
        found: list[Span] = []
        for flag in (None, True) if self._resource.totals_flag else (None,):
            theirs = self._said(span, flag)
            if theirs is None:
                return None
            differing = not self._agree(span, flag, self._copy.totals(span.start, span.end), theirs)
            if differing and self._takes_no_notice():
                return None
            found += self._differing(span, span, flag, Totals(), theirs) if differing else []
        # A record may be counted with the span beside the one that shows its stamp.
        wider = (Span(max(span.start, each.start - SECOND), min(span.end, each.end + SECOND)) for each in found)
        return list(joined(sorted(wider, key=lambda each: each.start)))

    def _differing(self, whole: Span, span: Span, flag: bool | None, before: Totals, theirs: Totals) -> list[Span]:
        """The parts of a span that differ.

        :param before: what Nexus says of the whole up to the span
        :param theirs: and of the span
        """
        held = self._copy.totals(span.start, span.end)
        if self._agree(span, flag, held, theirs):
            return []
        most = max(sum(held.counts.values()), sum(theirs.counts.values()))
        if most <= self._enough or span.seconds <= 1 or self.is_cut:
            return [span]
        middle = self._middle(span)
        first, second = Span(span.start, middle), Span(middle, span.end)
        until = self._said(Span(whole.start, first.end), flag)
        if until is None:
            return [span]
        part = until.less(before)
        found = self._differing(whole, first, flag, before, part)
        found += self._differing(whole, second, flag, until, theirs.less(part))
        # Each half may agree by another way to understand bounds: what differs lies where they meet then.
        return found or [Span(second.start, second.start + SECOND)]

    @property
    def is_cut(self) -> bool:
        """Whether as many calls were made as may be: what differs is halved no further then, and named as large as it is."""
        return self.calls >= MOST_CALLS

    def _takes_no_notice(self) -> bool:
        """Whether the totals are the same whatever the bounds: then they tell that something differs, and not where."""
        nothing = self._said(Span(BEGINNING, BEGINNING + SECOND), None)
        return nothing is None or any(nothing.counts.values())

    def _middle(self, span: Span) -> datetime:
        """Where to halve: in a second of which the copy holds nothing, if one is near, as bounds don't matter there."""
        middle = span.seconds // 2
        near = range(max(1, middle - _NEAR), min(span.seconds, middle + _NEAR + 1))
        for second in sorted(near, key=lambda each: abs(each - middle)):
            moment = span.start + second * SECOND
            if not self._copy.totals(moment, moment + SECOND).counts:
                return moment
        return span.start + middle * SECOND

    def _agree(self, span: Span, flag: bool | None, held: Totals, theirs: Totals) -> bool:
        """Whether the totals are equal under one of the ways in which a server can understand bounds.

        Whether a bound is included is not documented, so each end may or may not hold the records of its second.
        """
        if held.cut(flag).same_as(theirs):
            return True
        first = self._copy.totals(span.start, span.start + SECOND).cut(flag)
        after = self._copy.totals(span.end, span.end + SECOND).cut(flag)
        mine = held.cut(flag)
        others = (mine.less(first), mine.plus(after), mine.less(first).plus(after)) if first.counts or after.counts else ()
        return any(other.same_as(theirs) for other in others)

    def _said(self, span: Span, flag: bool | None) -> Totals | None:
        self.calls += 1
        answer = ask_totals(self._client, self._resource, span.start, span.end, flag)
        return None if answer is None else said(answer, self._resource.totals_fields)


def joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Spans in order of their start, those that meet made one."""
    held: Span | None = None
    for span in spans:
        if held and span.start <= held.end:
            held = Span(held.start, max(held.end, span.end))
            continue
        if held:
            yield held
        held = span
    if held:
        yield held
