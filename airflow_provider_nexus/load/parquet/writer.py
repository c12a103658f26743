"""Parquet files of rows: typed columns in parts of bounded size, the same bytes for the same rows, read back as exactly.

Rows go to unnamed temporary files in groups of bounded size, so memory does not grow with their number. Groups and parts are cut
by number alone, however the rows were handed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.jsonl import PART_RECORDS, Part
from airflow_provider_nexus.extract.spool import disk_errors, temporary_file
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet.batches import Batch, arrow, arrow_schema, parquet, rows_of

GROUP_RECORDS = 10_000
"""Records in a row group at most, and so in memory at once."""
_BATCH = 500
"""Rows that are made columns at once: as Python objects they take many times the memory."""
_LEVEL = 3


class ParquetWriter:
    """Writes rows of a table into parts.

    :param metadata: the metadata of each file, see :func:`~airflow_provider_nexus.load.parquet.batches.arrow_schema`
    :param part_records: records in a part at most
    :param others: fields that batches have behind those of the table
    :raises NexusConfigurationError: when pyarrow is not installed
    """

    def __init__(
        self, table: Table, metadata: Mapping[str, str], part_records: int = PART_RECORDS, others: Sequence[Any] = ()
    ) -> None:
        known = arrow_schema(table, metadata)
        self.table, self.schema = table, arrow.schema([*known, *others], metadata=known.metadata)
        self._most = part_records
        self._rows: list[TableRow] = []
        self._waiting = self.schema.empty_table()
        self._done: list[Part] = []
        self._open: _OpenPart | None = None

    def write(self, rows: Sequence[TableRow]) -> None:
        """Add rows, their values in the order of ``Table.columns``."""
        rows, self._rows = [*self._rows, *rows], []
        whole = len(rows) - len(rows) % _BATCH
        for start in range(0, whole, _BATCH):
            self.write_batch(batch_of(rows[start : start + _BATCH], self.schema))
        self._rows = rows[whole:]

    def write_batch(self, batch: Batch) -> None:
        """Add the rows of a batch with the columns of this table, without making Python objects of them."""
        self._flush()
        added = arrow.Table.from_batches([batch.replace_schema_metadata(self.schema.metadata)])
        self._waiting = arrow.concat_tables([self._waiting, added])
        while self._waiting.num_rows >= (room := min(GROUP_RECORDS, self._most - (self._open.records if self._open else 0))):
            self._put(room)

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self.write_batch(batch_of(rows, self.schema))

    def parts(self) -> list[Part]:
        """The finished parts; at least one, which is empty when no row was written."""
        self._flush()
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
            with suppress(OSError):  # the disk may be full
                self._open.writer.close()
            with suppress(OSError):
                self._open.file.close()
        self._open = None

    def _put(self, count: int) -> None:
        """Write a row group. It is made of one piece, as pages would be cut otherwise where its pieces end."""
        part = self._open = self._open or _OpenPart(self.schema)
        group, left = self._waiting.slice(0, count).combine_chunks(), self._waiting.num_rows - count
        self._waiting = self._waiting.slice(count) if left else self.schema.empty_table()  # which frees the pieces
        with disk_errors():
            part.writer.write_table(group, row_group_size=max(1, count))
        part.records += count
        if part.records == self._most:
            self._finish(part)

    def _finish(self, part: _OpenPart) -> None:
        with disk_errors():
            part.writer.close()  # which writes the footer
            part.file.flush()
        size, name = part.file.tell(), f"part-{len(self._done):05d}.parquet"
        part.file.seek(0)
        digest = hashlib.file_digest(part.file, "sha256").hexdigest()  # type: ignore[arg-type]
        part.file.seek(0)
        self._done.append(Part(name, part.records, size, digest, part.file))
        self._open = None


class _OpenPart:
    """A part that has room."""

    def __init__(self, schema: Any) -> None:
        self.records, self.file = 0, temporary_file(is_buffered=True)  # pyarrow takes no notice of bytes that found no room
        self.writer = parquet.ParquetWriter(self.file, schema, compression="zstd", compression_level=_LEVEL)


def batch_of(rows: Sequence[TableRow], schema: Any) -> Batch:
    """Rows, at least one, as a batch with the :func:`arrow_schema` of their table."""
    arrays = [arrow.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def read_rows(path: Any) -> Iterator[list[TableRow]]:
    """The rows of a file, in the order of ``Table.columns``, equal to those that were written.

    :param path: a ``pathlib.Path`` or anything else with ``.open("rb")``, as Airflow's ``ObjectStoragePath``
    :raises NexusConfigurationError: when pyarrow is not installed
    :raises NexusError: when it is no Parquet file
    """
    with opened(path) as file:
        for batch in batches(file):
            yield rows_of(batch)


def read_columns(path: Any, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """The values of some columns, named as in ``Table.columns``, of a file as for :func:`read_rows`; the others are not read.

    :raises NexusError: when it is no Parquet file or lacks a column
    """
    with opened(path) as file:
        there = set(file.schema_arrow.names)  # made anew each time it is asked for
        missing = [name for name in names if name not in there]
        if missing:
            raise NexusError(f"{path} has no column {', '.join(missing)}: it was written by another version, write it anew")
        for batch in batches(file, names):
            yield rows_of(batch.select(names))


@contextmanager
def opened(path: Any) -> Iterator[Any]:
    """A Parquet file, its columns to be read piece by piece."""
    unfit = arrow.ArrowInvalid  # that pyarrow is not installed shows first
    with store.opened(path) as source:
        try:
            file = parquet.ParquetFile(source)
        except unfit:
            raise NexusError(f"{path} is no Parquet file, or not a whole one: write it anew") from None
        yield file


def batches(file: Any, columns: Sequence[str] | None = None) -> Iterator[Batch]:
    """Batches of a file, one row group being read after the other, so that no more than one is in memory."""
    for number in range(file.num_row_groups):
        yield from file.iter_batches(batch_size=GROUP_RECORDS, row_groups=[number], columns=columns)
