"""What one proved reading brought, on its way into a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.checkpoint import PartKeeper
from airflow_provider_nexus.extract.origin import Facts, Feed, Origin, Scope
from airflow_provider_nexus.extract.proof import Proof
from airflow_provider_nexus.extract.spool import WindowSink
from airflow_provider_nexus.extract.window import Window


@dataclass
class Extracted:
    """The records of one reading, and all that is known of how they were read.

    :param feed: why they were read
    :param window: what was asked for; ``None`` when it was no window
    :param label: names the reading; the same for a rerun of the same window
    :param origin: what each row says of where it comes from
    :param sink: holds the records and what they add up to
    :param scope: what the records are the whole of; ``None`` when they are no more than themselves
    :param facts: where and how it was read
    :param keeper: holds what another try would go on from, until the extracted is stored
    """

    resource: Resource
    feed: Feed
    window: Window | None
    label: str
    origin: Origin
    proof: Proof
    sink: WindowSink
    scope: Scope | None
    facts: Facts
    keeper: PartKeeper | None = None

    def rows(self) -> Iterator[Row]:
        """The records, in order, one at a time."""
        return self.sink.rows()

    def close(self) -> None:
        """Give the disk back."""
        self.sink.writer.close()
