"""Files of a Delta table: rows as they are read back, whatever program has written the file, and new files with statistics."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusError, NexusStorageError
from airflow_provider_nexus.extract.jsonl import Part
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.columns import CONTENT, DIGESTED, Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.delta.table import PARTITIONS, DataFile
from airflow_provider_nexus.load.parquet.batches import Batch, arrow, arrow_schema, compute, parquet
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, batches, opened
from airflow_provider_nexus.load.rows import content_of

_AT_ONCE = 8
"""Files that are written at once. Rows come in order of their creation, so most often one is."""
_MILLISECOND = timedelta(milliseconds=1)


def rows_in(folder: Any, file: DataFile, schema: Any, names: Sequence[str] | None = None) -> Iterator[Batch]:
    """The rows of a file, one row group after the other, as batches of a schema; columns that the file lacks are null.

    :param names: columns that are wanted; all by default
    :raises NexusStorageError: when the file is missing or damaged
    """
    wanted = schema if names is None else arrow.schema([schema.field(name) for name in names])
    path = folder / file.path
    try:
        with opened(path) as source:
            there = set(source.schema_arrow.names)  # made anew each time it is asked for
            for batch in batches(source, [name for name in wanted.names if name in there]):
                yield _fitted(batch, wanted)
    except FileNotFoundError:
        raise _damaged(path, "is missing") from None
    except (arrow.ArrowException, OSError) as error:
        raise _damaged(path, f"can't be read ({type(error).__name__})") from error
    except NexusStorageError:
        raise
    except NexusError:
        raise _damaged(path, "is no Parquet file, or not a whole one") from None


def current_rows(folder: Any, files: Sequence[DataFile], table: Table, names: Sequence[str]) -> Iterator[Batch]:
    """Some columns of the records as they are: all rows, and of a history the newest version of each that is not deleted."""
    schema, wanted = arrow_schema(table, {}), list(dict.fromkeys(names))
    if "_deleted" not in schema.names:
        for file in files:
            yield from rows_in(folder, file, schema, wanted)
        return
    also = list(dict.fromkeys([*wanted, "_key", "_load", "_deleted"]))
    pieces = [arrow.Table.from_batches([batch]) for file in files for batch in rows_in(folder, file, schema, also)]
    if pieces:
        found = newest(arrow.concat_tables(pieces))
        yield from found.filter(compute.invert(found["_deleted"])).select(wanted).to_batches()


def contents_of(batch: Batch) -> list[bytes]:
    """The digests of the rows of a batch, by its column ``_content``."""
    return [bytes.fromhex(each) for each in batch["_content"].to_pylist()]


def digest_of_rows(folder: Any, files: Iterable[DataFile], table: Table) -> Digest:
    """The digest of all rows of files, of a history of all versions."""
    found = Digest()
    for file in files:
        for batch in rows_in(folder, file, arrow_schema(table, {}), ["_content"]):
            found.add_all(contents_of(batch))
    return found


def is_sound(row: TableRow, latest: Iterable[int]) -> bool:
    """Whether the values are those of the row's digest, which may be from before columns were added, which are null then.

    :param latest: the places of the values, that of the column first that was added to the table last
    """
    values = dict(enumerate(row[DIGESTED:]))
    for place in latest:
        if content_of([*values.values()]) == row[CONTENT]:
            return True
        if values.pop(place) is not None:
            return False
    return False


def newest(versions: Any) -> Any:
    """The newest version of each record by ``_key`` and ``_load``, a table of them in one piece."""
    if not versions.num_rows:
        return versions
    order = compute.sort_indices(versions, [("_key", "ascending"), ("_load", "descending")])
    versions = versions.take(order).combine_chunks()
    keys = versions["_key"].combine_chunks()
    is_first = arrow.concat_arrays([arrow.array([True]), compute.not_equal(keys[1:], keys[:-1])])
    return versions.filter(is_first).combine_chunks()


def each_once(versions: Any) -> tuple[Any, Any]:
    """The versions of a history by ``_key`` and ``_load``, and those that are there again: no load brings two of a record."""
    if not versions.num_rows:
        return versions, versions
    versions = versions.take(compute.sort_indices(versions, [("_key", "ascending"), ("_load", "ascending")])).combine_chunks()
    keys, loads = versions["_key"].combine_chunks(), versions["_load"].combine_chunks()
    is_again = compute.and_(compute.equal(keys[1:], keys[:-1]), compute.equal(loads[1:], loads[:-1]))
    is_again = arrow.concat_arrays([arrow.array([False]), is_again])
    return versions.filter(compute.invert(is_again)).combine_chunks(), versions.filter(is_again)


def _damaged(path: Any, what: str) -> NexusStorageError:
    return NexusStorageError(
        f"{path} {what}, and the table names it: take it back from a backup, or restore the table to a version without it"
    )


def _fitted(batch: Batch, schema: Any) -> Batch:
    names = set(batch.schema.names)
    columns = [
        (there if (there := batch[each.name]).type == each.type else there.cast(each.type))
        if each.name in names
        else arrow.nulls(batch.num_rows, each.type)
        for each in schema
    ]
    return arrow.RecordBatch.from_arrays(columns, schema=schema)


class FileWriter:
    """Writes rows into new files of a table, each of one partition.

    :param partition_by: of the table; empty where it has no partitions
    :param others: fields that somebody has added to the table; null in batches that lack them
    :ivar schema: of its files
    """

    def __init__(self, folder: Any, table: Table, partition_by: str, others: Sequence[Any] = ()) -> None:
        self._folder, self._table, self._others = folder, table, others
        self._column, self._width = PARTITIONS[partition_by] if partition_by else ("", 0)
        self._open: dict[str | None, ParquetWriter] = {}
        self._made: list[DataFile] = []
        self.schema = arrow.schema([*arrow_schema(table, {}), *others])

    def write(self, batch: Batch) -> None:
        """Add rows to the files of their partitions."""
        if not batch.num_rows:
            return
        batch = _fitted(batch, self.schema) if self._others else batch
        for value, rows in parted(batch, self._table.created, self._width) if self._column else [(None, batch)]:
            writer = self._open.pop(value, None) or ParquetWriter(self._table, {}, others=self._others)
            self._open[value] = writer  # the last one is the one that was written to last
            writer.write_batch(rows)
            if len(self._open) > _AT_ONCE:
                self._finish(next(iter(self._open)))

    @property
    def partitions(self) -> list[str | None]:
        """Those that rows came for and that are not finished."""
        return list(self._open)

    def finish(self) -> list[DataFile]:
        """Put all of them beside the table's; those that were made since this was asked last."""
        for value in list(self._open):
            self._finish(value)
        made, self._made = self._made, []
        return made

    def close(self) -> None:
        """Free the disk."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()

    def _finish(self, value: str | None) -> None:
        writer = self._open.pop(value)
        try:
            for part in writer.parts():
                if part.records:
                    self._made.append(self._put(part, value))
        finally:
            writer.close()

    def _put(self, part: Part, value: str | None) -> DataFile:
        name = f"part-{uuid.uuid4()}.parquet"
        path = f"{self._column}={value or '__HIVE_DEFAULT_PARTITION__'}/{name}" if self._column else name
        first, last, nulls = _ends(part, self._table.created)
        stats: dict[str, Any] = {"numRecords": part.records}
        if self._table.created:
            # Statistics of times have milliseconds; the last one is rounded up, so that no record lies behind it.
            ends = {"minValues": first, "maxValues": last and last + _MILLISECOND}
            stats |= {word: {self._table.created: _stamp(end)} for word, end in ends.items() if end}
            stats["nullCount"] = {self._table.created: nulls}
        part.spool.seek(0)
        store.put(self._folder / path, part.spool)
        return DataFile(path, part.size, value, part.records, first, last, nulls, msgspec.json.encode(stats).decode())


def parted(batch: Batch, created: str, width: int) -> Iterator[tuple[str | None, Batch]]:
    """The rows of each partition: so many characters of the UTC text of their creation stamps; ``None`` for those without."""
    plain = batch[created].cast(arrow.timestamp("us"))
    values = compute.utf8_slice_codeunits(compute.strftime(plain, "%Y-%m-%d"), 0, width)
    every = compute.unique(values).to_pylist()
    for value in every:
        if len(every) == 1:
            yield value, batch
        else:
            yield value, batch.filter(compute.is_null(values) if value is None else compute.equal(values, value))


def _ends(part: Part, created: str) -> tuple[datetime | None, datetime | None, int]:
    """The first and the last stamp of a part that was written, and how many rows have none."""
    if not created:
        return None, None, 0
    part.spool.seek(0)
    metadata = parquet.ParquetFile(part.spool).metadata
    place = metadata.schema.names.index(created)
    groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
    known = [each for each in groups if each.has_min_max]
    ends = [_utc(end) for each in known for end in (each.min, each.max)]
    return min(ends, default=None), max(ends, default=None), sum(each.null_count for each in groups)


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _stamp(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
