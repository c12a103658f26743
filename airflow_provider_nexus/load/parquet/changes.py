"""How the rows of a window that is read again differ from those that its folder holds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.copy import Row
from airflow_provider_nexus.load.manifest import ChangeCounts
from airflow_provider_nexus.load.parquet.unsettled import Unsettled
from airflow_provider_nexus.load.parquet.writer import read_columns, read_rows
from airflow_provider_nexus.load.server import refuse_other_format

_HELD = ("_key", "_read_at", "_read_by", "_content")


class Changes:
    """Compares rows with those that a folder holds.

    :param folder: of the window; ``None`` when nothing is compared
    :param unsettled: learns from each row
    """

    def __init__(self, folder: Any, unsettled: Unsettled | None) -> None:
        self._unsettled = unsettled
        self._folder = folder
        self._held = _held(folder) if folder is not None else {}
        self._fresh: list[Row] = []
        self.inserted = self.updated = 0

    def met(self, row: Row) -> Row:
        """The row, or as it is held when it is there in the same version: that says since when it is known."""
        if self._unsettled:
            self._unsettled.see(row)
        held = self._held.pop(row[0], None)
        if held and held[3] == row[3]:
            return (*held, *row[4:])
        self.inserted += held is None
        self.updated += held is not None
        self._fresh.append(row)
        return row

    def take(self) -> list[Row]:
        """The versions that are new since this was asked last."""
        taken, self._fresh = self._fresh, []
        return taken

    def spare(self, keys: Collection[str]) -> list[Row]:
        """The rows that are held of records that are there and did not fit: what was known of them stays."""
        spared = {key for key in keys if self._held.pop(key, None)}
        paths = _paths(self._folder) if spared else []
        return [row for path in paths for rows in read_rows(path) for row in rows if row[0] in spared]

    def gone(self) -> list[Row]:
        """The rows that are held and did not come, as far as their key."""
        return list(self._held.values())

    @property
    def deleted(self) -> int:
        """How many rows are gone."""
        return len(self._held)

    @property
    def counts(self) -> ChangeCounts:
        """All of them, counted."""
        return ChangeCounts(inserted=self.inserted, updated=self.updated, deleted=self.deleted)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.inserted or self.updated or self.deleted)

    def remember(self) -> None:
        """Keep which records may still change."""
        if self._unsettled:
            self._unsettled.forget(self._held)
            self._unsettled.save()


def _held(folder: Any) -> dict[str, Row]:
    return {row[0]: row for path in _paths(folder) for rows in read_columns(path, _HELD) for row in rows}


def _paths(folder: Any) -> list[Any]:
    manifest = manifests.load(folder)
    if manifest is None:
        return []
    refuse_other_format(folder, manifest, "parquet")
    return [folder / file.name for file in manifest.files]
