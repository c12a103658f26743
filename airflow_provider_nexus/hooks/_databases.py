"""The database of a connection, or one sentence that says why no tables can be kept there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.exceptions import AirflowException  # type: ignore[attr-defined]
from airflow.sdk import BaseHook

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import defined

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from sqlalchemy import Engine


DATABASES = ("postgresql", "mysql", "mariadb", "sqlite")
"""SQLAlchemy's names of the databases in which tables can be kept."""


def sql_hook(conn_id: str) -> DbApiHook:
    """The hook of a connection of a SQL database.

    :raises NexusConfigurationError: when there is no such connection, it is of no SQL database, or its provider is not installed
    """
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
    """An engine of a connection's database, the caller's to dispose of.

    :raises NexusConfigurationError: when it is none that tables can be kept in
    """
    hook = sql_hook(conn_id)
    try:
        engine: Engine = hook.get_sqlalchemy_engine()
    except ImportError as error:
        raise NexusConfigurationError(
            f"connection {conn_id!r} needs a driver that is not installed ({error}): install its provider's extras"
        ) from error
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        engine.dispose()
        raise NexusConfigurationError(
            f"connection {conn_id!r} leads to a SQLite database in memory, which ends with its process: name a file"
        )
    if engine.dialect.name not in DATABASES:
        engine.dispose()
        raise NexusConfigurationError(
            f"connection {conn_id!r} leads to a database of the kind {engine.dialect.name!r}; tables are kept in "
            f"{', '.join(DATABASES)}. For others, write Parquet files with NexusToObjectStorageOperator and load those"
        )
    return engine
