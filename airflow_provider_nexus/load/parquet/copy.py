"""A copy of a resource in Parquet files: one folder for each window of creation, rewritten where its rows change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.extract.origin import Open, Scope
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import previous_of, windows_of
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Applied, Kept, Row, Sealed
from airflow_provider_nexus.load.loader import fields_before
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED, ChangeCounts, Manifest
from airflow_provider_nexus.load.parquet.books import Books
from airflow_provider_nexus.load.parquet.changes import Changes
from airflow_provider_nexus.load.parquet.patch import Patch
from airflow_provider_nexus.load.parquet.readings import Readings, tombstones
from airflow_provider_nexus.load.parquet.scan import Scan
from airflow_provider_nexus.load.parquet.unsettled import Unsettled
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.load.server import refuse_other_format
from airflow_provider_nexus.storage import names

FORMAT = "parquet"
_BATCH = 1000


class ParquetCopy:
    """Keeps a copy in the folder of a resource.

    :param collection: that folder
    :param table: the resource's columns
    :param unsettled: remembers the records that may still change; ``None`` when each window stands for itself and is never
        changed by what is read later
    :param keeps_versions: whether each version that was seen is kept, in ``_readings/``
    """

    def __init__(
        self, collection: Any, table: Table, *, unsettled: Unsettled | None = None, keeps_versions: bool = False
    ) -> None:
        self._collection, self._table, self._unsettled = collection, table, unsettled
        self._known: list[tuple[str, Window, Manifest]] | None = None
        self._scan = Scan(table)
        self._readings = Readings(collection, table, keeps_versions=keeps_versions)

    def apply(self, rows: Iterable[Row], scope: Scope | None, seal: Callable[[], Sealed]) -> Applied:
        """Bring versions of records in; each folder that changes is whole before and after.

        :raises NexusConfigurationError: when pyarrow is not installed
        """
        window = Window(scope.start, scope.end) if scope and scope.start and scope.end else None
        self._known = None
        try:
            return self._apply(rows, window, scope, seal)
        finally:
            self._known = None

    def _apply(self, rows: Iterable[Row], window: Window | None, scope: Scope | None, seal: Callable[[], Sealed]) -> Applied:
        if self._unsettled is None or (window and not self._meets_others(window)):
            return self._replace(rows, window, seal)
        return self._patch(rows, scope, seal)

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest of the window before."""
        return fields_before(self._collection, window)

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""
        return self._unsettled.codes if self._unsettled else {}

    def windows(self) -> list[Kept]:
        """The windows read whole, oldest reading first."""
        kept = [Kept(window.start, window.end, manifest.read_moment) for _, window, manifest in self._published()]
        return sorted(kept, key=lambda each: (each.read_at, each.start))

    def torn(self) -> list[Window]:
        """The windows whose manifest was withdrawn to be replaced, and never was."""
        whole = {name for name, _, _ in self._published()}
        torn = [(name, window) for name, window in windows_of(self._collection).items() if name not in whole]
        return [window for name, window in torn if names(self._collection / name / SUPERSEDED)]

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as the copy holds them now."""
        totals = Totals()
        for name, window, manifest in self._published():
            if start <= window.start and window.end <= end:
                totals.merge(manifest.group_totals)
            elif window.start < end and start < window.end:
                self._scan.count(totals, self._collection / name, manifest, start, end)
        return totals

    def _published(self) -> list[tuple[str, Window, Manifest]]:
        """The windows with their manifests, read once as long as nothing is changed here."""
        if self._known is None:
            windows = windows_of(self._collection).items()
            found = ((name, window, manifests.load(self._collection / name)) for name, window in windows)
            self._known = [(name, window, manifest) for name, window, manifest in found if manifest]
            for name, _, manifest in self._known if self._unsettled else ():
                refuse_other_format(self._collection / name, manifest, FORMAT)  # windows of a copy are changed later on
        return self._known

    def _meets_others(self, window: Window) -> bool:
        """Whether a part of a window lies in folders of other ones."""
        others = [other for name, other, _ in self._published() if name != window.label]
        return any(other.start < window.end and window.start < other.end for other in others)

    def _replace(self, rows: Iterable[Row], window: Window | None, seal: Callable[[], Sealed]) -> Applied:
        """Write a folder anew, its rows streaming through."""
        changes = Changes(self._collection / window.label if window else None, self._unsettled)
        writer, versions, books = self._writer(), self._readings.writer(), Books(self._table)
        try:
            for batch in _batches(changes.met(row) for row in rows):
                for row in batch:
                    books.enter(row)
                writer.write(batch)
                if self._readings.keeps_versions:
                    versions.write(changes.take())
            sealed = seal()
            self._keep_known(sealed, changes, writer, books)
            if self._readings.keeps_versions and changes.any:
                versions.write(tombstones(self._table, changes.gone(), sealed))
                self._readings.store(sealed, versions, changes.counts)
            applied = self._publish(sealed, window, writer, books, changes)
        finally:
            writer.close()
            versions.close()
        changes.remember()
        return applied

    def _keep_known(self, sealed: Sealed, changes: Changes, writer: ParquetWriter, books: Books) -> None:
        """A record of the copy that did not fit this time is not gone; a window that stands for itself holds what it has read."""
        for row in changes.spare({reject.key for reject in sealed.rejects}) if self._unsettled else ():
            books.enter(row)
            writer.write([row])

    def _publish(self, sealed: Sealed, window: Window | None, writer: ParquetWriter, books: Books, changes: Changes) -> Applied:
        folder = self._collection / (window.label if window else sealed.label)
        previous = previous_of(self._collection, window) if window else None
        manifest = replace(sealed.manifest, **books.members(), format=FORMAT, previous=previous)
        changed, raw = publish(folder, writer.parts(), manifest, sealed.rejects)
        digest, places = manifests.digest_of(raw), (str(folder), str(folder / NAME))
        return Applied(changed, changes.inserted, changes.updated, changes.deleted, digest, *places)

    def _patch(self, rows: Iterable[Row], scope: Scope | None, seal: Callable[[], Sealed]) -> Applied:
        """Rewrite the folders that hold the records, the reading being kept first: what is in no folder yet is found again."""
        versions = {row[0]: row for row in rows}
        sealed, created = seal(), self._table.place(self._table.created)
        spared = {reject.key for reject in sealed.rejects}
        patches = []
        log = self._readings.writer()
        try:
            for name, window, manifest in self._published():
                mine = {key: row for key, row in versions.items() if window.start <= row[created] < window.end}
                if mine or (scope and _overlap(scope, window)):
                    patches.append(Patch(self._collection / name, self._table, manifest, self._writer()))
                    read_by = sealed.manifest.read_by
                    patches[-1].rewrite(mine, read_at=sealed.read_at, read_by=read_by, scope=scope, spared=spared)
            words = ("inserted", "updated", "deleted")
            inserted, updated, deleted = (sum(getattr(patch, word) for patch in patches) for word in words)
            counts = ChangeCounts(inserted=inserted, updated=updated, deleted=deleted)
            for patch in patches:
                log.write([*patch.versions, *tombstones(self._table, patch.gone, sealed)])
            folder, raw = self._readings.store(sealed, log, counts)
            for patch in patches:
                patch.publish()
        finally:
            log.close()
            for patch in patches:
                patch.close()
        self._remember(versions.values(), patches)
        digest = manifests.digest_of(raw)
        changed = bool(inserted or updated or deleted)
        return Applied(changed, inserted, updated, deleted, digest, folder, f"{folder}/{NAME}")

    def _remember(self, rows: Iterable[Row], patches: list[Patch]) -> None:
        if self._unsettled:
            for row in rows:
                self._unsettled.see(row)
            self._unsettled.forget(row[0] for patch in patches for row in patch.gone)
            self._unsettled.save()

    def _writer(self) -> ParquetWriter:
        return ParquetWriter(self._table, {"resource": self._table.resource.name})


def _overlap(scope: Scope, window: Window) -> bool:
    return (scope.start is None or scope.start < window.end) and (scope.end is None or window.start < scope.end)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch
