"""Patches: a stored window of which a few records changed. Its files are rewritten beside it, then put in its place.

Rows that stay never become Python objects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import TableAccount
from airflow_provider_nexus.load.claims import refuse_changed, refuse_damaged
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Reject, Sealed, TableRow
from airflow_provider_nexus.load.manifest import ChangeCounts, Manifest
from airflow_provider_nexus.load.parquet.batches import Batch, arrow, compute, is_gone, rows_of
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, batch_of, batches, opened, read_columns
from airflow_provider_nexus.load.publish import publish

DELETED = ""
"""Content of a version that marks its record as deleted in Nexus; its other columns are null."""
_FIRST = datetime.min.replace(tzinfo=UTC)


class Patch:
    """Changes one folder of a window, which has a manifest.

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
        :param read_at: when they were read, by the reading ``read_by``
        :param scope: what they are the whole of; see :func:`rewrite`
        :param spared: keys of records that did not fit
        :raises NexusError: when a file has other columns than this version
        :raises NexusStorageError: when its files are damaged, or another run changes the folder
        """
        refuse_damaged(self._folder, self._manifest)
        paths = [self._folder / file.name for file in self._manifest.files]
        self._result = rewrite(paths, self._writer, versions, scope=scope, read_at=read_at, spared=spared)
        refuse_changed(self._folder, self._manifest)
        if any(self.counts.dump().values()):
            account = TableAccount(self._table, self._manifest)
            account.add([*self._result.deleted, *(old for old, _ in self._result.updated)], -1)
            account.add(self.versions)
            self._manifest = account.patched(self._manifest, read_at, read_by, self.counts)

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
    def name(self) -> str:
        """The folder's name."""
        return str(self._folder.name)

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


@dataclass(frozen=True)
class Rewritten:
    """What rewriting changed: new versions, each replaced one with the one in its place, and rows that were deleted."""

    inserted: list[TableRow] = field(default_factory=list)
    updated: list[tuple[TableRow, TableRow]] = field(default_factory=list)
    deleted: list[TableRow] = field(default_factory=list)


def rewrite(
    paths: Sequence[Any],
    writer: ParquetWriter,
    versions: Mapping[str, TableRow],
    *,
    scope: Window | None = None,
    read_at: datetime | None = None,
    spared: Collection[str] = (),
) -> Rewritten:
    """Write files anew with other versions of some records. Rows that stay never become Python objects.

    A version that was read before the one that is stored, or that has the same content, does not replace it. Files
    whose rows are sorted by creation and key give files that are, and versions go where they belong.

    :param paths: of the files, in order, see :func:`read_rows`
    :param versions: by key
    :param scope: what the versions are the whole of: rows created in it that are not among them are deleted
    :param read_at: when the versions were read: rows read later are not deleted; ``None`` when all may be
    :param spared: keys of records that are there and did not fit: what is stored of them stays
    :raises NexusError: when a file is no Parquet file or has other columns than the writer's table
    """
    known = _known(paths, versions)
    stored = {key: row for key, row in versions.items() if _replaces(row, known.get(key))}
    result = Rewritten(inserted=[row for key, row in stored.items() if key not in known])
    left = _Leaving(writer.table, {*versions, *spared}, stored, scope, read_at)
    coming = _Coming(writer, stored)
    for path in paths:
        with opened(path) as file:
            if file.metadata.num_rows and not file.schema_arrow.equals(writer.schema):
                raise NexusError(f"{path} was written with other columns than this version has: sync its window again")
            for batch in batches(file):
                coming.merge(batch, left.split(batch, result))
    coming.rest()
    return result


_Known = tuple[datetime, str]
"""When a version was read, and its content."""


def _known(paths: Sequence[Any], versions: Mapping[str, TableRow]) -> dict[str, _Known]:
    rows = (row for path in paths for some in read_columns(path, ("_key", "_read_at", "_content")) for row in some)
    return {key: (read_at, content) for key, read_at, content in rows if key in versions}


def _replaces(row: TableRow, known: _Known | None) -> bool:
    return known is None or (row[1] >= known[0] and row[3] != known[1])


class _Leaving:
    """Takes the rows out of batches that are replaced or deleted."""

    def __init__(
        self, table: Table, known: Collection[str], stored: Mapping[str, TableRow], scope: Window | None, read_at: datetime | None
    ) -> None:
        self._stored, self._created, self._scope, self._read_at = stored, table.created, scope, read_at
        self._versions, self._replaced = (arrow.array(list(keys), arrow.string()) for keys in (sorted(known), stored))

    def split(self, batch: Batch, result: Rewritten) -> Batch:
        """The rows that stay; the others are added to the result."""
        out = replaced = compute.is_in(batch["_key"], value_set=self._replaced)
        if self._scope:
            came = compute.is_in(batch["_key"], value_set=self._versions)
            deleted = is_gone(batch, came, self._created, self._scope, self._read_at)
            result.deleted.extend(rows_of(batch.filter(deleted)))
            out = compute.or_(replaced, deleted)
        if not out.true_count:
            return batch
        result.updated.extend((row, self._stored[row[0]]) for row in rows_of(batch.filter(replaced)))
        return batch.filter(compute.invert(out))


class _Coming:
    """Puts versions between the rows that stay, by creation and key."""

    def __init__(self, writer: ParquetWriter, stored: Mapping[str, TableRow]) -> None:
        names = [column.name for column in writer.table.columns]
        self._writer, created = writer, writer.table.created
        self._created = names.index(created) if created else None
        self._order = [(name, "ascending") for name in (created, "_key") if name]
        self._rows = sorted(stored.values(), key=self._place)

    def merge(self, batch: Batch, staying: Batch) -> None:
        """Write what stays of a batch, and between it the versions that belong before the batch's last row."""
        count = self._before(batch)
        if not count:
            self._writer.write_batch(staying)
            return
        due, self._rows = self._rows[:count], self._rows[count:]
        pieces = [arrow.Table.from_batches([each]) for each in (batch_of(due, self._writer.schema), staying)]
        merged = arrow.concat_tables(pieces).combine_chunks().sort_by(self._order)
        for each in merged.to_batches():
            self._writer.write_batch(each)

    def rest(self) -> None:
        """Write the versions that belong after all rows."""
        self._writer.write(self._rows)

    def _before(self, batch: Batch) -> int:
        if not self._rows:
            return 0
        last = self._place(rows_of(batch.slice(batch.num_rows - 1))[0])
        return sum(self._place(row) <= last for row in self._rows)

    def _place(self, row: TableRow) -> tuple[bool, datetime, str]:
        """Rows without creation stamp come last, as where Arrow sorts."""
        created = row[self._created] if self._created is not None else None
        return created is None, created or _FIRST, row[0]
