"""The tables of a copy: the records', and three of bookkeeping beside it that all copies of a schema share."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.sql.name import BOOKS, split_name
from airflow_provider_nexus.load.sql.types import Key, Moment, Text, type_of

_ENGINE: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}
"""A server's own default may be one without transactions."""


@dataclass(frozen=True)
class Model:
    """What a copy looks like in a database.

    :param told: name of the table as it was given, behind a schema and a point if it has one
    :param source: the resource's columns
    :param output: one row for each record, or one for each version
    :param place: its schema and its name as the database has them; ``None`` where nobody has looked
    :raises NexusConfigurationError: when the name is none that every database takes
    """

    told: str
    source: Table
    output: Output
    place: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        split_name(self.told)

    @property
    def name(self) -> str:
        """What it is called in messages: its own name, behind a schema if one was given."""
        return f"{self.schema}.{self.bare}" if "." in self.told else self.bare

    @property
    def bare(self) -> str:
        """The table's name without its schema."""
        return self.place[1] if self.place else split_name(self.told)[1]

    @property
    def schema(self) -> str | None:
        """The schema; ``None`` for the connection's own, which is not known before somebody has looked."""
        return self.place[0] if self.place else split_name(self.told)[0]

    @property
    def is_history(self) -> bool:
        """Whether old versions are kept."""
        return self.output == "history"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a row, in order."""
        return tuple(column.name for column in self.source.columns)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the columns' names, kinds and digits."""
        text = "\n".join(f"{column.name} {column.kind} {column.scale}" for column in self.source.columns)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def data(self) -> sa.Table:
        """The records' table."""
        extra: list[sa.Column[Any]] = []
        if self.is_history:
            meanings = ("Number of the manifest of the load that brought it", "Whether the record is gone from Nexus")
            extra.append(sa.Column("_load", sa.BigInteger, nullable=False, autoincrement=False, comment=meanings[0]))
            extra.append(sa.Column("_deleted", sa.Boolean, nullable=False, comment=meanings[1]))
        keys = ("_key", "_load") if self.is_history else ("_key",)
        return sa.Table(
            self.bare,
            sa.MetaData(),
            *self._columns(),
            *extra,
            sa.PrimaryKeyConstraint(*keys),
            *self._index(),
            schema=self.schema,
            **_ENGINE,
        )

    def staging(self, dialect: str) -> sa.Table:
        """A table of this session alone, for the rows of one load."""
        # MySQL makes it in a database like any other table; PostgreSQL and SQLite have a schema of their own for such.
        schema = self.schema if dialect in ("mysql", "mariadb") else None
        name = f"nexus_staging_{uuid.uuid4().hex}"
        columns = (*self._columns(), sa.PrimaryKeyConstraint("_key"))
        return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], schema=schema, **_ENGINE)

    def _columns(self) -> list[sa.Column[Any]]:
        needed = {"_key", "_read_at", "_read_by", "_content"}
        return [
            sa.Column(column.name, type_of(column), nullable=column.name not in needed, comment=column.meaning)
            for column in self.source.columns
        ]

    def _index(self) -> list[sa.Index]:
        if not self.source.created:
            return []
        # Index names are unique in a schema, and the table's own name may leave no room.
        mark = hashlib.sha256(self.bare.encode()).hexdigest()[:12]
        return [sa.Index(f"nexus_created_{mark}", self.source.created)]

    @cached_property
    def owner(self) -> sa.Table:
        """One row for each copy of the schema: what it is of, and how many loads it had."""
        return self._book(
            BOOKS[0],
            sa.Column("table_name", Key(63), primary_key=True),
            *(sa.Column(name, Key(), nullable=False) for name in ("resource", "environment", "base_url", "output")),
            sa.Column("fingerprint", Key(64), nullable=False),
            sa.Column("loads", sa.BigInteger, nullable=False),
        )

    @cached_property
    def manifest(self) -> sa.Table:
        """One row for each load that changed something, numbered, each with the digest of the one before."""
        moments: list[sa.Column[Any]] = [
            sa.Column(name, Moment(), nullable=name != "read_at") for name in ("window_start", "window_end", "read_at")
        ]
        digests: list[sa.Column[Any]] = [sa.Column(name, Key(64), nullable=False) for name in ("sha256", "previous")]
        return self._book(
            BOOKS[1],
            sa.Column("table_name", Key(63), primary_key=True),
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            *(sa.Column(name, Key(), nullable=False) for name in ("resource", "environment", "base_url", "feed", "label")),
            *moments,
            sa.Column("verdict", Key(), nullable=False),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("records", "rejected")),
            sa.Column("content", Key(), nullable=False),
            *digests,
            sa.Column("manifest", Text(), nullable=False),
        )

    @cached_property
    def rejected(self) -> sa.Table:
        """The records that did not fit, of the last reading of each label."""
        return self._book(
            BOOKS[2],
            sa.Column("table_name", Key(63), primary_key=True),
            sa.Column("label", Key(), primary_key=True),
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            *(sa.Column(name, Text(), nullable=False) for name in ("key", "field", "reason", "raw")),
            sa.Column("read_at", Moment(), nullable=False),
        )

    def _book(self, name: str, *columns: sa.Column[Any]) -> sa.Table:
        return sa.Table(name, sa.MetaData(), *columns, schema=self.schema, **_ENGINE)
