"""Model of a copy's table: its name, columns, keys and indexes; which rows are its records as they are now, and their totals.

And the three bookkeeping tables, as they are in every schema.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.totals import Totals, group_of
from airflow_provider_nexus.load.account import Grouping
from airflow_provider_nexus.load.columns import Table, UnsettledRule
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.sql.name import BOOKS, split_name
from airflow_provider_nexus.load.sql.types import KeyType, TextType, TimeType, type_of
from airflow_provider_nexus.load.values import LONGEST_KEY

ENGINE: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}
"""A server's own default may be one without transactions."""
AT_ONCE = 1000
"""Rows that are fetched at once, where all are looked at."""
_REMEMBERED = 64
"""Tables of each kind that a process keeps; a run has a few."""
_INDEXED = 64
"""Characters of a status in an index of MySQL, which has none of texts of any length."""
_LAST = "\U0010ffff" * 8
"""Sorts behind all that can follow in a status: no text has this in it, as it is no character."""


@dataclass(frozen=True)
class Model:
    """What a copy looks like in a database.

    :param given: name of the table as it was given, behind a schema and a point if it has one
    :param source: the resource's columns
    :param output: one row for each record, or one for each version
    :param place: its schema and its name as the database has them; ``None`` where nobody has looked
    :raises NexusConfigurationError: when the name is none that every database takes
    """

    given: str
    source: Table
    output: Output
    place: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        split_name(self.given)

    @property
    def name(self) -> str:
        """What it is called in messages: its own name, behind a schema if one was given."""
        return f"{self.schema}.{self.bare}" if "." in self.given else self.bare

    @property
    def bare(self) -> str:
        """The table's name without its schema."""
        return self.place[1] if self.place else split_name(self.given)[1]

    @property
    def schema(self) -> str | None:
        """The schema; ``None`` for the connection's own, which is not known before somebody has looked."""
        return self.place[0] if self.place else split_name(self.given)[0]

    @property
    def view(self) -> str:
        """The name of the view with the records alone, beside the table."""
        return f"{self.bare}_records"

    @property
    def is_history(self) -> bool:
        """Whether old versions stay."""
        return self.output == "history"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a row, in order."""
        return tuple(column.name for column in self.source.columns)

    @cached_property
    def data(self) -> sa.Table:
        """The records' table."""
        extra: list[sa.Column[Any]] = []
        if self.is_history:
            meanings = ("Number of the manifest of the load that brought it", "Whether the record was deleted in Nexus")
            extra.append(sa.Column("_load", sa.BigInteger, nullable=False, autoincrement=False, comment=meanings[0]))
            extra.append(sa.Column("_deleted", sa.Boolean, nullable=False, comment=meanings[1]))
        keys = ("_key", "_load") if self.is_history else ("_key",)
        return sa.Table(
            self.bare,
            sa.MetaData(),
            *self.columns(),
            *extra,
            sa.PrimaryKeyConstraint(*keys),
            *self._indexes(),
            schema=self.schema,
            comment=self.source.resource.meaning,
            **ENGINE,
        )

    def columns(self, *, has_comments: bool = True) -> list[sa.Column[Any]]:
        """The columns of a row, for one table."""
        needed = {"_key", "_read_at", "_read_by", "_content"}
        return [
            sa.Column(
                column.name,
                type_of(column),
                nullable=column.name not in needed,
                comment=column.meaning if has_comments else None,
            )
            for column in self.source.columns
        ]

    def _indexes(self) -> list[sa.Index]:
        """By creation and by end, which span of time is asked for; and of the few records that are unsettled.

        MySQL and MariaDB have no index of some rows alone, and DuckDB changes nothing beside a file of SQLite that has one: there
        it is one by status.
        """
        # Index names are unique in a schema, and the table's own name may be too long for more.
        mark = hashlib.sha256(self.bare.encode()).hexdigest()[:12]
        stamps = {"created": self.source.created, "finished": UnsettledRule(self.source).ended}
        found = [sa.Index(f"nexus_{name}_{mark}", column) for name, column in stamps.items() if column]
        if self.source.created and self.source.status:
            unsettled = self.may_be_unsettled(sa.column(self.source.status))
            index = sa.Index(f"nexus_unsettled_{mark}", "_key", postgresql_where=unsettled)
            found.append(index.ddl_if(dialect="postgresql"))
            length: dict[str, Any] = {"mysql_length": _INDEXED, "mariadb_length": _INDEXED}
            index = sa.Index(f"nexus_unsettled_{mark}", self.source.status, **length)
            found.append(index.ddl_if(dialect=("mysql", "mariadb", "sqlite")))  # type: ignore[arg-type]  # takes several
        return found

    def may_be_unsettled(self, status: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Whether a status is none of those by which a record is settled. It is the same text in queries and in the index."""
        ends = [end.lower() for end in self._ends]
        plain = sa.func.lower(sa.func.trim(sa.func.coalesce(status, sa.literal_column("''"))))
        return plain.not_in([sa.literal_column(f"'{end}'") for end in ends])

    @property
    def _ends(self) -> tuple[str, ...]:
        lifecycle = self.source.resource.lifecycle
        return (*lifecycle.succeeded, *lifecycle.failed) if lifecycle else ()

    def beside_ends(self, status: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Whether a status is spelt as none by which a record is settled, in ranges of which an index of MySQL makes use."""
        spelt = sorted({form for end in self._ends for form in (end, end.lower(), end.upper(), end.capitalize())})
        # An index of beginnings alone finds a text, too, when it is asked for what is less or greater than it: so it is asked for
        # the first text behind one, and for the last one before it.
        starts = [sa.true(), *(status >= f"{each}\0" for each in spelt)]
        ends = [*(status <= each[:-1] + chr(ord(each[-1]) - 1) + _LAST for each in spelt), sa.true()]
        return sa.or_(status.is_(None), *(sa.and_(*span) for span in zip(starts, ends, strict=True)))


# SQLAlchemy compiles a statement once for the tables that it is of, so these are made once.


@lru_cache(maxsize=_REMEMBERED)
def in_place(given: Model, schema: str, bare: str) -> Model:
    """A model with the schema and the name that the database has for it."""
    return replace(given, place=(schema, bare))


@lru_cache(maxsize=_REMEMBERED)
def staging(model: Model, dialect: str) -> sa.Table:
    """A table of a session alone, for the rows of a load; other sessions may have one of the same name."""
    # MySQL makes it in a database like any other table; PostgreSQL and SQLite have a schema of their own for such.
    schema = model.schema if dialect in ("mysql", "mariadb") else None
    name = f"nexus_staging_{uuid.uuid4().hex}"
    columns = (*model.columns(has_comments=False), sa.PrimaryKeyConstraint("_key"))
    return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], schema=schema, **ENGINE)


def latest(model: Model) -> sa.ColumnElement[bool]:
    """Of a history: the newest version of each record, that of a deleted one included. Of any other table: every row."""
    if not model.is_history:
        return sa.true()
    table, newer = model.data, model.data.alias()
    return ~sa.exists().where(newer.c["_key"] == table.c["_key"], newer.c["_load"] > table.c["_load"])


def current(model: Model) -> sa.ColumnElement[bool]:
    """The records as they are, each once."""
    return sa.and_(latest(model), sa.not_(model.data.c["_deleted"])) if model.is_history else sa.true()


def created_in(model: Model, start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    """The records as they are that were created in a span, from its start up to but not including its end."""
    created = model.data.c[model.source.created]
    return sa.and_(created >= start, created < end, current(model))


WITHOUT_WINDOW = "sync the window of that record again, and if the row is still so then, delete it"
"""What to do about a row that somebody else has written without a creation stamp."""


def unsettled_in(connection: Connection, model: Model) -> dict[str, Open]:
    """The records whose end has not been seen, by key; none where records have no creation stamp or no status.

    :raises NexusConfigurationError: when a row has no creation stamp, which no load has written
    """
    rule, source, columns = UnsettledRule(model.source), model.source, model.data.c
    if not source.created or not source.status:
        return {}
    ended = columns[rule.ended] if rule.ended else sa.null()
    query = sa.select(columns["_key"], columns[source.created], columns[source.status], ended)
    query = query.where(model.may_be_unsettled(columns[source.status]), current(model))
    if connection.dialect.name in ("mysql", "mariadb"):
        query = query.where(model.beside_ends(columns[source.status]))
    elif connection.dialect.name == "sqlite":
        query = query.where(_in_few_statuses(model, columns[source.status]))
    found = dict[str, Open]()
    for key, created, status, end in connection.execute(query):
        if created is None:
            what = f"a row of key {key!r} that is in no window, as it has no {source.created}"
            raise NexusConfigurationError(f"table {model.name} has {what}: {WITHOUT_WINDOW}")
        if rule.is_unsettled(status, end):
            found[key] = Open(created, status or "")
    return found


def _in_few_statuses(model: Model, status: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether a status is an unsettled one of the table. Each of these is found by the one before, in the index by status."""
    other = model.data.alias().c[status.name]
    found = sa.select(sa.func.min(other).label("status")).cte("statuses", recursive=True)
    following = sa.select(sa.func.min(other)).where(other > found.c.status).scalar_subquery()
    found = found.union_all(sa.select(following).where(found.c.status.is_not(None)))
    few = sa.select(found.c.status).where(model.may_be_unsettled(found.c.status))
    return sa.or_(status.is_(None), status.in_(few))


def totals_of(connection: Connection, model: Model, start: datetime, end: datetime) -> Totals:
    """Counts and exact sums of the records that were created in a span, from its start up to but not including its end.

    The database adds up, but for SQLite, which has no decimal numbers.
    """
    grouping, totals, columns = Grouping(model.source), Totals(), model.data.c
    groups = [columns[name] if name else sa.null() for name in (grouping.status, grouping.currency, grouping.flag)]
    amounts: list[Any] = [columns[name] for name in grouping.amounts.values()]
    query: sa.Select[Any]
    if connection.dialect.name == "sqlite":
        query = sa.select(*groups, sa.literal_column("1"), *amounts)
    else:
        # A sum has more digits than a column takes: its type is wider than that of what it adds up.
        sums = [sa.func.sum(amount, type_=sa.Numeric(65, amount.type.scale)) for amount in amounts]
        named = [group for group in groups if not isinstance(group, sa.Null)]
        query = sa.select(*groups, sa.func.count(), *sums).group_by(*named)
    found: Any = connection.execute(query.where(created_in(model, start, end)))
    for status, currency, flag, count, *values in found:
        mark = bool(flag) if grouping.flag else None
        totals.add(group_of(status, currency, mark), count, dict(zip(grouping.amounts, values, strict=True)))
    return totals


@lru_cache(maxsize=_REMEMBERED)
def tables_of_books(schema: str | None) -> tuple[sa.Table, sa.Table, sa.Table]:
    """``nexus_table``, ``nexus_manifest`` and ``nexus_rejected``."""
    every, options = sa.MetaData(), {"schema": schema, **ENGINE}
    tables = sa.Table(
        BOOKS[0],
        every,
        _key("table_name", 63, is_primary=True),
        *(_key(name) for name in ("resource", "environment", "base_url", "output")),
        _key("records_view", 63),
        sa.Column("loads", sa.BigInteger, nullable=False),
        sa.Column("windows", TextType(), nullable=False),
        comment="One row for each table that syncs bring up to date: what it is of, and how many loads it had",
        **options,
    )
    manifests = sa.Table(
        BOOKS[1],
        every,
        _key("table_name", 63, is_primary=True),
        _number(),
        *(_key(name) for name in ("resource", "environment", "base_url", "feed", "label")),
        *(sa.Column(name, TimeType(), nullable=name != "read_at") for name in ("window_start", "window_end", "read_at")),
        _key("verdict"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("records", "rejected")),
        _key("content"),
        *(_key(name, 64) for name in ("sha256", "previous")),
        sa.Column("manifest", TextType(), nullable=False),
        sa.Index("nexus_manifest_label", "table_name", "label", "number"),
        comment="One row for each load that changed something, with its manifest and the digest of the one before",
        **options,
    )
    rejected = sa.Table(
        BOOKS[2],
        every,
        _key("table_name", 63, is_primary=True),
        _key("label", is_primary=True),
        _number(),
        *(sa.Column(name, TextType(), nullable=False) for name in ("key", "field", "reason", "raw")),
        sa.Column("read_at", TimeType(), nullable=False),
        comment="The records that did not fit, of the last reading of each label",
        **options,
    )
    return tables, manifests, rejected


def _key(name: str, length: int = LONGEST_KEY, *, is_primary: bool = False) -> sa.Column[Any]:
    return sa.Column(name, KeyType(length), primary_key=is_primary, nullable=False)


def _number() -> sa.Column[Any]:
    return sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False)
