"""A proved reading: its records, and all that is known of how they were read."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.extract.checkpoint import Checkpoints
from airflow_provider_nexus.extract.origin import Facts, Feed, Origin
from airflow_provider_nexus.extract.proof import Proof
from airflow_provider_nexus.extract.spool import RecordSpool
from airflow_provider_nexus.extract.window import Window


@dataclass
class Extracted:
    """The records of one reading, and all that is known of how they were read.

    :param feed: why they were read
    :param window: what was asked for; ``None`` when it was no window
    :param label: names the reading; the same for a rerun of the same window
    :param origin: where each row comes from
    :param spool: its records
    :param scope: what the records are the whole of; ``None`` when they are no more than themselves
    :param facts: where and how it was read
    :param checkpoints: what another try would go on from, until the reading is stored
    """

    resource: Resource
    feed: Feed
    window: Window | None
    label: str
    origin: Origin
    proof: Proof
    spool: RecordSpool
    scope: Window | None
    facts: Facts
    checkpoints: Checkpoints | None = None
