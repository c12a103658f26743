"""One folder of a copy with other versions of some of its rows, made beside it and then put in its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.extract.origin import Scope
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Reject, Row
from airflow_provider_nexus.load.manifest import Manifest, PatchedBy
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

    def __init__(self, folder: Any, table: Table, manifest: Manifest, writer: ParquetWriter) -> None:
        self._folder, self._table, self._manifest, self._writer = folder, table, manifest, writer
        self._result = Rewritten()

    def rewrite(
        self,
        versions: Mapping[str, Row],
        *,
        read_at: datetime,
        read_by: str,
        scope: Scope | None = None,
        spared: Collection[str] = (),
    ) -> None:
        """Write the folder's rows anew, somewhere else.

        :param versions: by key
        :param read_at: when they were read
        :param read_by: the reading that brings them
        :param scope: what they are the whole of; see :func:`~airflow_provider_nexus.load.parquet.writer.rewrite`
        :param spared: keys of records that did not fit
        :raises NexusError: when a file has other columns than this version
        """
        paths = [self._folder / file.name for file in self._manifest.files]
        self._result = rewrite(paths, self._writer, versions, scope=scope, read_at=read_at, spared=spared)
        books = Books(self._table, self._manifest)
        for row in self._result.inserted:
            books.enter(row)
        for old, new in self._result.updated:
            books.enter(old, -1)
            books.enter(new)
        for row in self._result.deleted:
            books.enter(row, -1)
        patches = self._manifest.patches
        if self.inserted or self.updated or self.deleted:
            counts = {word: getattr(self, word) for word in ("inserted", "updated", "deleted")}
            patches = [*patches, PatchedBy(read_at=to_wire(read_at), read_by=read_by, **counts)]
        self._manifest = replace(self._manifest, **books.members(), patches=patches)

    def publish(self, rejects: Sequence[Reject] | None = None) -> None:
        """Put it in place, if anything is different.

        :param rejects: the folder's rejected records from now on; ``None`` to leave them as they are
        """
        if rejects is not None or self.inserted or self.updated or self.deleted:
            publish(self._folder, self._writer.parts(), self._manifest, rejects or (), keep_rejected=rejects is None)

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
