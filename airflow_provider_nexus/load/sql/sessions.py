"""Connections on which a load is one transaction in every database, and values go out and come in as they are.

What a server, a database, a login or the environment sets for its sessions is set anew in ours alone: connections of servers
are taken out of the caller's pool and closed at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError

PATIENCE_MS = 600_000
"""How long a load of SQLite waits for another one; the other databases have settings of their own."""
_KNOWN_TO_DRIVERS = ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES")
"""Modes of MySQL that its drivers have taken note of when they connected."""
_MODES = ("STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION", "NO_ZERO_IN_DATE", "NO_ZERO_DATE")
"""Otherwise a server may be set up to cut a text that is too long, or to take a table without transactions, and say nothing."""


@contextmanager
def session(engine: Engine) -> Iterator[Connection]:
    """A connection that is thrown away if anything goes wrong on it, with all its temporary tables."""
    with reading(engine) as connection:
        try:
            yield connection
        except BaseException:
            # Those of servers are closed anyway.
            if engine.dialect.name == "sqlite":
                connection.invalidate()
            raise


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it was at one moment."""
    with reading(engine, "REPEATABLE READ") as connection, transaction(connection, begin="BEGIN"):
        yield connection


@contextmanager
def reading(engine: Engine, level: str = "READ COMMITTED") -> Iterator[Connection]:
    """A connection to read by; its transactions on a server are isolated by a level."""
    kind = engine.dialect.name
    try:
        opened = engine.connect()
    except TypeError:
        # psycopg gives bytes instead of text where it knows no encoding, on which SQLAlchemy fails as it connects.
        raise NexusConfigurationError(_unfit("one without an encoding (SQL_ASCII)")) from None
    with opened as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT" if kind == "sqlite" else level)
        if kind != "sqlite":
            connection.detach()
            (_set_up_postgresql if kind == "postgresql" else _set_up_mysql)(connection)
            connection.commit()
            yield connection
            return
        # A database in memory ends with its connection, so this one stays in the pool.
        before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        connection.commit()
        try:
            yield connection
        finally:
            if not connection.invalidated:
                connection.rollback()
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(before)}")


def _set_up_postgresql(connection: Connection) -> None:
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise NexusConfigurationError(_unfit(f"in the encoding {encoding}"))
    connection.rollback()
    change = getattr(_driver(connection), "set_client_encoding", None)
    if change:  # psycopg2 sets it itself
        change("UTF8")
    else:
        connection.exec_driver_sql("SET client_encoding TO 'UTF8'")
    if connection.dialect.driver == "psycopg":
        # A plan that the server stores while a table is small reads all of it for each piece when it has grown.
        _driver(connection).prepare_threshold = None
    # Drivers can't give back the first and the last year in a zone that leads out of them.
    for statement in ("SET TIME ZONE 'UTC'", "SET DateStyle TO 'ISO'"):
        connection.exec_driver_sql(statement)


def _set_up_mysql(connection: Connection) -> None:
    driver = _driver(connection)
    change = getattr(driver, "set_character_set", None) or getattr(driver, "set_charset_collation", None)
    if change:
        change("utf8mb4")
    known = str(connection.exec_driver_sql("SELECT @@sql_mode").scalar_one()).split(",")
    modes = [mode for mode in known if mode in _KNOWN_TO_DRIVERS] + list(_MODES)
    connection.exec_driver_sql(f"SET SESSION sql_mode = '{','.join(modes)}', time_zone = '+00:00'")


def _driver(connection: Connection) -> Any:
    # A connection that was taken out of its pool has no driver_connection.
    return connection.connection.dbapi_connection


def _unfit(what: str) -> str:
    return (
        f"the database that the connection leads to is {what} and can't store every text: give sql_conn_id the connection of a "
        "database in UTF-8, made with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
    )


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
