"""A copy of a resource in a SQL database: PostgreSQL, MySQL, MariaDB or SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.extract.request import CONTRACTS, Contract
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import ALL_TIME, Window, joined
from airflow_provider_nexus.load.account import TableDigests
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Checked, Output, Reject, Sealed, Stored, TableRow
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.load.sql.bookkeeping import BACKUP, Bookkeeping
from airflow_provider_nexus.load.sql.check import ManifestCheck, check
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.merge import Ground, SqlMerge
from airflow_provider_nexus.load.sql.place import placed
from airflow_provider_nexus.load.sql.schema import prepare
from airflow_provider_nexus.load.sql.sessions import reading, session, snapshot, transaction
from airflow_provider_nexus.load.sql.staging import Staging
from airflow_provider_nexus.load.sql.tables import Model, totals_of, unsettled_in


class _Unchanged(Exception):  # noqa: N818 - it undoes a transaction, and never leaves this module
    """A rerun has brought the same."""


class SqlCopy:
    """A copy in one table, with its books in ``nexus_table``, ``nexus_manifest`` and ``nexus_rejected`` beside it.

    The tables are made at the first use. Loads of one table wait for each other, and each is one transaction. The rows
    wait in a temporary table of the session until all of them have come; a pool of connections that changes the session between
    transactions can't be used. A view beside the table has the records alone.

    :param engine: of the database; it stays the caller's
    :param name: of the table, behind a schema and a point if it has one
    :param table: the columns of the ``resource`` that it is a copy of
    :param environment: whose records they are, read at ``base_url``
    :param output: one row for each record, or one for each version that was seen
    :param contract: what becomes of differences between the table and the catalogue
    :param batch: rows in one statement
    :raises NexusConfigurationError: when an argument is none of those that can be
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        table: Table,
        *,
        environment: str,
        base_url: str,
        output: Output = "current",
        contract: Contract = "report",
        batch: int = 1000,
    ) -> None:
        if output not in ("current", "history") or contract not in CONTRACTS or batch < 1:
            raise NexusConfigurationError(
                f"output is current or history, contract one of {', '.join(CONTRACTS)}, and batch at least 1: "
                f"these are {output!r}, {contract!r} and {batch!r}"
            )
        self.engine, self._given = engine, Model(name, table, output)
        self.resource, self.base_url = table.resource, base_url
        whose = {"environment": environment, "base_url": base_url}
        self._belongs = {"resource": table.resource.name, **whose, "output": output}
        self._contract, self._batch, self._is_ready = contract, batch, False

    takes_streams = False
    """A session with the database would have to last as long as Nexus is read."""

    @cached_property
    def model(self) -> Model:
        """The tables as the database calls them."""
        with failing("find", self._given.name), reading(self.engine) as connection:
            return placed(connection, self._given)[0]

    @property
    def place(self) -> str:
        """Schema and name as the database has them: the same for all spellings that it takes for one table.

        :raises NexusConfigurationError: when there can be no table of that name
        :raises NexusStorageError: when the database fails
        """
        return f"{self.model.schema}.{self.model.bare}"

    def prepare(self) -> list[str]:
        """Make the tables where they are missing, and compare them with the catalogue where they are there.

        :returns: differences that do no harm, one line each
        :raises NexusContractError: when the table can't take the rows
        :raises NexusConfigurationError: when the table contains another resource, environment or form
        """
        with failing("make ready", self._given.name), session(self.engine) as connection:
            self.model, found = prepare(connection, self._given, self._contract, self._belongs)
        self._is_ready = True
        return found

    def converter(self, resource: Resource, *, keeps_untyped: bool) -> TableConverter:
        """Makes records rows of the table."""
        return TableConverter(resource, keeps_untyped=keeps_untyped)

    def apply(self, batches: Iterable[Sequence[TableRow]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:
        """Bring versions of records in, all or none; see :class:`~airflow_provider_nexus.load.copy.Copy`.

        :raises NexusStorageError: when the database fails; nothing is changed then
        """
        self.prepare()
        with failing("load", self.model.name), session(self.engine) as connection:
            staging = Staging(connection, self.model)
            for rows in filter(None, batches):
                staging.add(rows)
            stored = self._merge(connection, staging.table, scope, seal())
            staging.drop()
            return stored

    def _merge(self, connection: Connection, staged: sa.Table, scope: Window | None, sealed: Sealed) -> Stored:
        books, unchanged = Bookkeeping(connection, self.model), ""
        with suppress(_Unchanged), transaction(connection):
            number = books.lock()
            last = books.last()
            state = books.manifest(last).state if last else None
            digests = TableDigests.load(state) if state else TableDigests()
            read = (window for window, _ in books.windows(number - 1))
            ground = Ground([ALL_TIME] if last and scope == ALL_TIME else list(joined(read)))
            merge = SqlMerge(connection, self.model, staged, number, digests, ground, self._batch)
            merge.upsert()
            if scope is not None:
                merge.delete(scope, sealed)
            before = books.last(sealed.label)
            is_rerun = before is not None and (before["content"], before["verdict"]) == (sealed.content, sealed.verdict)
            merge.settle(sealed, scope, is_rerun=is_rerun)
            is_same = is_rerun and not (merge.inserted or merge.updated or merge.deleted)
            if before and is_same and not books.rejects_flaw(sealed.label, before):
                unchanged = before["sha256"]
                raise _Unchanged
            sha256 = books.write(sealed, merge, last["sha256"] if last else "", self._belongs)
        return Stored(
            path=self.model.name,
            manifest=f"nexus_manifest of {self.model.bare}",
            changed=not unchanged,
            sha256=unchanged or sha256,
            **merge.changes.dump(),
            repaired=merge.repaired,
        )

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:  # noqa: ARG002 - a table is one for all windows
        """Member ``schema`` of the last load's manifest; ``None`` before the first."""
        with self._read() as connection:
            books = Bookkeeping(connection, self.model)
            last = books.last()
            return books.manifest(last).schema.dump() if last else None

    def unsettled(self) -> dict[str, Open]:
        """The records whose end has not been seen, by key."""
        with self._read() as connection:
            return unsettled_in(connection, self.model)

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span, as the copy contains them now."""
        with self._read() as connection:
            return totals_of(connection, self.model, start, end)

    def windows(self) -> list[tuple[Window, datetime]]:
        """The windows read whole, each with the time of its last reading, oldest first; one that contains a window counts."""
        with self._read() as connection:
            return Bookkeeping(connection, self.model).windows()

    def torn(self, asked: Window) -> list[Window]:  # noqa: ARG002
        """None: a load is one transaction."""
        return []

    def check(self, follow: Follow = unheard) -> Checked:
        """Whether the table contains what its last load left in it, and its manifests are whole.

        :param follow: called with the number of rows that were looked at
        """
        with failing("check", self.model.name):
            with reading(self.engine) as connection:
                missing = Bookkeeping(connection, self.model).missing
            if missing:
                return Checked((f"table {missing} is not there",))
            with snapshot(self.engine) as connection:
                return check(connection, self.model, follow)

    def put_aside(self, label: str) -> tuple[dict[str, Any], Manifest, list[Reject]]:
        """The columns of the last manifest of a reading, the manifest itself, and the records that did not fit.

        :raises NexusStorageError: when there is no such manifest, or it or the records were edited
        """
        name = self.model.name
        with self.books() as books:
            row = books.last(label)
            if row is None:
                raise NexusStorageError(f"nexus_manifest has no load of {label} into table {name}: {BACKUP}")
            manifest, flaws = books.manifest(row), list(ManifestCheck(books, self.model).flaws(row))
            flaw = f"manifest {row['number']} of table {name} {flaws[0]}" if flaws else books.rejects_flaw(label, row)
            if flaw:
                raise NexusStorageError(f"{flaw}. Nothing is loaded of what was edited: sync its window again, or {BACKUP}")
            return row, manifest, books.rejected_of(label)

    @contextmanager
    def books(self) -> Iterator[Bookkeeping]:
        """The table's rows in the bookkeeping tables, to be read; nothing is made and nothing compared.

        :raises NexusStorageError: when the database fails
        """
        with failing("read", self.model.name), reading(self.engine) as connection:
            yield Bookkeeping(connection, self.model)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A connection to read by. The tables are compared with the catalogue at each load, and once before the first look."""
        if not self._is_ready:
            self.prepare()
        with failing("read", self.model.name), reading(self.engine) as connection:
            yield connection
