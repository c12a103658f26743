"""Parquet copy of a resource: one folder for each window of creation, rewritten where its rows change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusWindowError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.claims import damage
from airflow_provider_nexus.load.collection import fields_before, previous_of, refuse_other_format, windows_named
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Sealed, Stored, TableRow
from airflow_provider_nexus.load.manifest import NAME, READINGS, ChangeCounts, Manifest
from airflow_provider_nexus.load.parquet.changes import Patch, tombstones
from airflow_provider_nexus.load.parquet.index import Entry, WindowIndex, forget
from airflow_provider_nexus.load.parquet.scan import Scan
from airflow_provider_nexus.load.parquet.unsettled import Unsettled
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, read_columns, read_rows
from airflow_provider_nexus.load.publish import Published, publish
from airflow_provider_nexus.load.rows import TableConverter

FORMAT = "parquet"
_COMPARED = ("_key", "_read_at", "_read_by", "_content")


class ParquetCopy:
    """A copy in the folder of a resource.

    :param unsettled: remembers the records that may still change; ``None`` when each window is by itself and never
        changed by what is read later
    :param keeps_versions: whether each version that was seen is stored, in ``_readings/``
    """

    def __init__(
        self, collection: Any, table: Table, *, unsettled: Unsettled | None = None, keeps_versions: bool = False
    ) -> None:
        self._collection, self._table, self._unsettled = collection, table, unsettled
        self.takes_streams = unsettled is None  # where changes are captured it depends on the proof which folders are changed
        self._index = WindowIndex(collection, FORMAT, has_totals=bool(table.resource.totals_path))
        self._known: dict[str, tuple[Window, Entry]] | None = None
        self._manifests = dict[str, Manifest | None]()
        self._scan, self._keeps_versions = Scan(table), keeps_versions

    def converter(self, resource: Resource, *, keeps_untyped: bool) -> TableConverter:
        """Makes records rows of the table."""
        return TableConverter(resource, keeps_untyped=keeps_untyped)

    def apply(self, batches: Iterable[Sequence[TableRow]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Bring versions of records in; each folder that changes is whole before and after.

        :raises NexusConfigurationError: when pyarrow is not installed
        """
        window = None if scope == ALL_TIME else scope
        self._look_again()
        try:
            if self._unsettled is None or (window and not self._meets_others(window)):
                return self._replace(batches, window, seal)
            return self._patch(batches, scope, seal)
        finally:
            self._look_again()

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest of the window before."""
        return fields_before(self._collection, window)

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""
        return self._unsettled.codes if self._unsettled else {}

    def windows(self) -> list[tuple[Window, datetime]]:
        """The windows read whole, each with the time of its last reading, oldest reading first."""
        found = [(window, entry.read_at) for window, entry in self._published().values()]
        return sorted(found, key=lambda each: (each[1], each[0].start))

    def torn(self, asked: Window) -> list[Window]:
        """The windows to be read again.

        Those whose folders have files and no manifest, as a run was cut off or somebody has deleted it, since a reader that knows
        nothing of manifests takes these files; those that a later manifest names and that are missing, with the window that names
        them, as its manifest must name the new one; and of those asked for the damaged ones.
        """
        published = self._published()
        left = {name: window for name, window in self._index.named.items() if name not in published}
        left = {name: window for name, window in left.items() if not self._meets_others(window)}
        torn = {name: window for name, window in left.items() if store.names(self._collection / name)} | self._index.lost
        for name, (window, entry) in published.items():
            before = entry.previous
            lost = {} if before in published else windows_named([before])
            if lost and not any(lost[before].meets(other) for other, _ in published.values()):
                torn |= lost | {name: window}
            is_asked = asked.start <= window.start and window.end <= asked.end
            manifest = self._manifest(name) if is_asked else None
            if manifest and damage(self._collection / name, manifest):
                torn[name] = window
        return sorted(torn.values(), key=lambda window: window.start)

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as they are stored now."""
        self._published()
        totals, parts = self._index.totals(start, end)
        for name in parts:
            if manifest := self._manifest(name):
                self._scan.count(totals, self._collection / name, manifest, start, end)
        return totals

    def _published(self) -> dict[str, tuple[Window, Entry]]:
        """The windows that have a manifest, listed once as long as nothing is changed here."""
        if self._known is None:
            self._known = self._index.windows()
        return self._known

    def _manifest(self, name: str) -> Manifest | None:
        """The manifest of a window, read once as long as nothing is changed here."""
        if name not in self._manifests:
            self._manifests[name] = self._index.manifest(name)
        return self._manifests[name]

    def _look_again(self) -> None:
        self._known = None
        self._manifests.clear()

    def _meets_others(self, window: Window) -> bool:
        """Whether a part of a window lies in folders of other ones."""
        return any(window.meets(other) for name, (other, _) in self._published().items() if name != window.label)

    def _replace(self, batches: Iterable[Sequence[TableRow]], window: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Write a folder anew, its rows streaming through."""
        changes = Changes(self._collection / window.label if window else None)
        writer, versions = self._writer(), self._writer(kind="versions")
        try:
            for rows in batches:
                writer.write(compared := changes.compare(rows))
                self._see(compared)
                fresh = changes.take()
                if self._keeps_versions:
                    versions.write(fresh)
            sealed = seal()
            # A record of the copy that did not fit this time is not deleted; a window by itself stores what was read.
            if self._unsettled:
                spared = changes.spare({reject.key for reject in sealed.rejects})
                sealed.account.add(spared)
                writer.write(spared)
            if self._keeps_versions and any(changes.counts.dump().values()):
                versions.write(tombstones(self._table, changes.deleted, sealed))
                self._store_reading(sealed, versions, changes.counts)
            folder = self._collection / (window.label if window else sealed.label)
            # An unproved reading is the whole of nothing, and yet of a window.
            previous = previous_of(self._collection, sealed.window) if sealed.window else None
            manifest = replace(sealed.manifest, **sealed.account.members(), format=FORMAT, previous=previous)
            if self._unsettled:
                self._index.begin([folder.name])
            else:
                forget(self._collection)  # a copy there may have it in its index
            published = publish(folder, writer.parts(), manifest, sealed.rejects, found=changes.damage)
        finally:
            writer.close()
            versions.close()
        self._forget(row[0] for row in changes.deleted)
        return _stored(str(folder), published, changes.counts, changed=published.changed)

    def _patch(self, batches: Iterable[Sequence[TableRow]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Rewrite the folders of the records, the reading being stored first: what is in no folder yet is found again."""
        versions = {row[0]: row for rows in batches for row in rows}
        sealed, created = seal(), self._table.place(self._table.created)
        stamps = sorted(row[created] for row in versions.values())
        spared = {reject.key for reject in sealed.rejects}
        patches = []
        log = self._writer(kind="versions")
        try:
            for name, (window, _) in self._published().items():
                is_near = bool(stamps) and stamps[0] < window.end and window.start <= stamps[-1]
                mine = {key: row for key, row in versions.items() if window.start <= row[created] < window.end} if is_near else {}
                manifest = self._manifest(name) if mine or (scope and scope.meets(window)) else None
                if manifest:
                    patches.append(Patch(self._collection / name, self._table, manifest, self._writer()))
                    read_by = sealed.manifest.read_by
                    patches[-1].rewrite(mine, read_at=sealed.read_at, read_by=read_by, scope=scope, spared=spared)
            if sealed.feed == "open":
                self._refuse_without_window(row[created] for row in versions.values())
            changes = [patch.counts.dump() for patch in patches]
            counts = ChangeCounts(**{word: sum(each[word] for each in changes) for word in ("inserted", "updated", "deleted")})
            for patch in patches:
                log.write([*patch.versions, *tombstones(self._table, patch.deleted, sealed)])
            folder, published = self._store_reading(sealed, log, counts)
            self._index.begin(patch.name for patch in patches if any(patch.counts.dump().values()))
            for patch in patches:
                patch.publish()
        finally:
            log.close()
            for patch in patches:
                patch.close()
        self._see(versions.values())
        self._forget(row[0] for patch in patches for row in patch.deleted)
        return _stored(folder, published, counts, changed=any(counts.dump().values()))

    def _refuse_without_window(self, stamps: Iterable[datetime]) -> None:
        """Refuse changes of records that some window has brought, when that window is not in this copy, or is being replaced."""
        windows = [window for window, _ in self._published().values()]
        without = [stamp for stamp in stamps if not any(window.start <= stamp < window.end for window in windows)]
        if any(window.start <= stamp < window.end for stamp in without for window in self._index.named.values()):
            raise store.another_run(f"{self._collection} has a window without its manifest")
        if without:
            what = f"{number_of(len(without), 'record')} that earlier runs have brought changed"
            raise NexusWindowError(
                f"{what}, and {self._collection} has no window for them: they were created from {to_wire(min(without))} to "
                f"{to_wire(max(without))}. The windows were written elsewhere, as on the disk of another worker, or deleted. "
                "Have all workers write to one place, or read them again into this one, by window_start and window_end"
            )

    def _see(self, rows: Iterable[TableRow]) -> None:
        """Learn which records may still change."""
        if self._unsettled:
            for row in rows:
                self._unsettled.see(row)

    def _forget(self, keys: Iterable[str]) -> None:
        """Store which records may still change, without those that were deleted."""
        if self._unsettled:
            self._unsettled.forget(keys)
            self._unsettled.save()
            self._index.commit()

    def _store_reading(self, sealed: Sealed, versions: ParquetWriter, changes: ChangeCounts) -> tuple[str, Published]:
        """Store a reading that is no window of its own in a folder that is never changed afterwards; the folder."""
        # A window that is read again has the same name as one that is there: it is numbered.
        names = chain([sealed.label], (f"{sealed.label}-{number}" for number in count(2)))
        folders = (self._collection / READINGS / name for name in names)
        folder = next(each for each in folders if store.size(each / NAME) is None)
        manifest = replace(sealed.manifest, format=FORMAT, changes=changes, content=sealed.content)
        return str(folder), publish(folder, versions.parts() if self._keeps_versions else [], manifest, sealed.rejects)

    def _writer(self, **said: str) -> ParquetWriter:
        return ParquetWriter(self._table, {"resource": self._table.resource.name, **said})


class Changes:
    """Compares rows with those that are stored in a folder. What is in a damaged file counts as not there.

    :param folder: of the window; ``None`` when nothing is compared
    :ivar damage: what is wrong with its files, by name; ``None`` where there are none to be compared
    """

    def __init__(self, folder: Any) -> None:
        manifest = manifests.load(folder) if folder is not None else None
        self.damage: dict[str, str] | None = None
        self._paths: list[Any] = []
        if manifest is not None:
            refuse_other_format(folder, manifest, FORMAT)
            self.damage = damage(folder, manifest)
            self._paths = [folder / file.name for file in manifest.files if file.name not in self.damage]
        self._stored = {row[0]: row for path in self._paths for rows in read_columns(path, _COMPARED) for row in rows}
        self._fresh: list[TableRow] = []
        self._inserted = self._updated = 0

    def compare(self, rows: Sequence[TableRow]) -> Sequence[TableRow]:
        """The rows, each as it is stored when it is there in the same version: that shows since when it is known."""
        if not self._stored:
            self._inserted += len(rows)
            self._fresh += rows
            return rows
        compared = list[TableRow]()
        for row in rows:
            stored = self._stored.pop(row[0], None)
            if stored and stored[3] == row[3]:
                compared.append((*stored, *row[4:]))
                continue
            self._inserted += stored is None
            self._updated += stored is not None
            self._fresh.append(row)
            compared.append(row)
        return compared

    def take(self) -> list[TableRow]:
        """The versions that are new since this was asked last."""
        taken, self._fresh = self._fresh, []
        return taken

    def spare(self, keys: Collection[str]) -> list[TableRow]:
        """The stored rows of records that came and did not fit: what was known of them stays."""
        spared = {key for key in keys if self._stored.pop(key, None)}
        paths = self._paths if spared else []
        return [row for path in paths for rows in read_rows(path) for row in rows if row[0] in spared]

    @property
    def deleted(self) -> list[TableRow]:
        """The rows that are stored and did not come, as far as their key."""
        return list(self._stored.values())

    @property
    def counts(self) -> ChangeCounts:
        """How many rows were inserted, updated and deleted."""
        return ChangeCounts(inserted=self._inserted, updated=self._updated, deleted=len(self._stored))


def _stored(folder: str, published: Published, counts: ChangeCounts, *, changed: bool) -> Stored:
    sha256, path = manifests.digest_of(published.raw), f"{folder}/{NAME}"
    return Stored(path=folder, manifest=path, changed=changed, sha256=sha256, damage=published.damage, **counts.dump())
