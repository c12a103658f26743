"""The rows of a reading brought into the table, in statements that every database has and plans alike.

The rows are taken in pieces by key, and what the table holds of them is looked up by primary key: no statement's cost
depends on how large the table is, but for the one that looks for records that are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.copy import Sealed
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.sql.books import State
from airflow_provider_nexus.load.sql.errors import refuse_swallowed
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.load.sql.types import Moment, Money

_HELD = ("_key", "_content", "_read_at", "_read_by")


def latest(model: Model) -> sa.ColumnElement[bool]:
    """Of a history: the newest version of each record, be it that it is gone. Of any other table: every row."""
    if not model.is_history:
        return sa.true()
    table, newer = model.data, model.data.alias()
    return ~sa.exists().where(newer.c["_key"] == table.c["_key"], newer.c["_load"] > table.c["_load"])


def current(model: Model) -> sa.ColumnElement[bool]:
    """The records as they are, each once."""
    return sa.and_(latest(model), sa.not_(model.data.c["_deleted"])) if model.is_history else sa.true()


def _is_same(row: sa.RowMapping, held: sa.RowMapping | None) -> bool:
    return held is not None and all(row[name] == held[name] for name in _HELD)


@dataclass
class Merge:
    """One load's changes.

    :param staged: the table of the rows that were read
    :param number: of the load
    :param state: what the table held before, brought up to date here
    """

    connection: Connection
    model: Model
    staged: sa.Table
    number: int
    state: State
    batch: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    _as_it_was: int = 0
    _names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self._names = list(self.model.names)

    @property
    def changed(self) -> bool:
        """Whether any row was."""
        return bool(self.inserted or self.updated or self.deleted)

    def bring(self) -> None:
        """Insert what is new, and replace what was read in another version.

        :raises NexusContractError: when the table does not keep it
        """
        for piece in self._pieces():
            held = self._held([row["_key"] for row in piece])
            fresh = [row for row in piece if self._is_fresh(row, held.get(row["_key"]))]
            self._replace(fresh, held)
            self._as_it_was += sum(map(_is_same, piece, (held.get(row["_key"]) for row in piece)))
        self._confirm()

    def remove(self, scope: Window, sealed: Sealed) -> None:
        """Take away what lies in a scope and was not read; what was read and did not fit stays as it was."""
        rejected = {reject.key for reject in sealed.rejects}
        gone = [row for row in self._unread(scope, sealed) if row["_key"] not in rejected]
        for start in range(0, len(gone), self.batch):
            self._bury(gone[start : start + self.batch], sealed)
        self.deleted += len(gone)

    def _pieces(self) -> Iterator[Sequence[sa.RowMapping]]:
        columns = self.staged.c
        query = sa.select(*(columns[name] for name in _HELD)).order_by(columns["_key"]).limit(self.batch)
        piece = self.connection.execute(query).mappings().all()
        while piece:
            yield piece
            piece = self.connection.execute(query.where(columns["_key"] > piece[-1]["_key"])).mappings().all()

    def _held(self, keys: list[str]) -> dict[str, sa.RowMapping]:
        columns = self.model.data.c
        gone = [columns["_deleted"]] if self.model.is_history else []
        query = sa.select(*(columns[name] for name in _HELD), *gone)
        found = self.connection.execute(query.where(columns["_key"].in_(keys), latest(self.model))).mappings()
        return {row["_key"]: row for row in found}

    @staticmethod
    def _is_fresh(row: sa.RowMapping, held: sa.RowMapping | None) -> bool:
        if held is None:
            return True
        if held["_read_at"] > row["_read_at"]:
            return False
        return held["_content"] != row["_content"] or bool(held.get("_deleted"))

    def _replace(self, fresh: list[sa.RowMapping], held: dict[str, sa.RowMapping]) -> None:
        old = [held[row["_key"]] for row in fresh if row["_key"] in held and not held[row["_key"]].get("_deleted")]
        self._forget(old)
        self._insert([row["_key"] for row in fresh])
        for row in fresh:
            self.state.current.add(row["_content"])
            self.state.versions.add(row["_content"])
        self.updated += len(old)
        self.inserted += len(fresh) - len(old)

    def _forget(self, rows: Sequence[sa.RowMapping]) -> None:
        """They are no longer what the record is; only a history keeps them."""
        for row in rows:
            self.state.current.add(row["_content"], -1)
        if rows and not self.model.is_history:
            keys = [row["_key"] for row in rows]
            found = self.connection.execute(sa.delete(self.model.data).where(self.model.data.c["_key"].in_(keys))).rowcount
            refuse_swallowed(self.model.name, "rows to be replaced or taken away", len(rows), found)

    def _insert(self, keys: list[str]) -> None:
        if not keys:
            return
        extra = {"_load": sa.literal(self.number, sa.BigInteger), "_deleted": sa.false()} if self.model.is_history else {}
        query = sa.select(*(self.staged.c[name] for name in self._names), *extra.values())
        target = [*self._names, *extra]
        self.connection.execute(
            sa.insert(self.model.data).from_select(target, query.where(self.staged.c["_key"].in_(keys)), include_defaults=False)
        )

    def _confirm(self) -> None:
        """Make sure that what was brought lies there, value by value: a trigger can swallow or change it and say nothing.

        :raises NexusContractError: when it does not
        """
        if not (self.inserted or self.updated):
            return
        data, staged = self.model.data, self.staged
        query = sa.select(sa.func.count()).select_from(staged.join(data, staged.c["_key"] == data.c["_key"]))
        query = query.where(*(self._is_kept(name) for name in self._names if name != "_key"))
        wanted = self.inserted + self.updated
        if self.model.is_history:
            query = query.where(data.c["_load"] == self.number, sa.not_(data.c["_deleted"]))
        else:
            wanted += self._as_it_was
        refuse_swallowed(self.model.name, "rows", wanted, self.connection.execute(query).scalar_one())

    def _is_kept(self, name: str) -> sa.ColumnElement[bool]:
        column: sa.ColumnElement[Any] = self.model.data.c[name]
        if self.connection.dialect.name == "postgresql" and isinstance(column.type, Money | Moment):
            # The table may keep them as text, which PostgreSQL does not compare with anything else.
            column = sa.cast(column, sa.Numeric() if isinstance(column.type, Money) else sa.DateTime(timezone=True))
        return column.is_not_distinct_from(self.staged.c[name])

    def _unread(self, scope: Window, sealed: Sealed) -> Sequence[sa.RowMapping]:
        table, staged = self.model.data, self.staged
        query = sa.select(table.c["_key"], table.c["_content"], *self._created())
        query = query.select_from(table.outerjoin(staged, table.c["_key"] == staged.c["_key"]))
        old = table.c["_read_at"] <= sealed.read_at
        query = query.where(staged.c["_key"].is_(None), old, current(self.model), *self._inside(scope))
        return self.connection.execute(query).mappings().all()

    def _created(self) -> list[sa.Column[Any]]:
        name = self.model.source.created
        return [self.model.data.c[name]] if name else []

    def _inside(self, scope: Window) -> list[sa.ColumnElement[bool]]:
        if scope == ALL_TIME:
            return []
        if not self.model.source.created:
            name = self.model.source.resource.name
            raise NexusConfigurationError(f"Records of {name} have no creation stamp: no span of time is the whole of anything")
        created = self._created()[0]
        return [created >= scope.start, created < scope.end]

    def _bury(self, rows: Sequence[sa.RowMapping], sealed: Sealed) -> None:
        self._forget(rows)
        if self.model.is_history:
            stones = [self._stone(row, sealed) for row in rows]
            self.connection.execute(sa.insert(self.model.data), stones)
            for stone in stones:
                self.state.versions.add(stone["_content"])
        columns = self.model.data.c
        query = sa.select(sa.func.count()).where(columns["_key"].in_([row["_key"] for row in rows]))
        if self.model.is_history:
            query = query.where(columns["_load"] == self.number, columns["_deleted"])
        wanted = len(rows) if self.model.is_history else 0
        refuse_swallowed(self.model.name, "rows of records that are gone", wanted, self.connection.execute(query).scalar_one())

    def _stone(self, row: sa.RowMapping, sealed: Sealed) -> dict[str, Any]:
        values: dict[str, Any] = dict.fromkeys(self._names)
        created = self.model.source.created
        if created:
            values[created] = row[created]
        values["_content"] = content_of([values[name] for name in self._names[4:]])
        origin = {"_key": row["_key"], "_read_at": sealed.read_at, "_read_by": sealed.label}
        return {**values, **origin, "_load": self.number, "_deleted": True}
