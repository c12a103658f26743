"""What an unfinished reading has brought so far, kept beside the data where the next try finds it.

A walk in order of time can go on where it ended: all records up to a second are known to be complete. Each full part of
such a walk is kept, with the second up to which it came. A try that goes on from there proves the window as one that never
stopped: at the end, as many unique records must have been read as Nexus counts in the whole window, or it begins anew.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.sync import store
from airflow_provider_nexus.sync.manifest import PART
from airflow_provider_nexus.sync.writers.jsonl import Part, lines

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
