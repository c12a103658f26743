"""Errors of databases as ours: one sentence that says what to do, without the values that a driver's message may quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError

_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|=\([^)]*\)")

_LOGIN = "the database does not let the connection in: put its login and password right"
_DATABASE = "the database that the connection names is not there: make it, or name another one in the connection's schema"
_PRIVILEGE = "the connection's login may not do that: grant it what the page on typed tables lists"
_MISSING = "the table or one of its books is not there: sync into it first, or take it back from a backup"
_SCHEMA = "its schema is not there: make it with CREATE SCHEMA, or name another one in table"
_COLLATION = "the server lacks the exact collation of text: MySQL must be 8.0.17 or newer, MariaDB 10.2"
_READONLY = "the database takes no changes: it is a standby, or set to read-only; lead the connection to one that may be written"
_FULL = "its disk is full: make room"
_LOCKED = "another session holds locks on it for too long: let that end, or raise the database's time-out"
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
    **{"55P03": _LOCKED, "40P01": _LOCKED, "40001": _LOCKED, "57014": _LOCKED, 1205: _LOCKED, 1213: _LOCKED},
    **{"SQLITE_BUSY": _LOCKED, "SQLITE_LOCKED": _LOCKED},
    **{2002: _REACH, 2003: _REACH, 2005: _REACH},
}
"""What may be otherwise at the next try."""
_AT_THE_DOOR = (
    (re.compile(r"password authentication failed|role .* does not exist|no pg_hba\.conf entry|no password supplied"), _LOGIN),
    (re.compile(r"database .* does not exist"), _DATABASE),
)
"""PostgreSQL's drivers tell no SQLSTATE of a connection that was refused."""
_UNREACHED = re.compile(r"connection to server .* failed|could not translate host name|could not connect|timeout expired")


@contextmanager
def failing(what: str, table: str) -> Iterator[None]:
    """Errors of the database as ours.

    :param what: what is being done
    :raises NexusConfigurationError: when another try would end alike
    :raises NexusStorageError: when another try may help
    """
    try:
        yield
    except SQLAlchemyError as error:
        # The chain is cut: SQLAlchemy's own text quotes whole rows.
        raise _as_ours(f"The database could not {what} table {table}", error) from None
    except UnicodeEncodeError:
        raise NexusStorageError(f"The database could not {what} table {table}: it was given text that is no Unicode") from None


def _as_ours(could_not: str, error: SQLAlchemyError) -> NexusConfigurationError | NexusStorageError:
    cause = getattr(error, "orig", None) or error
    text = " ".join(str(part) for part in cause.args)
    line = next((line for line in text.splitlines() if line.strip()), "")
    said = f"{type(cause).__name__}: {_VALUES.sub('...', line)[:300]}"
    code = _code(cause)
    final = _FINAL.get(code) or ("" if code else next((hint for pattern, hint in _AT_THE_DOOR if pattern.search(text)), ""))
    if final:
        return NexusConfigurationError(f"{could_not}, as {final} ({said})")
    passing = _PASSING.get(code) or (_REACH if not code and _UNREACHED.search(text) else "")
    return NexusStorageError(f"{could_not}, as {passing} ({said})" if passing else f"{could_not}: {said}")


def _code(cause: BaseException) -> Any:
    """SQLSTATE of PostgreSQL, number of MySQL or name of SQLite, without what that says beside its kind."""
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        return state
    name = getattr(cause, "sqlite_errorname", None)
    if name:
        return "_".join(name.split("_")[:2])
    number = cause.args[0] if cause.args else None
    return number if isinstance(number, int) else None
