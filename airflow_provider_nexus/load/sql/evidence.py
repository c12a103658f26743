"""Evidence of a screening: one row for each search and one for each decision, in two tables that are only added to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.screening import CLEAR, COMPLETE, FINDINGS, GONE
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.name import LONGEST_ROUND, split_name
from airflow_provider_nexus.load.sql.schema import create
from airflow_provider_nexus.load.sql.sessions import reading, session, transaction
from airflow_provider_nexus.load.sql.tables import ENGINE
from airflow_provider_nexus.load.sql.types import JsonType, KeyType, TextType, TimeType

_RUN = ("dag_id", "run_id", "task_id")


def evidence_id(*names: str) -> str:
    """The id of what was searched in a round: the same for the same names."""
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


class Evidence:
    """The evidence of all rounds in one database.

    The tables are made when they are missing; after that the login needs only the rights to SELECT and INSERT. The second one
    has the name of the first and ``_decided`` behind it.

    :param engine: of the database; it stays the caller's
    :param name: of the table of searches, behind a schema and a point if it has one
    :raises NexusConfigurationError: when the name is none that every database takes
    """

    def __init__(self, engine: Engine, name: str) -> None:
        schema, bare = split_name(name)
        self._engine, self.name = engine, name
        mark = hashlib.sha256(bare.encode()).hexdigest()[:12]
        self.searches = sa.Table(
            bare,
            sa.MetaData(),
            *_keys(),
            *(sa.Column(each, TextType(), nullable=each != "code") for each in ("customer", "code", "due", "note")),
            *(sa.Column(each, KeyType(32), nullable=False) for each in ("kind", "outcome")),
            *(sa.Column(each, JsonType()) for each in ("lists", "searched", "hits", "answer")),
            sa.Column("answer_sha256", KeyType(64)),
            sa.Column("searched_at", TimeType(), nullable=False),
            *(sa.Column(each, TextType(), nullable=False) for each in ("environment", *_RUN)),
            sa.Column("try_number", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("id", "attempt"),
            sa.Index(f"nexus_round_{mark}", "round"),
            schema=schema,
            comment="One row for each search of a customer, a person or an address in the sanction lists",
            **ENGINE,
        )
        self.decisions = sa.Table(
            f"{bare}_decided",
            sa.MetaData(),
            *_keys(),
            sa.Column("decided_at", TimeType(), nullable=False),
            *(sa.Column(each, TextType(), nullable=each != "decision") for each in ("decision", "decided_by", "decided_by_name")),
            sa.Column("inputs", JsonType()),
            sa.Column("recorded_at", TimeType(), nullable=False),
            *(sa.Column(each, TextType(), nullable=False) for each in _RUN),
            sa.PrimaryKeyConstraint("id", "attempt", "decided_at"),
            sa.Index(f"nexus_decided_{mark}", "round"),
            schema=schema,
            comment="One row for each decision of a person about a finding of a screening",
            **ENGINE,
        )

    def prepare(self) -> None:
        """Make the tables where they are missing."""
        with failing("make ready", self.name), session(self._engine) as connection:
            for table in (self.searches, self.decisions):
                create(connection, table)

    def known(self, round_id: str, environment: str) -> dict[str, tuple[int, str]]:
        """Attempt and outcome of the last attempt at each search of a round, by id.

        :raises NexusConfigurationError: when the round is one of another environment
        """
        rows = self._last(round_id).values()
        other = next((row["environment"] for row in rows if row["environment"] != environment), None)
        if other is not None:
            raise NexusConfigurationError(
                f"round_id is {round_id!r}, and table {self.name} has that round of the environment {other}, not {environment}: "
                "give another name, or another table"
            )
        return {row["id"]: (row["attempt"], row["outcome"]) for row in rows}

    def add(self, row: Mapping[str, Any]) -> bool:
        """Add a search, and return whether another task had not done so before."""
        return self._add(self.searches, row)

    def decide(self, row: Mapping[str, Any]) -> bool:
        """Add a decision, and return whether it was not there yet."""
        return self._add(self.decisions, row)

    def search(self, key: str, attempt: int) -> dict[str, Any] | None:
        """One search; ``None`` when there is none."""
        table = self.searches
        with self._read() as connection:
            query = sa.select(table).where(table.c.id == key, table.c.attempt == attempt)
            found = connection.execute(query).mappings().one_or_none()
        return dict(found) if found else None

    def undecided(self, round_id: str) -> list[dict[str, Any]]:
        """The findings of a round that nobody has decided about, in the order of the searches."""
        decided = self._decided(round_id)
        rows = sorted(self._last(round_id).values(), key=lambda row: (row["searched_at"], row["id"]))
        return [row for row in rows if row["outcome"] in FINDINGS and (row["id"], row["attempt"]) not in decided]

    def earlier(self, round_id: str) -> dict[tuple[str, str, str], dict[str, Any]]:
        """The last decision of any other round, by customer, kind and code, with the digest of what had been found."""
        searches, decisions = self.searches.c, self.decisions.c
        which = ("customer", "kind", "code", "answer_sha256")
        query = (
            sa.select(*(searches[each] for each in which), *(decisions[each] for each in ("round", "decision", "decided_at")))
            .join_from(self.decisions, self.searches, sa.and_(decisions.id == searches.id, decisions.attempt == searches.attempt))
            .where(decisions["round"] != round_id)
            .order_by(decisions.decided_at)
        )
        with self._read() as connection:
            return {(row["customer"], row["kind"], row["code"]): dict(row) for row in connection.execute(query).mappings()}

    def summary(self, round_id: str) -> dict[str, Any]:
        """Number of customers and of outcomes, of findings that wait for a decision, and of decisions, each the last one."""
        rows = self._last(round_id).values()
        outcomes = Counter(row["outcome"] for row in rows)
        return {
            "round": round_id,
            "complete": bool(outcomes[COMPLETE]),
            "customers": len({row["customer"] for row in rows if row["customer"]}),
            **{each: outcomes[each] for each in (CLEAR, *FINDINGS, GONE)},
            "undecided": len(self.undecided(round_id)),
            "decisions": dict(Counter(self._decided(round_id).values())),
        }

    def _last(self, round_id: str) -> dict[str, dict[str, Any]]:
        table = self.searches
        left_out = ("answer", "searched", "lists")
        query = sa.select(*(each for each in table.c if each.name not in left_out)).where(table.c["round"] == round_id)
        with self._read() as connection:
            return {row["id"]: dict(row) for row in connection.execute(query.order_by(table.c.attempt)).mappings()}

    def _decided(self, round_id: str) -> dict[tuple[str, int], str]:
        table = self.decisions
        query = sa.select(table.c.id, table.c.attempt, table.c.decision).where(table.c["round"] == round_id)
        with self._read() as connection:
            return {(key, attempt): decision for key, attempt, decision in connection.execute(query.order_by(table.c.decided_at))}

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with failing("read", self.name), reading(self._engine) as connection:
            yield connection

    def _add(self, table: sa.Table, row: Mapping[str, Any]) -> bool:
        with failing("add to", self.name), session(self._engine) as connection:
            try:
                with transaction(connection):
                    connection.execute(sa.insert(table).values(dict(row)))
            except IntegrityError:
                same = [table.c[column.name] == row[column.name] for column in table.primary_key]
                if connection.execute(sa.select(sa.literal(1)).where(*same)).first() is None:
                    raise
                return False
        return True


def _keys() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", KeyType(64), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("round", KeyType(LONGEST_ROUND), nullable=False),
    )
