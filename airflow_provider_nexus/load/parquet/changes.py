"""Patches: a stored window of which a few records changed. Its files are rewritten beside it, then put in its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Reject, Sealed, TableRow
from airflow_provider_nexus.load.manifest import ChangeCounts, Manifest, PatchedBy
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, Rewritten, rewrite
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.load.totals import TableAccount

DELETED = ""
"""Content of a version that marks its record as deleted in Nexus; its other columns are null."""


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
        versions: Mapping[str, TableRow],
        *,
        read_at: datetime,
        read_by: str,
        scope: Window | None = None,
        spared: Collection[str] = (),
    ) -> None:
        """Write the folder's rows anew, somewhere else.

        :param versions: by key
        :param read_at: when they were read
        :param read_by: the reading that brings them
        :param scope: what they are the whole of; see :func:`~airflow_provider_nexus.load.parquet.writer.rewrite`
        :param spared: keys of records that did not fit
        :raises NexusError: when a file has other columns than this version
        :raises NexusStorageError: when another run changes the folder
        """
        paths = [self._folder / file.name for file in self._manifest.files]
        self._result = rewrite(paths, self._writer, versions, scope=scope, read_at=read_at, spared=spared)
        # Whoever changes a folder withdraws its manifest first, so what was read is of this one if it is still there.
        if manifests.load(self._folder) != self._manifest:
            text = f"{self._folder} changed while it was read"
            raise NexusStorageError(f"{text}: is another run writing the same window? Run it again")
        account = TableAccount(self._table, self._manifest)
        for row in self._result.inserted:
            account.add(row)
        for old, new in self._result.updated:
            account.add(old, -1)
            account.add(new)
        for row in self._result.deleted:
            account.add(row, -1)
        patches = self._manifest.patches
        if any(self.counts.dump().values()):
            patches = [*patches, PatchedBy(read_at=to_wire(read_at), read_by=read_by, **self.counts.dump())]
        self._manifest = replace(self._manifest, **account.members(), patches=patches)

    def publish(self, rejects: Sequence[Reject] | None = None) -> None:
        """Put it in place, if anything is different.

        :param rejects: the folder's rejected records from now on; ``None`` to leave them as they are
        """
        if rejects is not None or any(self.counts.dump().values()):
            publish(self._folder, self._writer.parts(), self._manifest, rejects or (), keep_rejected=rejects is None)

    def close(self) -> None:
        """Free the disk."""
        self._writer.close()

    @property
    def versions(self) -> list[TableRow]:
        """The versions that were not there."""
        return [*self._result.inserted, *(new for _, new in self._result.updated)]

    @property
    def deleted(self) -> list[TableRow]:
        """The rows that were deleted."""
        return self._result.deleted

    @property
    def counts(self) -> ChangeCounts:
        """How many rows were inserted, updated and deleted."""
        result = self._result
        return ChangeCounts(inserted=len(result.inserted), updated=len(result.updated), deleted=len(result.deleted))


def tombstones(table: Table, deleted: Iterable[TableRow], sealed: Sealed) -> list[TableRow]:
    """Versions that mark records as deleted."""
    empty = (None,) * (len(table.columns) - 4)
    return [(row[0], sealed.read_at, sealed.manifest.read_by, DELETED, *empty) for row in deleted]
