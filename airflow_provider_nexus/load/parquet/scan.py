"""Scan: counts and sums of a part of a window, for which its files are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from itertools import chain, islice
from typing import Any

from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.load.account import Grouping
from airflow_provider_nexus.load.claims import refuse_damaged
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.parquet.writer import read_columns

_KEPT = 100_000
"""Records of a window that stays in memory, by their own number and not by that of its manifest: the next question is most
often about a part of the same one."""


Values = Iterator[tuple[Any, ...]]
"""Of each record its creation, then what :class:`~airflow_provider_nexus.load.account.Grouping` asks for."""


class Scan:
    """Reads the columns of a table that matter.

    :param read: reads them off a folder, given its manifest; by default off Parquet files
    """

    def __init__(self, table: Table, read: Callable[[Any, Manifest], Values] | None = None) -> None:
        self._table = table
        self._read = read or self.typed
        self._place, self._rows = "", list[tuple[Any, ...]]()
        self._sound = ""

    @cached_property
    def _grouping(self) -> Grouping:
        """Made when it is needed: a copy of a resource without totals has none."""
        return Grouping(self._table)

    def count(self, totals: Totals, folder: Any, manifest: Manifest, start: datetime, end: datetime) -> None:
        """Add the records of a folder that were created in a span.

        :raises NexusStorageError: when its files are damaged
        """
        found = self._of(folder, manifest)
        inside = (values for created, *values in found if created is not None and start <= created < end)
        self._grouping.count(totals, inside)

    def typed(self, folder: Any, manifest: Manifest) -> Values:
        """Those of Parquet files."""
        names = (self._table.created, *self._grouping.columns)
        for file in manifest.files:
            for rows in read_columns(folder / file.name, names):
                yield from rows

    def _of(self, folder: Any, manifest: Manifest) -> Values:
        place = f"{folder} {[file.sha256 for file in manifest.files]}"
        if place == self._place:
            return iter(self._rows)
        if place != self._sound:
            refuse_damaged(folder, manifest)
            self._sound = place
        rows = self._read(folder, manifest)
        first = list(islice(rows, _KEPT + 1))
        if len(first) > _KEPT:
            return chain(first, rows)
        self._place, self._rows = place, first
        return iter(first)
