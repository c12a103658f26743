"""One folder of a copy with other versions of some of its rows, made beside it and then put in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.extract.origin import Scope
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Row, Sealed
from airflow_provider_nexus.load.parquet.books import Books
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, Rewritten, rewrite
from airflow_provider_nexus.load.publish import publish


class Patch:
    """Changes one folder.

    :param folder: of the window
    :param table: the resource's columns
    :param manifest: of the folder as it is
    :param writer: takes all rows of the folder
    """

    def __init__(self, folder: Any, table: Table, manifest: Mapping[str, Any], writer: ParquetWriter) -> None:
        self._folder, self._table, self._manifest, self._writer = folder, table, dict(manifest), writer
        self._result = Rewritten()

    def rewrite(self, versions: Mapping[str, Row], scope: Scope | None, sealed: Sealed) -> None:
        """Write the folder's rows anew, somewhere else."""
        paths = [self._folder / file["name"] for file in self._manifest["files"]]
        spared = {reject.key for reject in sealed.rejects}
        self._result = rewrite(paths, self._writer, versions, scope=scope, read_at=sealed.read_at, spared=spared)
        books = Books(self._table, self._manifest)
        for row in self._result.inserted:
            books.enter(row)
        for old, new in self._result.updated:
            books.enter(old, -1)
            books.enter(new)
        for row in self._result.deleted:
            books.enter(row, -1)
        counts = {word: getattr(self, word) for word in ("inserted", "updated", "deleted")}
        patch = {"read_at": to_wire(sealed.read_at), "read_by": sealed.manifest["read_by"], **counts}
        self._manifest |= {**books.members(), "patches": [*self._manifest.get("patches", ()), patch]}

    def publish(self) -> None:
        """Put it in place, if anything is different."""
        if self.inserted or self.updated or self.deleted:
            publish(self._folder, self._writer.parts(), self._manifest, keep_rejected=True)

    def close(self) -> None:
        """Give the disk back."""
        self._writer.close()

    @property
    def versions(self) -> list[Row]:
        """The versions that were not there."""
        return [*self._result.inserted, *(new for _, new in self._result.updated)]

    @property
    def gone(self) -> list[Row]:
        """The rows that are gone."""
        return self._result.deleted

    @property
    def inserted(self) -> int:
        """Records that were not there."""
        return len(self._result.inserted)

    @property
    def updated(self) -> int:
        """Records that were there in another version."""
        return len(self._result.updated)

    @property
    def deleted(self) -> int:
        """Records that are gone."""
        return len(self._result.deleted)
