"""Upsert: the rows of a reading are merged into the table, in statements that every database has and plans alike.

The rows are taken in pieces by key, and what the table contains of them is looked up by primary key: no statement's cost
depends on how large the table is, but for the one that looks for deleted records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.columns import DIGESTED
from airflow_provider_nexus.load.copy import Sealed
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.sql.bookkeeping import TableDigests
from airflow_provider_nexus.load.sql.errors import refuse_swallowed
from airflow_provider_nexus.load.sql.tables import Model, current, latest
from airflow_provider_nexus.load.sql.types import JsonType, MoneyType, TimeType

_VERSION = ("_key", "_content", "_read_at", "_read_by")
"""The columns that tell versions of a record apart."""


@dataclass
class Merge:
    """One load's changes.

    :param staged: the table of the rows that were read
    :param number: of the load
    :param state: of the table before, brought up to date here
    :param batch: rows in one statement
    """

    connection: Connection
    model: Model
    staged: sa.Table
    number: int
    state: TableDigests
    batch: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    _unchanged: int = 0

    def upsert(self) -> None:
        """Insert what is new, and replace what was read in another version.

        :raises NexusContractError: when the table does not store it as it is
        """
        extra = {"_load": sa.literal(self.number, sa.BigInteger), "_deleted": sa.false()} if self.model.is_history else {}
        columns = self.model.data.c
        version = [columns[name] for name in (*_VERSION, "_deleted") if name in columns]
        for piece in self._pieces():
            query = sa.select(*version).where(columns["_key"].in_([row["_key"] for row in piece]), latest(self.model))
            stored = {row["_key"]: row for row in self.connection.execute(query).mappings()}
            new = [row for row in piece if _replaces(row, stored.get(row["_key"]))]
            old = [stored[row["_key"]] for row in new if row["_key"] in stored and not stored[row["_key"]].get("_deleted")]
            self._take_away(old)
            if new:
                query = sa.select(*(self.staged.c[name] for name in self.model.names), *extra.values())
                query = query.where(self.staged.c["_key"].in_([row["_key"] for row in new]))
                names = [*self.model.names, *extra]
                self.connection.execute(sa.insert(self.model.data).from_select(names, query, include_defaults=False))
            for row in new:
                self.state.current.add(row["_content"])
                self.state.versions.add(row["_content"])
            self.updated += len(old)
            self.inserted += len(new) - len(old)
            self._unchanged += sum(
                all(row[name] == stored[row["_key"]][name] for name in _VERSION) for row in piece if row["_key"] in stored
            )
        if self.inserted or self.updated:
            self._confirm()

    def delete(self, scope: Window, sealed: Sealed) -> None:
        """Take away what lies in a scope and was not read; what was read and did not fit stays as it was.

        :raises NexusConfigurationError: when the scope is a span of time and the records have no creation stamp
        :raises NexusContractError: when the table does not do so
        """
        rejected = {reject.key for reject in sealed.rejects}
        unread = [row for row in self._unread(scope, sealed) if row["_key"] not in rejected]
        for start in range(0, len(unread), self.batch):
            self._delete(unread[start : start + self.batch], sealed)
        self.deleted += len(unread)

    def _pieces(self) -> Iterator[Sequence[sa.RowMapping]]:
        columns = self.staged.c
        query = sa.select(*(columns[name] for name in _VERSION)).order_by(columns["_key"]).limit(self.batch)
        piece = self.connection.execute(query).mappings().all()
        while piece:
            yield piece
            piece = self.connection.execute(query.where(columns["_key"] > piece[-1]["_key"])).mappings().all()

    def _take_away(self, rows: Sequence[sa.RowMapping]) -> None:
        """They are no longer what the record is; only a history goes on storing them."""
        for row in rows:
            self.state.current.add(row["_content"], -1)
        if rows and not self.model.is_history:
            keys = [row["_key"] for row in rows]
            found = self.connection.execute(sa.delete(self.model.data).where(self.model.data.c["_key"].in_(keys))).rowcount
            refuse_swallowed(self.model.name, "rows to be replaced or taken away", len(rows), found)

    def _confirm(self) -> None:
        """Make sure that what was brought lies there, value by value: a trigger can swallow or change it without an error.

        :raises NexusContractError: when it does not
        """
        data, staged = self.model.data, self.staged
        query = sa.select(sa.func.count()).select_from(staged.join(data, staged.c["_key"] == data.c["_key"]))
        query = query.where(*(self._is_stored(name) for name in self.model.names if name != "_key"))
        wanted = self.inserted + self.updated
        if self.model.is_history:
            query = query.where(data.c["_load"] == self.number, sa.not_(data.c["_deleted"]))
        else:
            wanted += self._unchanged
        refuse_swallowed(self.model.name, "rows", wanted, self.connection.execute(query).scalar_one())

    def _is_stored(self, name: str) -> sa.ColumnElement[bool]:
        stored: sa.ColumnElement[Any] = self.model.data.c[name]
        staged: sa.ColumnElement[Any] = self.staged.c[name]
        if self.connection.dialect.name == "postgresql":
            # The table may have text for them, which PostgreSQL compares with text alone; and JSON with nothing.
            if isinstance(stored.type, JsonType):
                stored, staged = sa.cast(stored, sa.Text), sa.cast(staged, sa.Text)
            elif isinstance(stored.type, MoneyType | TimeType):
                kind = sa.Numeric() if isinstance(stored.type, MoneyType) else sa.DateTime(timezone=True)
                stored = sa.cast(stored, kind)
        return stored.is_not_distinct_from(staged)

    def _unread(self, scope: Window, sealed: Sealed) -> Sequence[sa.RowMapping]:
        table, staged, created = self.model.data, self.staged, self.model.source.created
        columns = [table.c[name] for name in ("_key", "_content", created) if name]
        query = sa.select(*columns).select_from(table.outerjoin(staged, table.c["_key"] == staged.c["_key"]))
        query = query.where(staged.c["_key"].is_(None), table.c["_read_at"] <= sealed.read_at, current(self.model))
        if scope == ALL_TIME:
            return self.connection.execute(query).mappings().all()
        if not created:
            name = self.model.source.resource.name
            raise NexusConfigurationError(f"Records of {name} have no creation stamp: no span of time is the whole of anything")
        query = query.where(table.c[created] >= scope.start, table.c[created] < scope.end)
        return self.connection.execute(query).mappings().all()

    def _delete(self, rows: Sequence[sa.RowMapping], sealed: Sealed) -> None:
        self._take_away(rows)
        columns = self.model.data.c
        query = sa.select(sa.func.count()).where(columns["_key"].in_([row["_key"] for row in rows]))
        wanted = 0
        if self.model.is_history:
            # The version that states that a record was deleted: nothing but its key and when it was created.
            created, empty = self.model.source.created, dict.fromkeys(self.model.names)
            origin = {"_read_at": sealed.read_at, "_read_by": sealed.label, "_load": self.number, "_deleted": True}
            tombstones = list[dict[str, Any]]()
            for row in rows:
                values = empty | ({created: row[created]} if created else {})
                content = content_of([values[name] for name in self.model.names[DIGESTED:]])
                tombstones.append({**values, **origin, "_key": row["_key"], "_content": content})
                self.state.versions.add(content)
            self.connection.execute(sa.insert(self.model.data), tombstones)
            query = query.where(columns["_load"] == self.number, columns["_deleted"])
            wanted = len(rows)
        refuse_swallowed(self.model.name, "rows of deleted records", wanted, self.connection.execute(query).scalar_one())


def _replaces(row: sa.RowMapping, stored: sa.RowMapping | None) -> bool:
    """Whether a version takes the place of the one that is stored: one that was read earlier never does."""
    if stored is None:
        return True
    is_other = stored["_content"] != row["_content"] or bool(stored.get("_deleted"))
    return is_other and stored["_read_at"] <= row["_read_at"]
