"""What the tests of the transfers ask of copies: that they hold what the sandbox has, value by value."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from airflow.sdk import DAG
from sqlalchemy import Engine

from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.load.sql.loading import rows_of

START = datetime(2026, 1, 1, tzinfo=UTC)
BOOKS = ("nexus_table", "nexus_manifest", "nexus_rejected")


@contextmanager
def sql_connection(url: str, conn_id: str = "warehouse") -> Iterator[None]:
    """A database's connection in the environment, as a deployment would set it."""
    made = sa.make_url(url)
    server = {"host": made.host, "port": made.port, "login": made.username, "schema": made.database}
    kind = {"postgresql": "postgres"}.get(made.get_backend_name(), made.get_backend_name())
    stored = {"conn_type": kind, **({"host": made.database} if kind == "sqlite" else server)}
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    os.environ[name] = json.dumps(stored)
    try:
        yield
    finally:
        os.environ.pop(name)


def sql_dag(dag_id: str, *, schedule: Any = None, **options: Any) -> DAG:
    """A DAG of one load into a table."""
    given = {"resource": "orders", "sql_conn_id": "warehouse", "table": "nexus_orders", **options}
    with DAG(dag_id, schedule=schedule, start_date=START, catchup=False) as dag:
        NexusToSqlOperator(task_id="sync", **given)
    return dag


def files_dag(dag_id: str, path: Path, **options: Any) -> DAG:
    """A DAG of one sync into Parquet files."""
    given = {"resource": "orders", "file_format": "parquet", **options}
    with DAG(dag_id, schedule=None, start_date=START, catchup=False) as dag:
        NexusToObjectStorageOperator(task_id="sync", path=path.as_uri(), **given)
    return dag


def truth(sandbox: Sandbox, resource: str, start: datetime | None = None, end: datetime | None = None) -> dict[str, str]:
    """What the sandbox has: digests of the records' values by key."""
    return {row[0]: row[3] for row in rows_of(sandbox.truth(resource, start, end), resource)}


def in_table(engine: Engine, table: str = "nexus_orders") -> dict[str, str]:
    """The same of a table."""
    return {row[0]: row[1] for row in query(engine, f"SELECT _key, _content FROM {table}")}


def in_files(collection: Path) -> dict[str, str]:
    """The same of a folder of Parquet files: those that manifests name, and no others."""
    found: dict[str, str] = {}
    for row in parquet_rows(collection):
        assert row["_key"] not in found, "a record lies in two windows"
        found[row["_key"]] = row["_content"]
    return found


def parquet_rows(collection: Path) -> list[dict[str, Any]]:
    """All rows of all windows."""
    from pyarrow import parquet  # type: ignore[import-untyped]

    folders = [path.parent for path in collection.glob("*/_manifest.json")]
    files = [
        folder / file["name"] for folder in folders for file in json.loads((folder / "_manifest.json").read_bytes())["files"]
    ]
    return [row for file in files for row in parquet.read_table(file).to_pylist()]


def query(engine: Engine, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(text))]


def dump(engine: Engine, *tables: str) -> list[list[tuple[Any, ...]]]:
    """All rows of tables."""
    return [sorted(query(engine, f"SELECT * FROM {table}"), key=repr) for table in tables]
