"""Merge of a reading into the files of a Delta table: those that have rows which change are written anew, beside the old ones.

Only files that may have a row of the reading are looked into, and of them first the keys alone. Rows that stay, and rows that are
new, never become Python objects, but for the columns that the books add up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import Digest, TableAccount
from airflow_provider_nexus.load.columns import DIGESTED, Table
from airflow_provider_nexus.load.copy import Sealed, warn_outdated
from airflow_provider_nexus.load.delta.effects import Effects
from airflow_provider_nexus.load.delta.files import FileWriter, contents_of, each_once, is_sound, newest, rows_in
from airflow_provider_nexus.load.delta.incoming import MOVED, NEW, OUTDATED, UPDATE, Incoming, Near
from airflow_provider_nexus.load.delta.table import VERSIONING, DataFile, Snapshot, VersionTable
from airflow_provider_nexus.load.parquet.batches import Batch, arrow, arrow_schema, compute, inside, is_gone, is_inside, rows_of
from airflow_provider_nexus.load.parquet.writer import batch_of
from airflow_provider_nexus.load.rows import content_of

REPLACED, DELETED, TWICE, KEPT, EDITED = range(1, 6)
"""What becomes of a stored row: another version comes, or none; it is there twice; it stays though it did not come, or older; it
goes even from a history, as somebody has given it another creation stamp."""
_IN_PLACE = 50_000
"""Versions that are put where those before them were. More would be in memory at once: they go to files of their own."""
_SMALL, _MANY_SMALL = 10_000, 16
"""Files of fewer records than this are made one when a partition that gets new rows has as many of them as that."""


@dataclass
class Plan:
    """What becomes of the rows of a file: a mark for each, zero where nothing is to be done, and the rows that replace some."""

    file: DataFile
    marks: bytearray
    updates: list[int] = field(default_factory=list)


class DeltaMerge:
    """Merges one reading into the table as it is at one version.

    :param scope: what the reading is the whole of
    :param own: the window that gets a manifest of its own by this; all time where records have none; else ``None``
    :param effects: gets what is changed
    :param number: of the load
    :ivar is_history: whether rows are never changed and each version is stored
    :ivar before: the files that were the table
    :ivar added: files to be added
    :ivar removed: files to be removed
    :ivar found: the rows of the own window as they were stored before
    :ivar versions: the rows that were added to a history
    :ivar twice: rows that went as they were there twice
    :ivar edited: rows that went whose values were not those that a load has brought
    """

    def __init__(
        self,
        columns: Table,
        snapshot: Snapshot,
        incoming: Incoming,
        sealed: Sealed,
        *,
        scope: Window | None,
        own: Window | None,
        effects: Effects,
        number: int,
    ) -> None:
        self._folder, self._table, self._incoming, self._sealed = snapshot.folder, columns, incoming, sealed
        self._scope, self._own, self._effects = scope, own, effects
        self._number, self.is_history, self._partition_by = number, isinstance(columns, VersionTable), snapshot.partition_by
        self.before = snapshot.files(columns.created)
        self._schema, self._others, self._latest = arrow_schema(columns, {}), snapshot.others(columns), snapshot.latest(columns)
        self._leaving = (TWICE, EDITED) if self.is_history else (REPLACED, DELETED, TWICE)
        self._spared = arrow.array(sorted({each.key for each in sealed.rejects}), arrow.string())
        self.account = TableAccount(columns, replace(sealed.manifest, **sealed.account.members()))
        self.added, self.removed = list[DataFile](), list[DataFile]()
        self.found, self.versions, self.twice, self.edited = Digest(), Digest(), 0, 0

    def run(self) -> None:
        """Compare, and write the files; nothing is committed."""
        self._incoming.marks = bytearray(self._incoming.index.num_rows)
        near = [file for file in self.before if self._may_change(file)]
        plans = self._plans_of_versions(near) if self.is_history else [self._plan(file) for file in near]
        writer = self._writer()
        try:
            updates = self._bring(writer)
            for plan in plans:
                self._carry_out(plan, writer, updates)
            self._absorb(writer)
            self.added += writer.finish()
        finally:
            writer.close()

    def _writer(self) -> FileWriter:
        return FileWriter(self._folder, self._table, self._partition_by, self._others)

    @property
    def after(self) -> list[DataFile]:
        """The files that are the table from now on."""
        gone = {file.path for file in self.removed}
        return [*(file for file in self.before if file.path not in gone), *self.added]

    def _may_change(self, file: DataFile) -> bool:
        return self._incoming.may_meet(file) or any(meets(span, file) for span in (self._scope, self._own) if span)

    def _plan(self, file: DataFile) -> Plan:
        """Compare the rows of a file with those that came."""
        plan, near = Plan(file, bytearray()), self._incoming.near(file)
        for batch in rows_in(self._folder, file, self._schema, self._compared):
            marks = bytearray(batch.num_rows)
            plan.updates += self._compare(near, batch, marks)
            plan.marks += marks
        return plan

    @property
    def _compared(self) -> list[str]:
        names = ["_key", "_read_at", "_content", *([self._table.created] if self._table.created else [])]
        return [*names, "_load", "_deleted"] if self.is_history else names

    def _compare(self, near: Near, stored: Batch, marks: bytearray) -> list[int]:
        """Mark stored rows, and those that came; the numbers of the versions that replace some."""
        incoming, updates = self._incoming.marks, list[int]()
        found, matches = near.compare(stored)
        for row, number, mark in matches:
            if incoming[number]:
                marks[row] = TWICE
                continue
            incoming[number] = UPDATE if mark == MOVED else mark
            if mark in (UPDATE, MOVED):
                marks[row] = EDITED if self.is_history and mark == MOVED else REPLACED
                updates.append(number)
            elif mark == OUTDATED:
                marks[row] = KEPT
        mine = is_inside(stored, self._table.created, self._own) if self._own else None
        if mine is not None:
            if TWICE in marks:
                mine = compute.and_(mine, arrow.array([mark != TWICE for mark in marks], arrow.bool_()))
            self.found.add_all(contents_of(stored.filter(mine)))
        if self._scope:  # what came and did not fit stays
            stays = compute.or_(found, compute.is_in(stored["_key"], value_set=self._spared))
            deleted = is_gone(stored, stays, self._table.created, self._scope, self._sealed.read_at)
            for row in compute.indices_nonzero(deleted).to_pylist():
                marks[row] = DELETED
        if mine is not None:
            for row in compute.indices_nonzero(compute.and_(mine, compute.invert(found))).to_pylist():
                marks[row] = marks[row] or KEPT
        return updates

    def _plans_of_versions(self, files: Sequence[DataFile]) -> list[Plan]:
        """Compare the newest version of each record with those that came."""
        plans, pieces = list[Plan](), list[Any]()
        for number, file in enumerate(files):
            plans.append(Plan(file, bytearray()))
            for batch in rows_in(self._folder, file, self._schema, self._compared):
                rows = arrow.Table.from_batches([batch])
                first, count = len(plans[-1].marks), batch.num_rows
                rows = rows.append_column("file", arrow.array([number] * count, arrow.int32()))
                pieces.append(rows.append_column("row", arrow.array(range(first, first + count), arrow.int64())))
                plans[-1].marks += bytearray(count)
        if not pieces:
            return plans
        versions, again = each_once(arrow.concat_tables(pieces))
        for number, row in zip(again["file"].to_pylist(), again["row"].to_pylist(), strict=True):
            plans[number].marks[row] = TWICE
        latest = newest(versions)
        near = Near(self._incoming.index, None, self._table.created)
        for batch in latest.filter(latest["_deleted"]).combine_chunks().to_batches():
            for _, number, mark in near.compare(batch)[1]:
                self._incoming.marks[number] = OUTDATED if mark == OUTDATED else NEW
        for batch in latest.filter(compute.invert(latest["_deleted"])).combine_chunks().to_batches():
            marks = bytearray(batch.num_rows)
            self._compare(near, batch, marks)
            for file_number, row, mark in zip(batch["file"].to_pylist(), batch["row"].to_pylist(), marks, strict=True):
                plans[file_number].marks[row] = mark
        return plans

    def _bring(self, writer: FileWriter) -> Updates:
        """Write what is new; what replaces a version is given back, if it is not too much."""
        marks, updates = self._incoming.marks, Updates(self._schema)
        in_place = not self.is_history and marks.count(UPDATE) <= _IN_PLACE
        for first, batch in self._incoming.rows():
            of_batch = marks[first : first + batch.num_rows]
            new, update, outdated = (marked(batch, of_batch, mark) for mark in (NEW, UPDATE, OUTDATED))
            self._effects.bring(new, "inserted")
            self._effects.bring(update, "updated")
            self._store(new, writer)
            if not in_place:
                self._store(update, writer)
            elif update.num_rows:
                updates.add([first + place for place, mark in enumerate(of_batch) if mark == UPDATE], update)
            self.account.add(rows_of(outdated), -1)
            if self._own and self._sealed.manifest.proof.outside:
                outside = batch.filter(compute.invert(is_inside(batch, self._table.created, self._own)))
                self.account.add(rows_of(outside), -1)
        if outdated_count := marks.count(OUTDATED):
            warn_outdated(f"Delta table {self._folder}", outdated_count)
        return updates

    def _store(self, batch: Batch, writer: FileWriter, *, is_deleted: bool = False) -> None:
        if self.is_history and batch.num_rows:
            count = batch.num_rows
            extra = [arrow.array([self._number] * count, arrow.int64()), arrow.array([is_deleted] * count, arrow.bool_())]
            batch = arrow.RecordBatch.from_arrays([*batch.columns, *extra], schema=self._schema)
            self.versions.add_all(contents_of(batch))
        writer.write(batch)

    def _carry_out(self, plan: Plan, writer: FileWriter, updates: Updates) -> None:
        """Write a file anew without the rows that leave it, and tell the books of them."""
        if not any(plan.marks):
            return
        anew = self._writer()
        is_written = any(mark in plan.marks for mark in self._leaving)
        first = 0
        try:
            for batch in rows_in(self._folder, plan.file, anew.schema):
                of_batch = plan.marks[first : first + batch.num_rows]
                first += batch.num_rows
                staying = self._leave(batch, of_batch, writer) if any(of_batch) else batch
                if is_written:
                    anew.write(staying)
            if is_written:
                anew.write(updates.of(plan.updates))
                self.added += anew.finish()
                self.removed.append(plan.file)
        finally:
            anew.close()

    def _leave(self, whole: Batch, marks: bytearray, writer: FileWriter) -> Batch:
        """Tell the books of the rows that leave a file; those that stay, with the columns that others have added."""
        batch = whole.select(self._schema.names)
        deleted, twice = marked(batch, marks, DELETED), marked(batch, marks, TWICE)
        replaced = marked(batch, bytearray(REPLACED if mark == EDITED else mark for mark in marks), REPLACED)
        self._effects.take(replaced, "updated")
        self._effects.take(deleted, "deleted")
        self.twice += twice.num_rows
        names = [column.name for column in self._table.columns if column not in VERSIONING]
        rows = (row for rows in (replaced, deleted) for row in rows_of(rows.select(names)))
        self.edited += sum(not is_sound(row, self._latest) for row in rows)
        if self.is_history and deleted.num_rows:
            self._store(self._tombstones(deleted), writer, is_deleted=True)
        if self._own:
            self.account.add(rows_of(inside(marked(batch, marks, KEPT), self._table.created, self._own)))
        return whole.filter(arrow.array([mark not in self._leaving for mark in marks], arrow.bool_()))

    def _tombstones(self, deleted: Batch) -> Batch:
        """Versions that say that records were deleted: their key and when they were created."""
        names = [column.name for column in self._table.columns[:-2]]
        created = names.index(self._table.created) if self._table.created else None
        rows = []
        for row in rows_of(deleted):
            values = [value if place == created else None for place, value in enumerate(row[:-2])][DIGESTED:]
            rows.append((row[0], self._sealed.read_at, self._sealed.manifest.read_by, content_of(values), *values))
        return batch_of(rows, arrow.schema(list(self._schema)[:-2]))

    def _absorb(self, writer: FileWriter) -> None:
        """Make many small files of a partition that gets new rows one, so that their number does not grow with that of loads."""
        gone = {file.path for file in self.removed}
        for partition in writer.partitions:
            mine = [each for each in self.before if each.partition == partition and each.path not in gone]
            small = [each for each in mine if each.records is not None and each.records < _SMALL]
            for file in small if len(small) >= _MANY_SMALL else ():
                for batch in rows_in(self._folder, file, writer.schema):
                    writer.write(batch)
                self.removed.append(file)


class Updates:
    """Versions that replace others, by their numbers among the incoming rows."""

    def __init__(self, schema: Any) -> None:
        self._schema, self._numbers, self._pieces = schema, list[int](), list[Batch]()

    def add(self, numbers: list[int], batch: Batch) -> None:
        """Take some, in order."""
        self._numbers += numbers
        self._pieces.append(batch)

    def of(self, numbers: Sequence[int]) -> Batch:
        """Those of some numbers; none where none are kept."""
        if not numbers or not self._pieces:
            return arrow.RecordBatch.from_pylist([], schema=self._schema)
        if len(self._pieces) > 1:
            whole = arrow.Table.from_batches(self._pieces).combine_chunks()
            self._pieces = whole.to_batches()
        return self._pieces[0].take(arrow.array([bisect_left(self._numbers, each) for each in numbers], arrow.int64()))


def marked(batch: Batch, marks: bytearray, mark: int) -> Batch:
    """The rows of a batch that have a mark."""
    count = marks.count(mark)
    if count == len(marks):
        return batch
    if not count:
        return batch.slice(0, 0)
    return batch.filter(arrow.array([each == mark for each in marks], arrow.bool_()))


def meets(window: Window, file: DataFile) -> bool:
    """Whether a file may have records that were created in a window."""
    if window == ALL_TIME or file.first is None or file.last is None:
        return True
    return file.first < window.end and window.start <= file.last
