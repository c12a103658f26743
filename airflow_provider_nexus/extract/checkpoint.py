"""Lets a reading go on where an earlier try ended: the go-between of reading, sink and staging place."""

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
from airflow_provider_nexus.extract.jsonl import PART, Part, lines
from airflow_provider_nexus.extract.source import second_of
from airflow_provider_nexus.extract.spool import WindowSink
from airflow_provider_nexus.extract.tally import TotalsTally
from airflow_provider_nexus.extract.walks.choice import Count

_BATCH = 1000


class PartKeeper:
    """Keeps each part as it becomes full.

    :param sink: takes the rows
    :param staging: where parts are kept
    :param read_at: the server's time now
    """

    def __init__(self, sink: WindowSink, staging: Staging, read_at: datetime, log: Log) -> None:
        self._sink, self._staging, self._now, self._log = sink, staging, read_at, log
        self.read_at = read_at
        """The server's time at which the reading began, be it in an earlier try: its oldest records are as they were then."""
        self._kept = 0

    def resume(self, count: Count, tally: TotalsTally | None) -> datetime | None:
        """Put an earlier try's rows into the sink and its counts into ``count`` and ``tally``."""
        checkpoint = self._staging.load(self._now)
        if checkpoint is None:
            return None
        self._fill(self._staging.records(checkpoint), count)
        self._sink.fields.restore(checkpoint.fields)
        self._kept = len(checkpoint.parts) if self._parts == checkpoint.parts else 0  # another zlib packs otherwise
        self.read_at = checkpoint.read_at
        count.unique, count.outside, count.total_first = checkpoint.unique, checkpoint.outside, checkpoint.total_first
        if tally and checkpoint.totals is not None:
            tally.restore(checkpoint.totals)
        self._log.info("going on from %s, where an earlier try ended: %s records", checkpoint.position, f"{count.unique:,}")
        return second_of(checkpoint.position)

    def _fill(self, records: Iterator[bytes], count: Count) -> None:
        rows = (self._sink.reader.read(raw) for raw in records)
        while batch := list(islice(rows, _BATCH)):
            self._sink.restore(batch)
            for row in batch:
                count.keys.add(row.key)

    def keep(self, group: list[Row], count: Count, tally: TotalsTally | None) -> None:
        """Keep the parts that became full."""
        fresh = self._sink.writer.full_parts[self._kept :]
        if fresh:
            self._kept += len(fresh)
            self._staging.save(fresh, self._checkpoint(group, count, tally))

    def _checkpoint(self, group: list[Row], count: Count, tally: TotalsTally | None) -> Checkpoint:
        return Checkpoint(
            f"{second_of(group[-1].stamp) + SECOND:%FT%T}",
            self.read_at,
            count.unique,
            count.outside,
            count.total_first,
            tally.dump() if tally else None,
            self._sink.fields.dump(),
            self._parts,
            self._sink.writer.overhang,
        )

    @property
    def _parts(self) -> list[tuple[str, str]]:
        return [(part.name, part.sha256) for part in self._sink.writer.full_parts]

    def forget(self) -> None:
        """What was kept is of no use."""
        self._kept, self.read_at = 0, self._now
        self._staging.clear()


FOLDER = "_staging"
LIFE = timedelta(days=1)
"""How long after its beginning a reading can be gone on with: its oldest records are as they were then."""
_NAME = "checkpoint.json"


@dataclass(frozen=True)
class Checkpoint:
    """How far a reading came.

    :param position: all records before this second were taken
    :param read_at: the server's time at which the first try began
    :param unique: records counted so far, those around the window's edges included
    :param outside: those of them outside of the window
    :param total_first: the server's count when reading began
    :param totals: what the tally of totals holds
    :param fields: what the watch over the fields has seen
    :param parts: full parts: name and SHA-256
    :param tail: the records after them
    """

    position: str
    read_at: datetime
    unique: int
    outside: int
    total_first: int | None
    totals: dict[str, Any] | None
    fields: dict[str, list[str]]
    parts: list[tuple[str, str]]
    tail: list[bytes]


class Staging:
    """The place of one window's unfinished reading.

    :param folder: of the window's own
    :param identity: what must be the same for a try to go on: window, server, treatment of the records
    """

    def __init__(self, folder: Any, identity: Mapping[str, Any], log: Log) -> None:
        self._folder, self._identity, self._log = folder, dict(identity), log

    def load(self, now: datetime) -> Checkpoint | None:
        """What an earlier try left; ``None`` when there is nothing, or nothing that can be used.

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

    def save(self, parts: list[Part], checkpoint: Checkpoint) -> None:
        """Keep more parts, then say so."""
        for part in parts:
            part.spool.seek(0)
            store.put(self._folder / part.name, part.spool)
        text = msgspec.json.encode({"identity": self._identity, "checkpoint": asdict(checkpoint)})
        store.put(self._folder / _NAME, io.BytesIO(text))

    def records(self, checkpoint: Checkpoint) -> Iterator[bytes]:
        """The records of all parts and the tail."""
        for name, _ in checkpoint.parts:
            with store.opened(self._folder / name) as file:
                yield from lines(file)
        yield from checkpoint.tail

    def clear(self) -> None:
        """Forget it, the checkpoint first."""
        store.remove(self._folder / _NAME)
        for name in store.names(self._folder):
            store.remove(self._folder / name)
        store.remove_folder(self._folder)

    def _without(self, why: str) -> Checkpoint | None:
        self._log.warning("what an earlier try left %s: the window is read from its start", why)
        self.clear()
        return None

    def _digest(self, name: str) -> str:
        try:
            raw = store.read(self._folder / name)
        except NexusStorageError:
            return ""
        return "" if raw is None else hashlib.sha256(raw).hexdigest()
