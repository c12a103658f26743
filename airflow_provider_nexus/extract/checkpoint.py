"""Checkpoints: let a reading go on where an earlier try ended."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.api.timestamps import SECOND
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.extract.jsonl import PART, Part, lines
from airflow_provider_nexus.extract.proved_read import Count
from airflow_provider_nexus.extract.source import second_of
from airflow_provider_nexus.extract.spool import RecordSpool
from airflow_provider_nexus.extract.totals import DeliveredTotals

FOLDER = "_staging"
LIFE = timedelta(days=1)
"""How long after its beginning a reading can be resumed: its oldest records are as they were then."""
_NAME = "checkpoint.json"
_BATCH = 1000


class Checkpoints:
    """Saves how far a reading came, each time that it took as many records as a part has.

    :param spool: takes the records
    :param staging: where they are saved
    :param read_at: the server's time now
    """

    def __init__(self, spool: RecordSpool, staging: Staging, read_at: datetime, log: Log) -> None:
        self._spool, self._staging, self._now, self._log = spool, staging, read_at, log
        self.read_at = read_at
        """The server's time at which the reading began, be it in an earlier try: its oldest records are as they were then."""
        self._parts: list[tuple[str, str]] = []
        self._records = self._size = 0

    def resume(self, count: Count, totals: DeliveredTotals | None) -> datetime | None:
        """Put an earlier try's records into the spool and its counts into ``count`` and ``totals``.

        :return: where to go on; ``None`` when there is nothing to go on from
        """
        checkpoint = self._staging.load(self._now)
        if checkpoint is None:
            return None
        records = self._staging.records(checkpoint)
        while raws := list(islice(records, _BATCH)):
            batch = self._spool.reader.page(raws)
            self._spool.write(batch, are_treated=True)
            count.keys.extend([row.key for row in batch])
        self._spool.fields.restore(checkpoint.fields)
        self.read_at, self._parts = checkpoint.read_at, list(checkpoint.parts)
        self._records, self._size = self._spool.records, self._spool.size
        count.unique, count.outside, count.total_first = checkpoint.unique, checkpoint.outside, checkpoint.total_first
        if totals and checkpoint.totals is not None:
            totals.restore(checkpoint.totals)
        self._log.info("going on from %s, where an earlier try ended: %s records", checkpoint.position, f"{count.unique:,}")
        return second_of(checkpoint.position)

    def save(self, group: list[Row], count: Count, totals: DeliveredTotals | None) -> None:
        """Save what was taken since the last time, if it is enough. All up to the second of the group's last row was taken."""
        if self._spool.records - self._records < jsonl.PART_RECORDS:
            return
        writer = jsonl.PartWriter()
        try:
            texts = (row.raw for row in self._spool.rows(self._size))
            while batch := list(islice(texts, _BATCH)):
                writer.write(batch)
            part = writer.finish(len(self._parts))
            self._parts.append((part.name, part.sha256))
            self._records, self._size = self._spool.records, self._spool.size
            position = f"{second_of(group[-1].stamp) + SECOND:%FT%T}"
            counts = count.unique, count.outside, count.total_first, totals.dump() if totals else None
            self._staging.save(part, Checkpoint(position, self.read_at, *counts, self._spool.fields.dump(), self._parts))
        finally:
            writer.spool.close()

    def forget(self) -> None:
        """What was saved is of no use."""
        self._records = self._size = 0
        self._parts, self.read_at = [], self._now
        self._staging.clear()


@dataclass(frozen=True)
class Checkpoint:
    """How far a reading came.

    :param position: all records before this second were taken
    :param read_at: the server's time at which the first try began
    :param unique: records counted so far, those around the window's edges included
    :param outside: those of them outside of the window
    :param total_first: the server's count when reading began
    :param totals: the totals of what was delivered
    :param fields: what the watch over the fields has seen
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


class Staging:
    """The place of one window's unfinished reading.

    :param folder: of the window's own
    :param identity: what must be the same for a try to go on: window, server, treatment of the records
    """

    def __init__(self, folder: Any, identity: Mapping[str, Any], log: Log) -> None:
        self._folder, self._identity, self._log = folder, dict(identity), log

    def load(self, now: datetime) -> Checkpoint | None:
        """The checkpoint of an earlier try; ``None`` when there is none, or none that can be used.

        :param now: by the server's clock
        """
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
