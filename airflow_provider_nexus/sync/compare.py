"""Where a copy and Nexus differ, found by totals: counts and exact sums, asked for ever smaller spans.

A span whose totals agree needs no further look. One that differs is halved, until what is left is less than a page. Of two
halves one is asked for: the other one's totals are what is left. A change that leaves every count and every sum as they
were can't be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.sync.harvester import ask_totals
from airflow_provider_nexus.sync.source import Span
from airflow_provider_nexus.sync.table.copy import Copy
from airflow_provider_nexus.sync.table.totals import Totals, said


class Comparison:
    """Compares a copy with Nexus.

    :param client: asks Nexus
    :param resource: one with a totals endpoint
    :param copy: what is compared
    :param enough: a span with as many records need not be halved
    """

    def __init__(self, client: NexusClient, resource: Resource, copy: Copy, enough: int) -> None:
        self._client, self._resource, self._copy, self._enough = client, resource, copy, enough
        self.calls = 0

    def differences(self, span: Span) -> list[Span] | None:
        """The spans that differ, in order, those that meet joined; ``None`` when the server does not offer totals."""
        found: list[Span] = []
        for flag in (None, True) if self._resource.totals_flag else (None,):
            theirs = self._said(span, flag)
            if theirs is None:
                return None
            found += self._differing(span, flag, theirs)
        return list(_joined(sorted(found, key=lambda each: each.start)))

    def _differing(self, span: Span, flag: bool | None, theirs: Totals) -> Iterator[Span]:
        held = self._copy.totals(span.start, span.end)
        if self._agree(span, flag, held, theirs):
            return
        most = max(sum(held.counts.values()), sum(theirs.counts.values()))
        if most <= self._enough or span.seconds <= 1:
            yield span
            return
        first, second = _halves(span)
        part = self._said(first, flag)
        if part is None:
            yield span
            return
        yield from self._differing(first, flag, part)
        yield from self._differing(second, flag, theirs.less(part))

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


def _halves(span: Span) -> tuple[Span, Span]:
    middle = span.start + timedelta(seconds=span.seconds // 2)
    return Span(span.start, middle), Span(middle, span.end)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
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
