"""Parquet writer: each record's values in typed columns, in parts of bounded size, read back and rewritten as exactly.

Rows go to unnamed temporary files in groups of bounded size, so memory does not grow with their number. The same rows give
the same bytes, however they were handed over: groups and parts are cut by number alone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.jsonl import PART_RECORDS, Part
from airflow_provider_nexus.extract.spool import fill, temporary_file
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet.arrow import Batch, arrow_schema, batch_of, load, rows_of

GROUP_RECORDS = 10_000
"""Records in a row group at most, and so in memory at once."""
_LEVEL = 3
_FIRST = datetime.min.replace(tzinfo=UTC)


class ParquetWriter:
    """Writes rows into parts.

    :param table: whose rows they are
    :param metadata: the metadata of each file, see :func:`~airflow_provider_nexus.load.parquet.arrow.arrow_schema`
    :param part_records: records in a part at most
    :raises NexusConfigurationError: when pyarrow is not installed
    """

    suffix = ".parquet"

    def __init__(self, table: Table, metadata: Mapping[str, str], part_records: int = PART_RECORDS) -> None:
        self.table, self.schema = table, arrow_schema(table, metadata)
        self._most = part_records
        self._rows: list[TableRow] = []
        self._waiting = self.schema.empty_table()
        self._done: list[Part] = []
        self._open: _OpenPart | None = None

    def write(self, rows: Sequence[TableRow]) -> None:
        """Add rows, their values in the order of ``Table.columns``."""
        for start in range(0, len(rows), GROUP_RECORDS):
            self._rows += rows[start : start + GROUP_RECORDS]
            if len(self._rows) >= GROUP_RECORDS:
                self._convert()

    def write_batch(self, batch: Batch) -> None:
        """Add the rows of a batch with the columns of this table, without making Python objects of them."""
        self._convert()
        self._add(batch)

    def parts(self) -> list[Part]:
        """The finished parts; at least one, which is empty when no row was written."""
        self._convert()
        if self._waiting.num_rows:
            self._put(self._waiting.num_rows)
        if self._open or not self._done:
            self._finish(self._open or _OpenPart(self.schema))
        return self._done

    def close(self) -> None:
        """Free the disk."""
        for part in self._done:
            part.spool.close()
        if self._open:
            self._open.writer.close()
            self._open.file.close()
        self._rows, self._open = [], None

    def _convert(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._add(batch_of(rows, self.schema))

    def _add(self, batch: Batch) -> None:
        added = load().Table.from_batches([batch.replace_schema_metadata(self.schema.metadata)])
        self._waiting = load().concat_tables([self._waiting, added])
        while self._waiting.num_rows >= (room := min(GROUP_RECORDS, self._most - (self._open.records if self._open else 0))):
            self._put(room)

    def _put(self, count: int) -> None:
        """Write a row group. It is made of one piece, as pages would be cut otherwise where its pieces end."""
        part = self._open = self._open or _OpenPart(self.schema)
        part.writer.write_table(self._waiting.slice(0, count).combine_chunks(), row_group_size=max(1, count))
        part.records += count
        left = self._waiting.num_rows - count
        self._waiting = self._waiting.slice(count) if left else self.schema.empty_table()
        if part.records == self._most:
            self._finish(part)

    def _finish(self, part: _OpenPart) -> None:
        part.writer.close()  # which writes the footer
        size, name = part.file.tell(), f"part-{len(self._done):05d}{self.suffix}"
        part.file.seek(0)
        self._done.append(Part(name, part.records, size, part.sha256.hexdigest(), part.file))
        self._open = None


class _OpenPart(io.RawIOBase):
    """An unnamed file that is written from its start to its end only, and the digest of what was written."""

    def __init__(self, schema: Any) -> None:
        self.records, self.file, self.sha256 = 0, temporary_file(), hashlib.sha256()
        self.writer = load("pyarrow.parquet").ParquetWriter(self, schema, compression="zstd", compression_level=_LEVEL)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        fill(self.file, data)
        return len(memoryview(data).cast("B"))

    def tell(self) -> int:
        return self.file.tell()


def read_rows(path: Any) -> Iterator[list[TableRow]]:
    """The rows of a file, in the order of ``Table.columns``, equal to those that were written.

    :param path: a ``pathlib.Path`` or anything else with ``.open("rb")``, as Airflow's ``ObjectStoragePath``
    :raises NexusConfigurationError: when pyarrow is not installed
    :raises NexusError: when it is no Parquet file
    """
    with _opened(path) as file:
        for batch in _batches(file):
            yield rows_of(batch)


def read_columns(path: Any, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """The values of some columns, the others not being read.

    :param path: see :func:`read_rows`
    :param names: as in ``Table.columns``
    :raises NexusError: when it is no Parquet file or lacks a column
    """
    with _opened(path) as file:
        missing = [name for name in names if name not in file.schema_arrow.names]
        if missing:
            raise NexusError(f"{path} has no column {', '.join(missing)}: it was written by another version, write it anew")
        for batch in _batches(file, names):
            yield rows_of(batch.select(names))


@dataclass(frozen=True)
class Rewritten:
    """What rewriting changed.

    :param inserted: versions of records that were not there
    :param updated: each version that was replaced, with the one in its place
    :param deleted: rows that were deleted
    """

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
        with _opened(path) as file:
            if file.metadata.num_rows and not file.schema_arrow.equals(writer.schema):
                raise NexusError(f"{path} was written with other columns than this version has: sync its window again")
            for batch in _batches(file):
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
        arrow = load()
        self._stored, self._created, self._scope, self._read_at = stored, table.created, scope, read_at
        self._versions, self._replaced = (arrow.array(list(keys), arrow.string()) for keys in (sorted(known), stored))

    def split(self, batch: Batch, result: Rewritten) -> Batch:
        """The rows that stay; the others are added to the result."""
        compute = load("pyarrow.compute")
        replaced = compute.is_in(batch["_key"], value_set=self._replaced)
        deleted = self._deleted(batch)
        out = replaced if deleted is None else compute.or_(replaced, deleted)
        if not out.true_count:
            return batch
        result.updated.extend((row, self._stored[row[0]]) for row in rows_of(batch.filter(replaced)))
        result.deleted.extend(rows_of(batch.filter(deleted)) if deleted is not None else ())
        return batch.filter(compute.invert(out))

    def _deleted(self, batch: Batch) -> Any:
        """Which rows lie in the scope and are not among the versions; without a stamp it lies in all time only."""
        if self._scope is None:
            return None
        compute = load("pyarrow.compute")
        deleted = compute.invert(compute.is_in(batch["_key"], value_set=self._versions))
        bounds = [(compute.greater_equal, self._created, self._scope.start), (compute.less, self._created, self._scope.end)]
        read = [(compute.less_equal, "_read_at", self._read_at)] if self._read_at else []
        for holds, name, bound in (*(bounds if self._scope != ALL_TIME else ()), *read):
            deleted = compute.and_(deleted, compute.fill_null(holds(batch[name], _moment(bound)), False))
        return deleted


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
        arrow = load()
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


def _moment(value: datetime) -> Any:
    arrow = load()
    return arrow.scalar(value, arrow.timestamp("us", tz="UTC"))


@contextmanager
def _opened(path: Any) -> Iterator[Any]:
    """A Parquet file, its columns to be read piece by piece."""
    arrow, parquet = load(), load("pyarrow.parquet")
    with store.opened(path) as source:
        try:
            file = parquet.ParquetFile(source)
        except arrow.ArrowInvalid:
            raise NexusError(f"{path} is no Parquet file, or not a whole one: write it anew") from None
        yield file


def _batches(file: Any, columns: Sequence[str] | None = None) -> Iterator[Batch]:
    """Batches of a file, one row group being read after the other, so that no more than one is in memory."""
    for number in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=GROUP_RECORDS, row_groups=[number], columns=columns)
