"""The records of a copy that may still change, remembered beside it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.load.columns import Openness, Table
from airflow_provider_nexus.load.copy import Row

NAME = "_unsettled.json"


class Memory(Protocol):
    """Keeps a small object from run to run."""

    def get(self) -> dict[str, str] | None:
        """What was kept; ``None`` before the first time."""

    def set(self, kept: dict[str, str]) -> None:
        """Keep something else."""


class FileMemory:
    """A JSON file in the folder of the resource.

    :param collection: that folder
    """

    def __init__(self, collection: Any) -> None:
        self._path = collection / NAME

    def get(self) -> dict[str, str] | None:
        """What was kept.

        :raises NexusStorageError: when the file is damaged
        """
        raw = store.read(self._path)
        if raw is None:
            return None
        try:
            kept = msgspec.json.decode(raw, type=dict[str, str])
            _ = _read(kept)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise NexusStorageError(
                f"{self._path} is damaged, so it is not known which records may still change: take it back from a backup, or "
                "remove it and read the windows again that hold unsettled records"
            ) from None
        return kept

    def set(self, kept: dict[str, str]) -> None:
        """Keep something else."""
        store.put(self._path, io.BytesIO(msgspec.json.encode(kept, order="sorted") + b"\n"))


class Unsettled:
    """Keys of unsettled records, each with its creation stamp and status.

    :param table: of the copy
    :param memory: where they are kept
    """

    def __init__(self, table: Table, memory: Memory) -> None:
        self._memory, self._openness = memory, Openness(table)
        self._created = table.place(table.created)
        self._status = table.place(table.status) if table.status else 0
        self._known = memory.get() or {}

    def see(self, row: Row) -> None:
        """Learn from the latest version of a record."""
        if self._openness.is_open(row):
            self._known[row[0]] = f"{to_wire(row[self._created])} {row[self._status] or ''}"
        else:
            self._known.pop(row[0], None)

    def forget(self, keys: Iterable[str]) -> None:
        """Records are gone."""
        for key in keys:
            self._known.pop(key, None)

    def save(self) -> None:
        """Keep what was learnt."""
        self._memory.set(self._known)

    @property
    def codes(self) -> dict[str, Open]:
        """The records by key, their creation stamps cut to the second."""
        return _read(self._known)


def _read(known: Mapping[str, str]) -> dict[str, Open]:
    parts = ((key, *kept.partition(" ")) for key, kept in known.items())
    return {key: Open(datetime.fromisoformat(stamp), status) for key, stamp, _, status in parts}
