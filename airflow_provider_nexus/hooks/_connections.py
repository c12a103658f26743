"""Airflow's connections of Nexus, databases, object stores, and of the Redis by which machines share a rate limit.

One that is not there or can't be used raises :class:`NexusConfigurationError`, with one sentence that names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowException  # type: ignore[attr-defined]
from airflow.sdk import BaseHook, ObjectStoragePath

from airflow_provider_nexus.client.rate_store import RateStore
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import TELLING, flag, whole
from airflow_provider_nexus.compat import AirflowNotFoundException, no_word_of_short_extras
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError, hide_in_errors
from airflow_provider_nexus.load.paths import place_of

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import Connection
    from sqlalchemy import Engine

DATABASES = ("postgresql", "mysql", "mariadb", "sqlite")
"""Databases that tables can be stored in, by SQLAlchemy's names."""
_REDIS = ("redis", "rediss")
_PORT, _MOST_DATABASES = 6379, 65_535
_SEVERAL = re.compile("sentinel|cluster|master|startup_nodes", re.IGNORECASE)
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class Given:
    """The fields of a connection. Airflow's own object shows its password wherever it, or a frame with it, is printed."""

    def __init__(self, connection: Connection) -> None:
        self.conn_type, self.host, self.port = connection.conn_type, connection.host, connection.port
        self.schema, self.login = connection.schema, Secret(connection.login or "")
        self.password, self.extra = Secret(connection.password or ""), Secret(connection.extra or "{}")


@contextmanager
def defined(conn_id: str, kind: str = "") -> Iterator[None]:
    """Look a connection up in the block; ``kind`` is the type that it has to be of, for the error."""
    try:
        with no_word_of_short_extras():
            yield
    except AirflowNotFoundException:
        of_type = f"one of type {kind!r}" if kind else "it"
        raise NexusConfigurationError(
            f"there is no connection {conn_id!r}, or none that can be read: make {of_type} in Airflow under Admin, Connections, "
            f"or set the environment variable AIRFLOW_CONN_{str(conn_id).upper()}"
        ) from None


def sql_hook(conn_id: str) -> DbApiHook:
    """The hook of a connection of a SQL database, whose provider is installed."""
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise NexusConfigurationError("tables need the extra 'sql': pip install 'airflow-provider-nexus[sql]'") from None
    with defined(conn_id):
        connection = BaseHook.get_connection(conn_id)
    kind = f"connection {conn_id!r} is of the type {connection.conn_type!r}"
    try:
        hook: object = connection.get_hook()  # type: ignore[no-untyped-call]
    except AirflowException:
        hint = "install the provider of your database, such as apache-airflow-providers-postgres"
        raise NexusConfigurationError(f"{kind}, which no installed provider knows: {hint}") from None
    if not isinstance(hook, DbApiHook):
        raise NexusConfigurationError(f"{kind}, which is no SQL database: name another one with sql_conn_id")
    return hook


def engine_of(conn_id: str) -> Engine:
    """An engine of a connection's database, one that tables can be stored in. The caller disposes of it."""
    hook = sql_hook(conn_id)
    try:
        engine: Engine = hook.get_sqlalchemy_engine()
    except ImportError as error:
        hint = "install its provider's extras"
        raise NexusConfigurationError(f"connection {conn_id!r} needs a driver that is not installed ({error}): {hint}") from error
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        where = "a SQLite database in memory, which ends with its process: name a file"
    elif engine.dialect.name not in DATABASES:
        hint = "For others, write Parquet files with NexusToObjectStorageOperator and load those"
        where = f"a database of the kind {engine.dialect.name!r}; tables are stored in {', '.join(DATABASES)}. {hint}"
    else:
        return engine
    engine.dispose()
    raise NexusConfigurationError(f"connection {conn_id!r} leads to {where}")


def opened(name: str, path: Any, conn_id: str | None = None) -> ObjectStoragePath:
    """A place in a store.

    :param name: of the argument that names it
    :raises NexusStorageError: when the store can't be reached
    """
    text = place_of(name, path)
    try:
        # Airflow 3.1 takes a connection that is None for the answer, even where the URL names one
        found = ObjectStoragePath(text, conn_id=conn_id) if conn_id else ObjectStoragePath(text)
        if found.conn_id:  # where it is missing, Amazon's provider takes what the machine itself may use
            BaseHook.get_connection(found.conn_id)
        _ = found.fs  # Airflow 3.1 does not look for the store before
    except (ValueError, ImportError) as error:
        hint = "check the scheme, or install the provider of that store and what it needs"
        raise NexusConfigurationError(f"{name} is {text}, and its store can't be used ({error}): {hint}") from None
    except AirflowException as error:
        hint = "make the connection in Airflow, of the type of that store, or name another one"
        raise NexusConfigurationError(f"{name} is {text}, and its connection can't be used ({error}): {hint}") from None
    except Exception as error:  # each store has errors of its own
        raise NexusStorageError(f"{name} is {text}, and its store can't be opened: {type(error).__name__}: {error}") from error
    return found


def store_of(conn_id: str, given: Given) -> RateStore:
    """The Redis, standing alone, of a connection, whose type is ``rediss`` where it was given as such a URL.

    Its fields and extras are those of Airflow's own hook.
    """
    where = f"connection {conn_id!r}, by which the rate limit is shared,"
    if given.conn_type not in _REDIS:
        raise NexusConfigurationError(f"{where} is of type {given.conn_type!r}: give one of type 'redis'")
    host, extra = (given.host or "").strip(), _extra(where, given)
    if several := [f"the extra {name!r}" for name in extra if _SEVERAL.search(name)] + ["several hosts"] * ("," in host):
        hint = "as a Redis Cluster or Sentinel has: give one Redis that stands alone"
        raise NexusConfigurationError(f"{where} has {several[0]}, {hint}")
    if not host or re.search(r"[\s/@]", host):  # such a text may be a URL with a password
        raise NexusConfigurationError(f"{where} has no machine as its host: give the bare name or address of the Redis")
    if given.password.matches(TELLING):
        hide_in_errors(given.password)
    return RateStore(
        conn_id=conn_id,
        host=host.strip("[]"),
        port=given.port or _PORT,
        db=_database(where, given, extra),
        user=given.login.reveal(),
        password=given.password,
        tls=_tls(where, extra, is_needed=given.conn_type == "rediss"),
    )


def _extra(where: str, given: Given) -> dict[str, Any]:
    """The members of the extra without nulls and blanks; those that nobody reads here are left alone."""
    try:
        found: object = json.loads(given.extra.reveal())
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise NexusConfigurationError(f"{where} has an extra that is no JSON object: correct it, as in " + '{"db": 0}')
    return {name: value for name, value in found.items() if value is not None and str(value).strip()}


def _database(where: str, given: Given, extra: Mapping[str, Any]) -> int:
    """The number of the database: in the extra, as Airflow's hook has it, or in the path of a URL, as others have it."""
    places = {"the extra 'db'": extra.get("db"), "the schema": (given.schema or "").strip() or None}
    found = {whole(value, f"{where} {what}", 0, _MOST_DATABASES) for what, value in places.items() if value is not None}
    if len(found) > 1:
        raise NexusConfigurationError(f"{where} has one database in its extra 'db' and another one as its schema: leave one out")
    return found.pop() if found else 0


def _tls(where: str, extra: Mapping[str, Any], *, is_needed: bool) -> tuple[tuple[str, str | bool], ...] | None:
    """How certificates are checked: as the extra says, and else with all care."""
    if not (is_needed or flag(extra.get("ssl", False), f"{where} the extra 'ssl'")):
        return None
    needs = str(extra.get("ssl_cert_reqs", "required"))
    if needs not in ("required", "optional", "none"):
        raise NexusConfigurationError(f"{where} has {needs!r} as its extra 'ssl_cert_reqs': give required, optional or none")
    checks_name = needs != "none" and flag(extra.get("ssl_check_hostname", True), f"{where} the extra 'ssl_check_hostname'")
    files: dict[str, str | bool] = {name: str(extra[name]) for name in _TLS if name in extra}
    return tuple({"ssl_cert_reqs": needs, "ssl_check_hostname": checks_name, **files}.items())
