"""The Delta table of a copy: how it is found, made, and compared with the catalogue, and how a load becomes one commit.

A commit is refused when any other one has come in between, of whatever writer; the load is then merged anew.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal
from urllib.parse import unquote

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError, NexusStorageError
from airflow_provider_nexus.load.collection import is_same
from airflow_provider_nexus.load.columns import DIGESTED, Column, Table
from airflow_provider_nexus.load.delta.books import Shelf
from airflow_provider_nexus.load.delta.library import handle_of, lake_errors, load_library, url_of, without
from airflow_provider_nexus.load.delta.log import APPLICATION, LogCutError, books_at
from airflow_provider_nexus.load.parquet.batches import arrow, arrow_schema

PartitionBy = Literal["month", "day"]
MONTH = len("2026-11")
PARTITIONS: dict[str, tuple[str, int]] = {"month": ("_month", MONTH), "day": ("_day", len("2026-11-28"))}
"""Column of the partitions, and how many characters of the UTC creation stamp are its value."""
VERSIONING = (
    Column("_load", (), "integer", "Number of the load that brought this version"),
    Column("_deleted", (), "flag", "Whether this version says that the record was deleted in Nexus"),
)
"""Columns of a history beside those of the resource."""
_PROPERTIES = {
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "10",
}
_APPEND_ONLY = "delta.appendOnly"
_CHECK = "delta.constraints."
_RULES = {
    "delta.generationExpression": "the generating expression",
    "delta.identity.start": "the identity",
    "delta.invariants": "the invariant",
}
"""Rules in the metadata of a column."""
_WITH_COLUMN_MAPPING = 2
_READABLE = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
"""Features that change nothing in how files of rows are read."""


class VersionTable(Table):
    """The columns of a history."""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Those of the resource, then which load brought the version, and whether it says that the record is deleted."""
        return (*super().columns, *VERSIONING)


@dataclass(frozen=True)
class DataFile:
    """A file of the table, as the log has it, or one that was put beside those and that a commit is to add.

    :param path: relative to the table
    :param partition: value of its partition; ``None`` for records without a stamp
    :param first: no record in it was created earlier; ``None`` when that is not known
    :param last: no record in it was created later
    :param nulls: records without a stamp; ``None`` when that is not known
    :param stats: of one that is to be added: its statistics, as the log stores them
    """

    path: str
    size: int
    partition: str | None
    records: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    nulls: int | None = None
    stats: str = ""


@dataclass(frozen=True)
class Snapshot:
    """The table at its latest version, with the library's own object."""

    folder: Any
    handle: Any
    partition_by: str

    @cached_property
    def books(self) -> int | None:
        """Names the books of the load that its rows are of; ``None`` before the first one.

        :raises NexusStorageError: when it can't be known, as the log was cut off
        """
        try:
            return books_at(self.folder, self.version)
        except LogCutError:
            # How many rows each file has, as far as that is known.
            last, sizes = self.handle.transaction_version(APPLICATION), [each.get("num_records") for each in self._actions]
            if last is None or None in sizes:
                raise
            state = Shelf(self.folder).books(last).state
            if sum(sizes) != (state.records if state.versions is None else state.versions):
                raise
            return int(last)

    @property
    def column(self) -> str:
        """The column of the partitions; empty where there are none."""
        return PARTITIONS[self.partition_by][0] if self.partition_by else ""

    @property
    def _actions(self) -> list[Any]:
        """What the log says of each file."""
        return list(arrow.table(self.handle.get_add_actions(flatten=True)).to_pylist())

    def others(self, table: Table) -> list[Any]:
        """The fields of the table that somebody has added to its columns."""
        known = {*(column.name for column in table.columns), self.column}
        return [each for each in arrow.schema(self.handle.schema().to_arrow()) if each.name not in known]

    def latest(self, table: Table) -> list[int]:
        """The places of a row's values, without those that are not digested, that of the column first that was added last."""
        there = {name: place for place, name in enumerate(arrow.schema(self.handle.schema().to_arrow()).names)}
        names = [column.name for column in table.columns[DIGESTED:] if column not in VERSIONING]
        return sorted(range(len(names)), key=lambda place: there.get(names[place], len(there)), reverse=True)

    @property
    def version(self) -> int:
        """Number of the last commit."""
        return int(self.handle.version())

    def files(self, created: str) -> list[DataFile]:
        """The files that are the table; ``created`` is the column of the creation stamp, empty where there is none."""
        return [
            DataFile(
                unquote(each["path"]),
                each["size_bytes"],
                each.get(f"partition.{self.column}"),
                each.get("num_records"),
                _utc(each.get(f"min.{created}")),
                # Programs cut statistics to milliseconds; the last record may lie behind what they say.
                (last := _utc(each.get(f"max.{created}"))) and last + timedelta(milliseconds=1),
                each.get(f"null_count.{created}"),
            )
            for each in self._actions
        ]


def by_month(files: Iterable[DataFile]) -> dict[str, list[DataFile]]:
    """Files by the month of their partition; empty for those of records without a stamp."""
    months: dict[str, list[DataFile]] = {}
    for file in files:
        months.setdefault((file.partition or "")[:MONTH], []).append(file)
    return months


class LakeTable:
    """A Delta table that is the copy of one resource.

    :param folder: its root, a ``pathlib.Path`` or an ``ObjectStoragePath``
    :param belongs: whose records it has: ``resource``, ``environment``, ``base_url`` and ``output``
    :param partition_by: of a table that is made; ``None`` to take that of the table
    :param storage_options: what the library needs to open the store
    """

    def __init__(
        self,
        folder: Any,
        table: Table,
        belongs: Mapping[str, str],
        *,
        partition_by: str | None,
        storage_options: Mapping[str, str],
    ) -> None:
        self.folder, self.table, self._url = folder, table, url_of(folder)
        self._belongs, self._asked, self._options = dict(belongs), partition_by, dict(storage_options)

    def opened(self) -> Snapshot | None:
        """The table as it is now; ``None`` when there is none.

        :raises NexusConfigurationError: when what lies there is another copy, or no table that a sync has made
        :raises NexusStorageError: when the store fails
        """
        with lake_errors(self.folder, "read"):
            handle = handle_of(self.folder, self._options)
            if handle is None:
                return None
            partition_by = self._compared(handle.metadata().configuration)
            protocol = handle.protocol()
        unreadable = sorted({*(protocol.reader_features or ())} - _READABLE)
        if unreadable or protocol.min_reader_version == _WITH_COLUMN_MAPPING:
            what = ", ".join(unreadable) or "columnMapping"
            raise NexusConfigurationError(f"{self.folder} can't be read here: it has {without(what)}")
        return Snapshot(self.folder, handle, partition_by)

    def made(self) -> Snapshot:
        """The table as it is now, made if there is none."""
        if (found := self.opened()) is not None:
            return found
        library, column = load_library(), PARTITIONS[self._asked or "month"][0] if self.table.created else ""
        kept = {f"{APPLICATION}.{name}": value for name, value in self._belongs.items()}
        kept[f"{APPLICATION}.partition_by"] = (self._asked or "month") if column else ""
        if self.table.created:
            kept["delta.dataSkippingStatsColumns"] = f"_key,{self.table.created}"
        with lake_errors(self.folder, "written"), suppress(library.exceptions.DeltaError):
            # When it fails as another run was faster, that one's is opened; any other cause shows where nothing can be.
            library.DeltaTable.create(
                self._url,
                self._schema(column),
                mode="error",
                partition_by=[column] if column else None,
                configuration=_PROPERTIES | kept,
                storage_options=self._options or None,
                raise_if_key_not_exists=False,
            )
        found = self.opened()
        if found is None:
            raise NexusStorageError(f"{self.folder}: no table could be made there. Can this user write to it?")
        return found

    def fitted(self, snapshot: Snapshot) -> Snapshot:
        """The table with a column for each one of the catalogue; missing ones are added, empty, at its end.

        :raises NexusConfigurationError: when files of the table may not be replaced, or it has rules that are not checked
        :raises NexusContractError: when a column has another type: nothing is changed then
        """
        self._refuse_rules(snapshot.handle)
        if snapshot.handle.metadata().configuration.get(_APPEND_ONLY, "").lower() == "true":
            hint = f"switch it off, as by ALTER TABLE ... SET TBLPROPERTIES ('{_APPEND_ONLY}' = 'false')"
            raise NexusConfigurationError(
                f"{self.folder} has {_APPEND_ONLY}=true, and loads and compactions replace files: {hint}"
            )
        library, stored = load_library(), arrow.schema(snapshot.handle.schema().to_arrow())
        wanted = self._schema(snapshot.column)
        types = {each.name: each.type for each in stored}
        other = [
            f"{each.name} is {types[each.name]}, not {each.type}"
            for each in wanted
            if types.get(each.name) not in (None, each.type)
        ]
        strange = [each.name for each in stored if each.name not in wanted.names and not each.nullable]
        if other or strange:
            what = "; ".join([*other, *(f"{name} may not be null, and no record has it" for name in strange)])
            raise NexusContractError(
                f"{self.folder} can't take these rows: {what}. Values are never converted, as digits could be lost: "
                "sync into another path, or rewrite the table's column with the type of the catalogue"
            )
        missing = [each for each in wanted if each.name not in types]
        if not missing:
            return snapshot
        fields = library.Schema.from_arrow(arrow.schema([each.with_nullable(True) for each in missing])).fields
        with lake_errors(self.folder, "written"), suppress(library.exceptions.CommitFailedError):
            snapshot.handle.alter.add_columns(fields)  # another run may just have done the same
        found = self.opened()
        return self.fitted(found or snapshot)

    def _refuse_rules(self, handle: Any) -> None:
        """Refuse a table with rules that its readers rely on, as the library checks none of them in a commit of files."""
        rules = [
            f"the CHECK constraint {name[len(_CHECK) :]}" for name in handle.metadata().configuration if name.startswith(_CHECK)
        ]
        for column in handle.schema().fields:
            rules += [f"{_RULES[each]} of {column.name}" for each in _RULES if each in column.metadata]
        if rules:
            raise NexusConfigurationError(
                f"{self.folder} has {', '.join(sorted(rules))}, which no load checks: drop it, as by ALTER TABLE ... DROP "
                "CONSTRAINT, and check the rows by a query after each load"
            )

    def commit(
        self,
        snapshot: Snapshot,
        added: Sequence[DataFile],
        removed: Iterable[DataFile],
        books: int,
        said: Mapping[str, str],
    ) -> bool:
        """Add and remove files, and name the books, in one commit.

        :param books: names them
        :param said: what a person finds in the table's history
        :return: whether it was done; not when another commit has come in between, of whatever writer
        :raises NexusStorageError: when the store fails
        """
        library, transaction = load_library(), importlib.import_module("deltalake.transaction")
        column, now = snapshot.column, int(time.time() * 1000)

        def values(file: DataFile) -> dict[str, str | None]:
            return {column: file.partition} if column else {}

        actions = [transaction.AddAction(each.path, each.size, values(each), now, True, each.stats) for each in added]
        actions += [
            transaction.RemoveAction(each.path, True, now, size=each.size, partition_values=values(each)) for each in removed
        ]
        properties = library.CommitProperties(
            custom_metadata=dict(said), max_commit_retries=0, app_transactions=[library.Transaction(APPLICATION, books)]
        )
        partitions = [column] if column else None
        with lake_errors(self.folder, "written"):
            try:
                schema = snapshot.handle.schema()
                snapshot.handle.create_write_transaction(actions, "append", schema, partitions, commit_properties=properties)
            except library.exceptions.DeltaError as error:
                # A commit that was stored may still be reported as failed: by its answer being lost, or a checkpoint after it.
                there = self.opened()
                if there is not None and there.books == books:
                    return True
                if isinstance(error, library.exceptions.CommitFailedError) and there and there.version > snapshot.version:
                    return False
                raise
        return True

    def _compared(self, configuration: Mapping[str, str]) -> str:
        """How the table is partitioned, once it was found to be this copy's."""
        prefix = f"{APPLICATION}."
        stored = {name.removeprefix(prefix): value for name, value in configuration.items() if name.startswith(prefix)}
        if not stored:
            raise NexusConfigurationError(f"{self.folder} is a Delta table that no sync has made: give another path")
        for name, value in self._belongs.items():
            if stored.get(name) != value and not (name == "base_url" and is_same(stored.get(name), value)):
                what = f"{name.replace('_', ' ')} {stored.get(name)!r}, not {value!r}"
                raise NexusConfigurationError(f"{self.folder} contains another copy: {what}. Give this one a path of its own.")
        partition_by = stored.get("partition_by", "")
        if self._asked and partition_by and self._asked != partition_by:
            raise NexusConfigurationError(
                f"{self.folder} is partitioned by {partition_by}, not by {self._asked}: go on with "
                f"partition_by={partition_by!r}, or sync into another path"
            )
        return partition_by

    def _schema(self, column: str) -> Any:
        schema = arrow_schema(self.table, {})
        if not column:
            return schema
        meaning = "Partition: the UTC month or day of creation"
        return schema.append(arrow.field(column, arrow.string(), metadata={"meaning": meaning}))


def _utc(value: Any) -> datetime | None:
    return value.astimezone(UTC) if isinstance(value, datetime) else None
