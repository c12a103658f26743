"""Readings of a copy that are no window of their own: their manifests, what did not fit, and, for a history, each version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Row, Sealed
from airflow_provider_nexus.load.manifest import NAME, READINGS, ChangeCounts
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from airflow_provider_nexus.load.publish import publish

GONE = ""
"""Content of a version that says that its record is gone from Nexus; its other columns are null."""


class Readings:
    """Keeps one folder for each reading, none of them ever changed.

    :param collection: folder of the resource
    :param table: the resource's columns
    :param keeps_versions: whether the versions that a reading brought are kept with it
    """

    def __init__(self, collection: Any, table: Table, *, keeps_versions: bool) -> None:
        self.keeps_versions = keeps_versions
        self._folder, self._table = collection / READINGS, table

    def writer(self) -> ParquetWriter:
        """Takes the versions of one reading."""
        return ParquetWriter(self._table, {"resource": self._table.resource.name, "kind": "versions"})

    def store(self, sealed: Sealed, versions: ParquetWriter, changes: ChangeCounts) -> tuple[str, bytes]:
        """Keep a reading.

        :param changes: what it changed in the copy
        :return: its folder, and its manifest as it is stored
        """
        folder = self._folder / self._free(sealed.label)
        manifest = replace(sealed.manifest, format="parquet", changes=changes, content=sealed.content)
        _, raw = publish(folder, versions.parts() if self.keeps_versions else [], manifest, sealed.rejects)
        return str(folder), raw

    def _free(self, label: str) -> str:
        """The reading's name, numbered when one of the same name is kept: a window that is read again has the same."""
        names = (label, *(f"{label}-{number}" for number in range(2, len(store.names(self._folder)) + 3)))
        return next(name for name in names if store.size(self._folder / name / NAME) is None)


def tombstones(table: Table, gone: Iterable[Row], sealed: Sealed) -> list[Row]:
    """Versions that say that records are gone."""
    empty = (None,) * (len(table.columns) - 4)
    return [(row[0], sealed.read_at, sealed.manifest.read_by, GONE, *empty) for row in gone]
