"""Asks Nexus for counts and totals, and says where they differ from what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.sync.compare import Comparison, Counted
from airflow_provider_nexus.sync.source import PAGE_SIZE, Source, Span
from airflow_provider_nexus.sync.verify.report import Findings
from airflow_provider_nexus.sync.window import Window


@dataclass(frozen=True)
class Stored:
    """A window as it is stored.

    :param where: folder, or table and window
    :param records: those that are stored
    :param rejected: those that were put aside
    :param outside: those around its edges that were counted when it was read, and are not in it
    """

    where: str
    window: Window
    records: int
    rejected: int
    outside: int


class Asked:
    """Compares windows of one resource.

    :param client: asks Nexus
    :param findings: told of what differs
    """

    def __init__(self, client: NexusClient, resource: Resource, findings: Findings) -> None:
        self._client, self._resource, self._findings = client, resource, findings
        self._source = Source(client, resource)

    def totals(self, held: Counted, start: datetime, end: datetime, windows: list[Stored]) -> bool:
        """Compare counts and exact sums of a span, and find the parts of it that differ.

        :param held: what is stored
        :param windows: that the span is made of
        :return: whether the server offers totals
        """
        comparison = Comparison(self._client, self._resource, held, PAGE_SIZE // 2)
        spans = comparison.differences(Span(start, end))
        for span in spans or ():
            names = [each.where for each in windows if each.window.start < span.end and span.start < each.window.end]
            text = f"counts or sums of {to_wire(span.start)} to {to_wire(span.end)} are others in Nexus now: sync it again"
            self._findings.problem(", ".join(names), text)
        if comparison.is_cut:
            text = f"totals took {comparison.calls:,} calls, and no more are made: of a span that is named only a part may differ"
            self._findings.note(self._resource.name, text)
        return spans is not None

    def count(self, stored: Stored) -> None:
        """Compare the number of records of a window.

        It is asked for as it was when the window was read, one second wider at each end, and so is what lay there.
        """
        theirs = self._source.count(Span(stored.window.start, stored.window.end))
        if theirs is None:
            self._findings.note(stored.where, "Nexus does not say how many records there are, so it is not compared")
            return
        mine = stored.records + stored.rejected + stored.outside
        if theirs != mine:
            word = f"{theirs - mine:,} more records than it holds" if theirs > mine else f"{mine - theirs:,} records less"
            self._findings.problem(stored.where, f"Nexus has {word} now, {theirs:,} in all: sync this window again")
