"""Incoming rows of a load: on the disk as they came, and compared with what is stored by their keys, which are in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.delta.table import DataFile
from airflow_provider_nexus.load.parquet.batches import Batch, arrow, compute, moment, parquet
from airflow_provider_nexus.load.parquet.writer import ParquetWriter, batches

NEW, UNCHANGED, UPDATE, OUTDATED, MOVED = range(5)
"""What comparing found of a row: it is in no file, it is there as it came, it replaces a version, a later one is there, or it is
there as it came but for its creation stamp, which its digest is not of."""
_MINUTE = 60_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Incoming:
    """Takes the rows of one reading of a table."""

    def __init__(self, table: Table) -> None:
        self.created = table.created
        self._compared = [name for name in ("_key", "_read_at", "_content", table.created) if name]
        self._writer = ParquetWriter(table, {})
        self._files: list[Any] = []
        self.marks = bytearray()
        """What comparing found of each row, in order; it begins anew at each try."""

    def write(self, rows: Sequence[TableRow]) -> None:
        """Take rows."""
        self._writer.write(rows)

    def seal(self) -> None:
        """All rows have come."""
        self._files = [part.spool for part in self._writer.parts()]
        pieces = [batch for _, batch in self.rows(self._compared)]
        self.index = arrow.Table.from_batches(pieces) if pieces else self._writer.schema.empty_table().select(self._compared)
        self.index = self.index.replace_schema_metadata(None).combine_chunks()

    def rows(self, names: Sequence[str] | None = None) -> Iterator[tuple[int, Batch]]:
        """All rows in batches, each with the number of its first row."""
        first = 0
        for spool in self._files:
            spool.seek(0)
            for batch in batches(parquet.ParquetFile(spool), names):
                yield first, batch
                first += batch.num_rows

    def close(self) -> None:
        """Free the disk."""
        self._writer.close()

    @cached_property
    def _minutes(self) -> list[int]:
        """The minutes that rows were created in, in order."""
        stamps = self.index[self.created].drop_null().cast(arrow.int64())
        return sorted(compute.unique(compute.divide(stamps, _MINUTE)).to_pylist())

    def may_meet(self, file: DataFile) -> bool:
        """Whether a file may have a row of the same key: a record is created once."""
        if not self.index.num_rows:
            return False
        if not self.created or file.first is None or file.last is None:
            return True
        if self.index[self.created].null_count and file.nulls != 0:
            return True
        place = bisect_left(self._minutes, (file.first - _EPOCH) // timedelta(minutes=1))
        return place < len(self._minutes) and self._minutes[place] <= (file.last - _EPOCH) // timedelta(minutes=1)

    def near(self, file: DataFile) -> Near:
        """The rows that may be in a file."""
        if not self.created or file.first is None or file.last is None:
            return Near(self.index, None, self.created)
        stamps = self.index[self.created]
        is_near = compute.and_(compute.greater_equal(stamps, moment(file.first)), compute.less_equal(stamps, moment(file.last)))
        is_near = compute.fill_null(is_near, True)
        return Near(self.index.filter(is_near), compute.indices_nonzero(is_near), self.created)


class Near:
    """Incoming rows that are looked for among stored ones: an index of their keys, when they were read, and their contents.

    :param numbers: their numbers among all; ``None`` when they are all
    :param created: the column of the creation stamp; empty where there is none
    """

    def __init__(self, index: Any, numbers: Any, created: str) -> None:
        self._index, self._numbers, self._created = index.combine_chunks(), numbers, created
        self._keys = self._index["_key"].combine_chunks()

    def compare(self, stored: Batch) -> tuple[Any, list[tuple[int, int, int]]]:
        """Look for the keys of stored rows, by ``_key``, ``_read_at``, ``_content`` and the creation stamp.

        :return: which rows were found, and of each the number of the stored row, that of the incoming one, and its mark
        """
        places = compute.index_in(stored["_key"], value_set=self._keys)
        found = compute.is_valid(places)
        if not found.true_count:
            return found, []
        mine, theirs = self._index.take(places.drop_null()), stored.filter(found)
        is_same = compute.equal(mine["_content"], theirs["_content"])
        same = arrow.scalar(UNCHANGED)
        if self._created:
            same = compute.if_else(
                compute.fill_null(compute.equal(mine[self._created], theirs[self._created]), True), same, MOVED
            )
        is_newer = compute.greater_equal(mine["_read_at"], theirs["_read_at"])
        marks = compute.if_else(is_same, same, compute.if_else(is_newer, UPDATE, OUTDATED))
        numbers = places.drop_null() if self._numbers is None else self._numbers.take(places.drop_null())
        rows = compute.indices_nonzero(found)
        return found, list(zip(rows.to_pylist(), numbers.to_pylist(), marks.to_pylist(), strict=True))
