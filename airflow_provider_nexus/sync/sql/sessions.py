"""Connections on which a load is one transaction in every database, and errors that name no values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_nexus.exceptions import NexusStorageError

PATIENCE_MS = 600_000
"""How long a load of SQLite waits for another one; the other databases have settings of their own."""
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|=\([^)]*\)")


@contextmanager
def session(engine: Engine) -> Iterator[Connection]:
    """A connection that is thrown away if anything goes wrong on it, with all its temporary tables."""
    level = "AUTOCOMMIT" if engine.dialect.name == "sqlite" else "READ COMMITTED"
    with engine.connect() as connection:
        connection.execution_options(isolation_level=level)
        try:
            _prepare(connection)
            yield connection
        except BaseException:
            connection.invalidate()
            raise


def _prepare(connection: Connection) -> None:
    kind = connection.dialect.name
    if kind == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    if kind in ("mysql", "mariadb"):
        # Otherwise a server may be set up to cut a text that is too long, and say nothing.
        connection.exec_driver_sql("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
    connection.commit()


@contextmanager
def transaction(connection: Connection, *, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """All or nothing.

    :param begin: how SQLite begins, whose driver would otherwise begin late, and not at all before DDL
    """
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    connection.exec_driver_sql(begin)
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.exec_driver_sql("COMMIT")
    connection.commit()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it was at one moment."""
    level = "AUTOCOMMIT" if engine.dialect.name == "sqlite" else "REPEATABLE READ"
    with engine.connect() as connection:
        connection.execution_options(isolation_level=level)
        with transaction(connection, begin="BEGIN"):
            yield connection


@contextmanager
def failing(what: str, table: str) -> Iterator[None]:
    """Errors of the database as ours.

    :param what: what is being done
    :raises NexusStorageError: without the values that the database's own message may quote
    """
    try:
        yield
    except SQLAlchemyError as error:
        # The chain is cut: SQLAlchemy's own text quotes whole rows.
        raise NexusStorageError(f"The database could not {what} table {table}: {_said(error)}") from None


def _said(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(part) for part in cause.args)
    line = next((line for line in text.splitlines() if line.strip()), "")
    return f"{type(cause).__name__}: {_VALUES.sub('...', line)[:300]}"
