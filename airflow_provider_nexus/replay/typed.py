"""Brings records into windows of Parquet files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Reject, Row
from airflow_provider_nexus.load.manifest import windows_of
from airflow_provider_nexus.load.parquet.books import Books
from airflow_provider_nexus.load.parquet.unsettled import NAME as MEMORY
from airflow_provider_nexus.load.parquet.unsettled import FileMemory, Unsettled
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, Rewritten, read_rows, rewrite
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.load.rows import Conformer
from airflow_provider_nexus.load.server import refuse_another
from airflow_provider_nexus.replay.outcome import Replayed, Sorted, sort_typed
from airflow_provider_nexus.replay.recast import Recast


def replay_typed(
    collection: Any, folder: Any, manifest: dict[str, Any], resource: Resource, put_aside: Sequence[Reject]
) -> Replayed:
    """Bring the records that fit into the folder that they were put aside in."""
    tried = _try(manifest, resource, put_aside)
    _Window(collection, folder, manifest, Table(resource)).bring({row[0]: row for row in tried.rows}, tried.left)
    return tried.told(folder)


def replay_reading(
    collection: Any, folder: Any, manifest: dict[str, Any], resource: Resource, put_aside: Sequence[Reject]
) -> Replayed:
    """Bring the records that fit into the windows of their creation; then they are no longer put aside.

    Those that are of no window of the copy stay where they are.
    """
    tried, table = _try(manifest, resource, put_aside), Table(resource)
    created, homeless = table.place(table.created), dict(tried.fitting)
    for name, window in windows_of(collection):
        mine = {reject: row for reject, row in homeless.items() if row[created] and window.start <= row[created] < window.end}
        found = manifests.load(collection / name) if mine else None
        if found is not None:
            refuse_another(collection, manifest.get("base_url"), first=name)
            _Window(collection, collection / name, found, table).bring({row[0]: row for row in mine.values()}, None)
            homeless = {reject: row for reject, row in homeless.items() if reject not in mine}
    fitting = tuple((reject, row) for reject, row in tried.fitting if reject not in homeless)
    result = Sorted(fitting, (*tried.left, *homeless))
    _keep_versions(folder, manifest, table, result)
    return result.told(folder)


def _try(manifest: Mapping[str, Any], resource: Resource, put_aside: Sequence[Reject]) -> Sorted[Row]:
    origin = Origin(moment(str(manifest["read_at"]), "read_at"), str(manifest["read_by"]))
    return sort_typed(RowReader(resource), Conformer(resource), put_aside, origin)


def _keep_versions(folder: Any, manifest: dict[str, Any], table: Table, result: Sorted[Row]) -> None:
    """The versions of a reading with those that fit, where they are kept."""
    paths = [folder / file["name"] for file in manifest["files"]]
    writer = _writer(table, kind="versions")
    try:
        recast = Recast(table)
        other = recast.is_needed(paths)
        for path in paths:
            for rows in recast.rows(path) if other else read_rows(path):
                writer.write(rows)
        if paths:
            writer.write(result.rows)
        publish(folder, writer.parts() if paths else [], dict(manifest), result.left)
    finally:
        writer.close()


@dataclasses.dataclass
class _Window:
    """A folder that records come into."""

    collection: Any
    folder: Any
    manifest: dict[str, Any]
    table: Table

    def bring(self, versions: Mapping[str, Row], left: Sequence[Reject] | None) -> None:
        """Write the folder anew.

        :param versions: by key; one that is held as it was read later stays as it is
        :param left: records that stay put aside; ``None`` to leave them as they are
        """
        paths = [self.folder / file["name"] for file in self.manifest["files"]]
        writer, staged = _writer(self.table), _writer(self.table)
        try:
            books = Books(self.table, self.manifest)
            if Recast(self.table).is_needed(paths):
                paths, books = Recast(self.table).write(paths, staged), Books(self.table)
                for path in paths:
                    for rows in read_rows(path):
                        for row in rows:
                            books.enter(row)
            result = rewrite(paths, writer, versions)
            self._remember(result)
            self._publish(writer, books, result, left)
        finally:
            writer.close()
            staged.close()

    def _publish(self, writer: ParquetWriter, books: Books, result: Rewritten, left: Sequence[Reject] | None) -> None:
        for row in result.inserted:
            books.enter(row)
        for old, new in result.updated:
            books.enter(old, -1)
            books.enter(new)
        changed = {"inserted": len(result.inserted), "updated": len(result.updated), "deleted": 0}
        manifest = {**self.manifest, **books.members()}
        if any(changed.values()):
            patch = {"read_at": manifest["read_at"], "read_by": f"replay of {manifest['read_by']}", **changed}
            manifest["patches"] = [*manifest.get("patches", ()), patch]
        publish(self.folder, writer.parts(), manifest, left or (), keep_rejected=left is None)

    def _remember(self, result: Rewritten) -> None:
        """Those that may still change are looked at again by the next run, where that is remembered beside the files."""
        if store.size(self.collection / MEMORY) is None:
            return
        unsettled = Unsettled(self.table, FileMemory(self.collection))
        for row in (*result.inserted, *(new for _, new in result.updated)):
            unsettled.see(row)
        unsettled.save()


def _writer(table: Table, **more: str) -> ParquetWriter:
    return ParquetWriter(table, {"resource": table.resource.name, **more})
