"""Errors of databases as ours: one sentence with what to do, without the values that a driver's message may quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError, NexusStorageError

_VALUES = re.compile(r"'.*'(?!\w)|\".*\"|=\(.*\)")
"""From the first mark to the last: a value may have such marks in it."""

_LOGIN = "the database does not let the connection in: put its login and password right"
_DATABASE = "the database that the connection names is not there: make it, or name another one in the connection's schema"
_PRIVILEGE = "the connection's login may not do that: grant it what the page on typed tables lists"
_MISSING = "the table or a bookkeeping table beside it is not there: sync into it first, or take it back from a backup"
_SCHEMA = "its schema is not there: make it with CREATE SCHEMA, or name another one in table"
_COLLATION = "the server lacks the exact collation of text: MySQL must be 8.0.17 or newer, MariaDB 10.2"
_READONLY = "the database takes no changes: it is a standby, or set to read-only; lead the connection to one that may be written"
_FULL = "its disk is full: make room"
_LOCKED = "another session holds locks on it for too long: let that end, or raise the database's time-out"
_DEADLOCK = "two sessions waited for each other and this one was given up: run it again, and find what else writes there"
_SLOW = (
    "one statement, its waiting for locks included, took longer than the database allows: raise statement_timeout (MariaDB: "
    "max_statement_time, MySQL: max_execution_time) for the connection's login, or bring a shorter window"
)
_IDLE = (
    "the database ended the session, which had been idle or in one transaction for too long: raise "
    "idle_in_transaction_session_timeout, idle_session_timeout and transaction_timeout for the connection's login"
)
_ENDED = "the database ended the statement or the session, on somebody's word, by a time-out or as it stops: run it again"
_BROKE = (
    "the connection broke: run it again, and if it breaks there again, look whether the server was stopped, and raise its "
    "idle_in_transaction_session_timeout (MySQL and MariaDB: wait_timeout, idle_transaction_timeout)"
)
_REACH = "the database can't be reached: check the connection's host and port, and that the server runs"
_FILE = "the connection's file can't be opened or written: check its path, and who may write it and its folder"
_NO_FILE = "the connection's file is no database of SQLite: check its path"

_FINAL: dict[object, str] = {
    **{"28P01": _LOGIN, "28000": _LOGIN, 1045: _LOGIN, 1698: _LOGIN},
    **{"3D000": _DATABASE, 1049: _DATABASE, 1046: _DATABASE},
    **{"42501": _PRIVILEGE, 1044: _PRIVILEGE, 1142: _PRIVILEGE, 1143: _PRIVILEGE, 1227: _PRIVILEGE, 1370: _PRIVILEGE},
    **{"42P01": _MISSING, 1146: _MISSING},
    **{"3F000": _SCHEMA},
    **{1273: _COLLATION, 1115: _COLLATION},
    **{"SQLITE_READONLY": _FILE, "SQLITE_PERM": _FILE, "SQLITE_CANTOPEN": _FILE, "SQLITE_AUTH": _FILE},
    **{"SQLITE_NOTADB": _NO_FILE},
}
"""By SQLSTATE, number or name: what another try can't change."""
_PASSING: dict[object, str] = {
    **{"25006": _READONLY, 1290: _READONLY, 1792: _READONLY, 1836: _READONLY},
    **{"53100": _FULL, 1021: _FULL, 1114: _FULL, "SQLITE_FULL": _FULL},
    **{"55P03": _LOCKED, "40001": _LOCKED, 1205: _LOCKED},
    **{"40P01": _DEADLOCK, 1213: _DEADLOCK},
    **{1969: _SLOW, 3024: _SLOW},
    **{"25P03": _IDLE, "57P05": _IDLE, "25P04": _IDLE},
    **{2006: _BROKE, 2013: _BROKE, 2055: _BROKE, 4031: _BROKE},
    **{"57P01": _ENDED, "57P02": _ENDED, "57P03": _ENDED, "57014": _ENDED, 1317: _ENDED, 1927: _ENDED, 1053: _ENDED},
    **{"SQLITE_BUSY": _LOCKED, "SQLITE_LOCKED": _LOCKED},
    **{2002: _REACH, 2003: _REACH, 2005: _REACH},
}
"""What may be otherwise at the next try."""
_AT_THE_DOOR = (
    (re.compile(r"password authentication failed|role .* does not exist|no pg_hba\.conf entry|no password supplied"), _LOGIN),
    (re.compile(r"database .* does not exist"), _DATABASE),
)
"""PostgreSQL's drivers give no SQLSTATE of a connection that was refused."""
_ON_THE_WAY = (
    (re.compile(r"due to statement timeout"), _SLOW),
    (re.compile(r"due to (idle-in-transaction|idle-session|transaction) timeout"), _IDLE),
    (re.compile(r"server closed the connection|SSL connection has been closed|the connection is (closed|lost)"), _BROKE),
)
"""What PostgreSQL has one SQLSTATE for with other things, or its drivers none."""
_UNREACHED = re.compile(r"connection to server .* failed|could not translate host name|could not connect|timeout expired")


@contextmanager
def failing(what: str, table: str) -> Iterator[None]:
    """Errors of the database as ours, with what was being done to the table.

    :raises NexusConfigurationError: when another try would end alike
    :raises NexusStorageError: when another try may help
    """
    could_not, ours = f"The database could not {what} table {table}", None
    try:
        yield
    except SQLAlchemyError as error:
        ours = _as_ours(could_not, error)
    except UnicodeEncodeError:
        ours = NexusStorageError(f"{could_not}: it was given text that is no Unicode")
    if ours:
        try:
            raise ours
        finally:
            # The chain is cut: the errors of drivers and of SQLAlchemy quote whole rows.
            ours.__context__ = None


def refuse_swallowed(name: str, what: str, wanted: int, found: int) -> None:
    """Refuse a load of which a table contains another number of something than was written.

    :raises NexusContractError: when the numbers differ
    """
    if found != wanted:
        raise NexusContractError(
            f"Table {name} does not store what is written into it: of {wanted} {what} it has {found} as they should be. A "
            "trigger or rule of the database, or a policy of its rows, swallows or changes them. Nothing was stored: take it "
            "away, or name another table"
        )


def _as_ours(could_not: str, error: SQLAlchemyError) -> NexusConfigurationError | NexusStorageError:
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(part) for part in cause.args)
    line = next((line for line in text.splitlines() if line.strip()), "")
    shown = f"{type(cause).__name__}: {_VALUES.sub('...', line)[:300]}"
    code = _code(cause)
    final = _FINAL.get(code) or ("" if code else next((hint for pattern, hint in _AT_THE_DOOR if pattern.search(text)), ""))
    if final:
        return NexusConfigurationError(f"{could_not}, as {final} ({shown})")
    passing = next((hint for pattern, hint in _ON_THE_WAY if pattern.search(text)), _PASSING.get(code))
    passing = passing or (_REACH if not code and _UNREACHED.search(text) else "")
    return NexusStorageError(f"{could_not}, as {passing} ({shown})" if passing else f"{could_not}: {shown}")


def _code(cause: BaseException) -> Any:
    """SQLSTATE of PostgreSQL, number of MySQL or name of SQLite, without the detail that it gives beside its kind."""
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        return state
    name = getattr(cause, "sqlite_errorname", None)
    if name:
        return "_".join(name.split("_")[:2])
    number = cause.args[0] if cause.args else None
    return number if isinstance(number, int) else None
