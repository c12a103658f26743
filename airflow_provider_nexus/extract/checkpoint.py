"""Checkpoints: let a reading go on where an earlier try ended."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.log import Log, number_of
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.jsonl import PART, Part, lines
from airflow_provider_nexus.extract.proved_read import Count
from airflow_provider_nexus.extract.source import second_of
from airflow_provider_nexus.extract.spool import RowSpool
from airflow_provider_nexus.extract.totals import DeliveredTotals

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.extracted import Intake

FOLDER = "_staging"
LIFE = timedelta(days=1)
"""How long after its beginning a reading can be resumed: its oldest records are as they were then."""
_NAME = "checkpoint.json"
_BATCH = 1000


class Checkpoints:
    """Saves how far a reading came, each time that it took as many records as a part has; until then they wait in a spool.

    :param intake: what the records have passed
    :param now: the server's time
    :ivar position: all records before this second are of an earlier try; ``None`` when there is none to go on from
    :ivar read_at: the server's time at which the reading began, be it in an earlier try: its oldest records are as they were then
    """

    def __init__(self, reader: RowReader, intake: Intake, staging: CheckpointFolder, now: datetime, log: Log) -> None:
        self._reader, self._intake, self._staging, self._now, self._log = reader, intake, staging, now, log
        self.position: datetime | None = None
        self.read_at = now
        self._parts: list[tuple[str, str]] = []
        self._waiting: RowSpool | None = None
        self._records = 0

    def resume(self, count: Count, totals: DeliveredTotals | None) -> Iterator[list[Row]]:
        """The rows of an earlier try, if there was one. Its counts are taken into ``count`` and ``totals``."""
        checkpoint = self._staging.load(self._now)
        if checkpoint is None:
            return
        self.position, self.read_at, self._parts = second_of(checkpoint.position), checkpoint.read_at, list(checkpoint.parts)
        records = self._staging.records(checkpoint)
        while raws := list(islice(records, _BATCH)):
            batch = self._reader.page(raws)
            count.keys.extend([row.key for row in batch])
            self._intake.progress.add(len(batch))
            yield batch
        self._intake.fields.restore(checkpoint.fields)
        count.unique, count.outside, count.total_first = checkpoint.unique, checkpoint.outside, checkpoint.total_first
        if totals and checkpoint.totals is not None:
            totals.restore(checkpoint.totals)
        self._log.info("going on from %s, where an earlier try ended: %s", checkpoint.position, number_of(count.unique, "record"))

    def save(self, group: list[Row], taken: list[Row], count: Count, totals: DeliveredTotals | None) -> None:
        """Take rows, and save all that was taken since the last time if it is enough.

        :param group: rows of a page; all up to the second of the last one were read
        :param taken: those that were given out
        """
        if count.total_first is not None and count.total_first < jsonl.PART_RECORDS:
            return
        self._waiting = self._waiting or RowSpool()
        self._waiting.write(taken)
        self._records += len(taken)
        if self._records < jsonl.PART_RECORDS:
            return
        writer = jsonl.PartWriter()
        try:
            for rows in self._waiting.batches():
                writer.write([row.raw for row in rows])
            part = writer.finish(len(self._parts))
            self._parts.append((part.name, part.sha256))
            position = f"{second_of(group[-1].stamp) + SECOND:%FT%T}"
            counts = count.unique, count.outside, count.total_first, totals.dump() if totals else None
            self._staging.save(part, Checkpoint(position, self.read_at, *counts, self._intake.fields.dump(), self._parts))
        finally:
            writer.spool.close()
            self.close()

    def forget(self) -> None:
        """What was saved is of no use."""
        self.close()
        self.position, self._parts, self.read_at = None, [], self._now
        self._staging.clear()

    def close(self) -> None:
        """Free the disk."""
        if self._waiting:
            self._waiting.close()
        self._waiting, self._records = None, 0


@dataclass(frozen=True)
class Checkpoint:
    """How far a reading came.

    :param position: all records before this second were taken
    :param read_at: the server's time at which the first try began
    :param unique: counts so far, this one and the next two, as in :class:`~airflow_provider_nexus.extract.proved_read.Count`
    :param totals: of what was delivered
    :param fields: what was seen of them
    :param parts: name and SHA-256 of each
    """

    position: str
    read_at: datetime
    unique: int
    outside: int
    total_first: int | None
    totals: dict[str, Any] | None
    fields: dict[str, list[str]]
    parts: list[tuple[str, str]]


class CheckpointFolder:
    """The place of one window's unfinished reading.

    :param identity: what must be the same for a try to go on: window, server, treatment of the records
    """

    def __init__(self, folder: Any, identity: Mapping[str, Any], log: Log) -> None:
        self._folder, self._identity, self._log = folder, dict(identity), log

    def load(self, now: datetime) -> Checkpoint | None:
        """The checkpoint of an earlier try; ``None`` when there is none, or none that can be used by now, the server's time."""
        raw = store.read(self._folder / _NAME)
        if raw is None:
            return None
        try:
            stored = msgspec.json.decode(raw)
            checkpoint = msgspec.convert(stored["checkpoint"], Checkpoint)
        except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
            return self._without("can't be read")
        if not all(PART.fullmatch(name) for name, _ in checkpoint.parts):
            return self._without("can't be read")
        if stored.get("identity") != self._identity:
            return self._without("is of another request")
        if not timedelta() <= now - checkpoint.read_at <= LIFE:
            return self._without("is too old")
        if any(self._digest(name) != digest for name, digest in checkpoint.parts):
            return self._without("has a damaged part")
        return checkpoint

    def save(self, part: Part, checkpoint: Checkpoint) -> None:
        """Store another part, then the checkpoint that names it."""
        store.put(self._folder / part.name, part.spool)
        text = msgspec.json.encode({"identity": self._identity, "checkpoint": asdict(checkpoint)})
        store.put(self._folder / _NAME, io.BytesIO(text))

    def records(self, checkpoint: Checkpoint) -> Iterator[bytes]:
        """The records of all parts."""
        for name, _ in checkpoint.parts:
            with store.opened(self._folder / name) as file:
                yield from lines(file)

    def clear(self) -> None:
        """Forget it, the checkpoint first."""
        store.remove(self._folder / _NAME)
        for name in store.names(self._folder):
            store.remove(self._folder / name)
        store.remove_folder(self._folder)

    def _without(self, why: str) -> Checkpoint | None:
        self._log.warning("the checkpoint of an earlier try %s: the window is read from its start", why)
        self.clear()
        return None

    def _digest(self, name: str) -> str:
        try:
            raw = store.read(self._folder / name)
        except NexusStorageError:
            return ""
        return "" if raw is None else hashlib.sha256(raw).hexdigest()
