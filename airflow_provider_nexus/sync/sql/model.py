"""The tables of a copy: the records', and three of bookkeeping beside it that all copies of a schema share."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sync.sql.types import Key, Moment, Text, type_of
from airflow_provider_nexus.sync.table.columns import Table
from airflow_provider_nexus.sync.table.copy import Output

BOOKS = ("nexus_table", "nexus_manifest", "nexus_rejected")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True)
class Model:
    """What a copy looks like in a database.

    :param name: of the table, behind a schema and a point if it has one
    :param source: the resource's columns
    :param output: one row for each record, or one for each version
    :raises NexusConfigurationError: when the name is none that every database takes
    """

    name: str
    source: Table
    output: Output

    def __post_init__(self) -> None:
        parts = self.name.split(".")
        if len(parts) > 2 or not all(_NAME.fullmatch(part) for part in parts) or self.bare.lower() in BOOKS:
            raise NexusConfigurationError(
                f"{self.name!r} is no name for a table: give NAME or SCHEMA.NAME, each of at most 63 letters, digits and "
                f"underscores and beginning with no digit; {', '.join(BOOKS)} are taken"
            )

    @property
    def bare(self) -> str:
        """The table's name without its schema."""
        return self.name.rpartition(".")[2]

    @property
    def schema(self) -> str | None:
        """The schema, ``None`` for the connection's own."""
        return self.name.rpartition(".")[0] or None

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
            self.bare, sa.MetaData(), *self._columns(), *extra, sa.PrimaryKeyConstraint(*keys), *self._index(), schema=self.schema
        )

    def staging(self, dialect: str) -> sa.Table:
        """A table of this session alone, for the rows of one load."""
        # MySQL makes it in a database like any other table; PostgreSQL and SQLite have a schema of their own for such.
        schema = self.schema if dialect in ("mysql", "mariadb") else None
        name = f"nexus_staging_{uuid.uuid4().hex}"
        columns = (*self._columns(), sa.PrimaryKeyConstraint("_key"))
        return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], schema=schema)

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
            "nexus_table",
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
            "nexus_manifest",
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
            "nexus_rejected",
            sa.Column("table_name", Key(63), primary_key=True),
            sa.Column("label", Key(), primary_key=True),
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            *(sa.Column(name, Text(), nullable=False) for name in ("key", "field", "reason", "raw")),
            sa.Column("read_at", Moment(), nullable=False),
        )

    def _book(self, name: str, *columns: sa.Column[Any]) -> sa.Table:
        return sa.Table(name, sa.MetaData(), *columns, schema=self.schema)
