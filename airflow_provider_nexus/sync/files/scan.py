"""Counts and sums of a part of a window, for which its files have to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_nexus.sync.table.columns import Table
from airflow_provider_nexus.sync.table.totals import Grouping, Totals
from airflow_provider_nexus.sync.writers.parquet import read_columns

_KEPT = 100_000
"""Records of a window that is kept in memory, as the next question is most often about a part of the same one."""


class Scan:
    """Reads the columns that matter.

    :param table: whose rows they are
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._place, self._rows = "", list[tuple[Any, ...]]()

    def count(self, totals: Totals, folder: Any, manifest: Mapping[str, Any], start: datetime, end: datetime) -> None:
        """Add the records of a folder that were created in a span."""
        grouping = Grouping(self._table)
        for created, *values in self._of(folder, manifest, (self._table.created, *grouping.columns)):
            if start <= created < end:
                grouping.count_values(totals, values)

    def _of(self, folder: Any, manifest: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        place = f"{folder} {manifest['content']}"
        if place == self._place:
            return iter(self._rows)
        paths = [folder / file["name"] for file in manifest["files"]]
        rows = (row for path in paths for some in read_columns(path, names) for row in some)
        if manifest["records"] > _KEPT:
            return rows
        self._place, self._rows = place, list(rows)
        return iter(self._rows)
