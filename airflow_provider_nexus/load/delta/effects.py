"""Effects of a load on the books: accounts of the windows that rows come into or leave, totals by month, unsettled records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec.structs import asdict as members_of
from msgspec.structs import replace

from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import Grouping, TableAccount, TableDigests
from airflow_provider_nexus.load.columns import Table, UnsettledRule
from airflow_provider_nexus.load.copy import Sealed
from airflow_provider_nexus.load.delta.books import Books, Shelf, StoredReading
from airflow_provider_nexus.load.delta.files import contents_of, parted
from airflow_provider_nexus.load.delta.table import MONTH
from airflow_provider_nexus.load.manifest import ChangeCounts, Manifest
from airflow_provider_nexus.load.parquet.batches import Batch, compute, inside, rows_of
from airflow_provider_nexus.load.parquet.index import IndexedTotals
from airflow_provider_nexus.load.parquet.unsettled import noted

Kind = Literal["inserted", "updated", "deleted"]


class Effects:
    """What a load changes of the books; the account of its own window, which it reads whole, is made anew."""

    def __init__(self, table: Table, books: Books, shelf: Shelf, own: str) -> None:
        self._table, self._shelf, self._readings = table, shelf, books.readings
        self.state = TableDigests.load(books.state).current
        self.counts = dict[Kind, int](inserted=0, updated=0, deleted=0)
        self.unsettled = dict(books.unsettled)
        self._rule = UnsettledRule(table) if table.resource.lifecycle else None
        self._grouping = Grouping(table) if table.resource.totals_path else None
        self._months = {month: Totals.load(map(members_of, every)) for month, every in books.months.items()}
        self._others = {label: each.window or ALL_TIME for label, each in books.readings.items() if label != own}
        self._patches = dict[str, Patched]()

    def bring(self, batch: Batch, kind: Kind) -> None:
        """Rows are stored."""
        self._count(batch, 1, kind)
        self.counts[kind] += batch.num_rows
        if self._rule and batch.num_rows:
            self._see(batch, self._rule)

    def take(self, batch: Batch, kind: Kind) -> None:
        """Rows are stored no more."""
        self._count(batch, -1, kind)
        if kind == "deleted":
            self.counts[kind] += batch.num_rows
            if self._rule:
                for key in batch["_key"].to_pylist():
                    self.unsettled.pop(key, None)

    def _count(self, batch: Batch, sign: int, kind: Kind) -> None:
        if not batch.num_rows:
            return
        self.state.add_all(contents_of(batch), sign)
        if self._grouping:
            for month, rows in parted(batch, self._table.created, MONTH):
                values = rows_of(rows.select(list(self._grouping.columns)))
                self._grouping.count(self._months.setdefault(month or "", Totals()), values, sign)
        for label in self._meeting(batch):
            mine = inside(batch, self._table.created, self._others[label])
            if mine.num_rows:
                self._patched(label).count(mine, sign, kind)

    def _meeting(self, batch: Batch) -> list[str]:
        """The windows that lie between the first and the last stamp of a batch."""
        if not self._table.created:
            return list(self._others)
        ends = compute.min_max(batch[self._table.created]).as_py()
        first, last = ends["min"], ends["max"]
        return [
            label
            for label, window in self._others.items()
            if window == ALL_TIME or (first is not None and window.start <= last and first < window.end)
        ]

    def _see(self, batch: Batch, rule: UnsettledRule) -> None:
        """Learn which records may still change."""
        columns = [batch[name].to_pylist() if name else [None] * batch.num_rows for name in (rule.status, rule.ended)]
        created = rows_of(batch.select([self._table.created])) if self._table.created else [(None,)] * batch.num_rows
        for key, (stamp,), status, ended in zip(batch["_key"].to_pylist(), created, *columns, strict=True):
            if stamp is not None and rule.is_unsettled(status, ended):
                self.unsettled[key] = noted(stamp, status)
            else:
                self.unsettled.pop(key, None)

    def _patched(self, label: str) -> Patched:
        if label not in self._patches:
            self._patches[label] = Patched(self._table, self._shelf.manifest(self._readings[label].sha256))
        return self._patches[label]

    def patched(self) -> list[tuple[Window, Patched]]:
        """The windows of which rows are changed that are read whole by others, the longest one first."""
        found = [(self._others[label], patched) for label, patched in self._patches.items()]
        return sorted(found, key=lambda each: each[0].end - each[0].start, reverse=True)

    def recount(self, months: Iterable[tuple[str, Totals]]) -> None:
        """Take counts and sums by month as they were counted anew."""
        self._months |= dict(months)

    @property
    def changes(self) -> ChangeCounts:
        """How many rows were inserted, updated and deleted."""
        return ChangeCounts(**self.counts)

    @property
    def months(self) -> dict[str, list[IndexedTotals]]:
        """Counts and sums by month, as books have them."""
        found = {month: [IndexedTotals(**each) for each in totals.dump()] for month, totals in sorted(self._months.items())}
        return {month: every for month, every in found.items() if every}

    def readings(self, sealed: Sealed, scope: Window | None) -> dict[str, StoredReading]:
        """The readings as they are from now on, the manifests of those that were changed being written."""
        found = dict(self._readings)
        for label, patched in self._patches.items():
            former = found[label]
            sha256 = self._shelf.put_manifest(patched.manifest(sealed, former.sha256))
            found[label] = replace(former, sha256=sha256)
        for label, window in self._others.items() if scope else ():
            if scope and scope.start <= window.start and window.end <= scope.end:
                found[label] = replace(found[label], read_at=max(found[label].read_at, sealed.read_at))
        return found


class Patched:
    """A window of which another reading changes rows, with its manifest as it was stored."""

    def __init__(self, table: Table, stored: Manifest) -> None:
        self._table, self.stored, self._account = table, stored, TableAccount(table, stored)
        self._counts = dict[Kind, int](inserted=0, updated=0, deleted=0)

    def count(self, batch: Batch, sign: int, kind: Kind) -> None:
        """Rows come or go."""
        self._account.add(rows_of(batch), sign)
        if sign > 0 or kind == "deleted":
            self._counts[kind] += batch.num_rows

    @property
    def shifted(self) -> int:
        """Rows that came into it, or left it."""
        return self._counts["inserted"] + self._counts["deleted"]

    def recount(self, batches: Iterable[Batch]) -> None:
        """Take the rows as they are from now on."""
        self._account = TableAccount(self._table)
        for batch in batches:
            self._account.add(rows_of(batch))

    def manifest(self, sealed: Sealed, former: str) -> Manifest:
        """The manifest from now on, which replaces the one of a SHA-256."""
        changes = ChangeCounts(**self._counts)
        patched = self._account.patched(self.stored, sealed.read_at, sealed.manifest.read_by, changes)
        return replace(patched, replaces=former)
