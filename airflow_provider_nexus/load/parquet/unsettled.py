"""Unsettled records: those of a copy that may still change, remembered beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.load.columns import Table, UnsettledRule
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.memory import FileMemory, Memory

NAME = "_unsettled.json"


def unsettled_file(collection: Any) -> Memory[dict[str, str]]:
    """A JSON file in the folder of the resource."""

    def read(found: Any) -> dict[str, str]:
        known = msgspec.convert(found, dict[str, str])
        _ = codes_of(known)
        return known

    return FileMemory(
        collection / NAME,
        read=read,
        write=dict,
        damage="which records may still change: take it back from a backup, or remove it and read the windows again that contain "
        "unsettled records",
    )


class Unsettled:
    """Keys of a table's unsettled records, each with its creation stamp and status, and the memory that stores them."""

    def __init__(self, table: Table, memory: Memory[dict[str, str]]) -> None:
        self._memory, self._rule = memory, UnsettledRule(table)
        self._created = table.place(table.created)
        self._status = table.place(table.status) if table.status else 0
        self._known = memory.get() or {}

    def see(self, row: TableRow) -> None:
        """Learn from the latest version of a record."""
        if self._rule.is_unsettled_row(row):
            self._known[row[0]] = noted(row[self._created], row[self._status])
        else:
            self._known.pop(row[0], None)

    def forget(self, keys: Iterable[str]) -> None:
        """Records were deleted."""
        for key in keys:
            self._known.pop(key, None)

    def save(self) -> None:
        """Store what was learnt."""
        self._memory.set(self._known)

    @property
    def codes(self) -> dict[str, Open]:
        """The records by key, their creation stamps cut to the second."""
        return codes_of(self._known)


def noted(created: datetime, status: str | None) -> str:
    """An unsettled record as it is remembered."""
    return f"{to_wire(created)} {status or ''}"


def codes_of(known: Mapping[str, str]) -> dict[str, Open]:
    """What was remembered, by key; creation stamps are cut to the second."""
    parts = ((key, *text.partition(" ")) for key, text in known.items())
    return {key: Open(datetime.fromisoformat(stamp), status) for key, stamp, _, status in parts}
