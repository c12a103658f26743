"""One reading on its way into a copy: what is done with each record, and all that is known of how they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.checkpoint import Checkpoints
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.origin import Facts, Feed, Origin, label_of
from airflow_provider_nexus.extract.progress import Progress
from airflow_provider_nexus.extract.proof import Proof, ProvedReading
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import ALL_TIME, Window

_LOOKED_AT = 100
"""Of so many records the fields of one are looked at."""


class Intake:
    """Takes the records of a reading in, before anything else sees them.

    :param looks_at_all: whether the fields of every record are looked at; by default those of one in a hundred, and of the first
        of each batch
    """

    def __init__(self, resource: Resource, progress: Progress, protector: Protector, *, looks_at_all: bool = False) -> None:
        self._resource, self.progress, self._protector, self._looks_at_all = resource, progress, protector, looks_at_all
        self.fields = FieldWatch(resource)

    def begin(self) -> None:
        """The records come from the first one on."""
        self.progress.restart()
        self.fields = FieldWatch(self._resource)

    def take(self, rows: list[Row]) -> list[Row]:
        """Rows as they may be stored."""
        for row in rows if self._looks_at_all else rows[::_LOOKED_AT]:
            self.fields.look(row.raw)
        self.progress.add(len(rows))
        return rows if self._protector.is_idle else [self._protector.row(row) for row in rows]


@dataclass
class Extracted:
    """A reading. Nothing is read before its batches are asked for.

    :param window: what is asked for; ``None`` when it is no window
    :param began_at: the server's time when it began
    :param intake: what the records pass
    :param describe: where and how it was read, when it was
    :param checkpoints: what another try would go on from, until the reading is stored
    """

    resource: Resource
    feed: Feed
    window: Window | None
    request: SyncRequest
    began_at: datetime
    records: ProvedReading
    intake: Intake
    describe: Callable[[], Facts]
    log: Log
    checkpoints: Checkpoints | None = None

    facts: Facts = field(init=False)
    """Where and how it was read; known when all batches were given."""

    def batches(self) -> Generator[list[Row]]:
        """The records, read while they are asked for. At the end :meth:`conclude` has to be called.

        :raises ReadAgain: when those given so far are void: this has to be called again
        """
        return self.records.rows(self.intake)

    def conclude(self) -> None:
        """Learn where and how it was read, when all batches were given.

        :raises NexusUnprovedError: when the records can't be proved complete and the request is strict
        """
        self.facts = self.describe()
        if self.proof.is_complete:
            return
        span = f" from {to_wire(self.window.start)} to {to_wire(self.window.end)}" if self.window else ""
        text = f"{self.resource.name}{span} can't be proved complete: {'; '.join(self.proof.reasons)}"
        if self.request.strict:
            raise NexusUnprovedError(f"{text}. Nothing was published; run it again", self.proof.reasons)
        self.log.warning("%s. It is published as unproved", text)

    @property
    def proof(self) -> Proof:
        """That the records are complete; known when all batches were given."""
        return self.records.proof

    @property
    def fields(self) -> FieldWatch:
        """The fields that were seen so far."""
        return self.intake.fields

    @property
    def origin(self) -> Origin:
        """Where each row comes from; known from the first batch on."""
        read_at = self.checkpoints.read_at if self.checkpoints else self.began_at
        return Origin(read_at, f"{self.feed} {self.window.label}" if self.window else self.feed)

    @property
    def label(self) -> str:
        """Names the reading; the same for a rerun of the same window."""
        label = label_of(self.feed, self.window, self.origin.read_at)
        if self.request.parents is None:
            return label
        # no snapshot of all, and tasks that each read some may do so in one second
        return f"{label}-of-{hashlib.sha256(repr(sorted(self.request.parents)).encode()).hexdigest()[:12]}"

    @property
    def scope(self) -> Window | None:
        """What the records are the whole of; ``None`` when they are no more than themselves.

        A strict request ends in an error when they are not the whole; for another one it is known when all batches were given.
        """
        is_part = self.feed in ("finished", "open") or self.request.parents is not None
        is_whole = not is_part and (self.request.strict or self.proof.is_complete)
        return (self.window or ALL_TIME) if is_whole else None

    def close(self) -> None:
        """Free the disk."""
        if self.checkpoints:
            self.checkpoints.close()
