"""What is measured of the provider: each way to read the records of the server.

Each function here, and in ``benchmarks.peers``, takes the server's URL and a page size, imports and prepares what it needs, and
returns the work that is measured, which returns the number of records that it has read.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.job import SyncJob
from benchmarks.server import END, START

Work = Callable[[], int]
DATABASE = "NEXUS_BENCH_DATABASE"
"""The environment variable with the URL of an empty PostgreSQL database."""
_RESOURCE = get_resource("transactions")
_THREADS = 8
_LOADS = count()


@contextmanager
def _client_of(url: str) -> Iterator[NexusClient]:
    client = NexusClient(NexusSession(read_settings(token="none-is-asked-for", host=url)))
    try:
        yield client
    finally:
        client.session.close()


def _sync(url: str, page_size: int, copy: Any, parallel: int = 1) -> int:
    """A proved sync into a copy."""
    with _client_of(url) as client:
        requested = RequestedWindow(START, END, "arguments")
        request = SyncRequest(resource=_RESOURCE, requested=requested, page_size=page_size, parallel=parallel)
        summary = SyncJob(client, request, Loader(copy)).run()
    if summary is None or summary["verdict"] != "proved":
        raise RuntimeError(f"the sync was not proved: {summary}")
    return int(summary["records"])


def _sync_into_folder(url: str, page_size: int, copy_in: Callable[[Path], Any], parallel: int = 1) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return _sync(url, page_size, copy_in(Path(folder)), parallel)


def iter_records(url: str, page_size: int) -> Work:
    """Typed records one by one, as a task of one's own takes them."""

    def work() -> int:
        with _client_of(url) as client:
            wanted = RecordsWanted(resource=_RESOURCE, start=START, end=END, page_size=page_size)
            return sum(1 for _ in wanted.records(client, logging.getLogger(__name__)))

    return work


def json_lines(url: str, page_size: int) -> Work:
    """A proved sync into gzip JSON lines."""
    return partial(_sync_into_folder, url, page_size, JsonLinesCopy)


def json_lines_parallel(url: str, page_size: int) -> Work:
    """The same in eight sub-windows side by side."""
    return partial(_sync_into_folder, url, page_size, JsonLinesCopy, _THREADS)


def parquet(url: str, page_size: int) -> Work:
    """A proved sync into typed Parquet files."""
    from airflow_provider_nexus.load.parquet.batches import load
    from airflow_provider_nexus.load.parquet.copy import ParquetCopy

    load()
    return partial(_sync_into_folder, url, page_size, partial(ParquetCopy, table=Table(_RESOURCE)))


def sqlite(url: str, page_size: int) -> Work:
    """A proved load into a new table of SQLite."""
    load = _table_loader()

    def work() -> int:
        with tempfile.TemporaryDirectory() as folder:
            return load(url, page_size, f"sqlite:///{folder}/bench.db")

    return work


def postgresql(url: str, page_size: int) -> Work:
    """A proved load into a new table of PostgreSQL."""
    return partial(_table_loader(), url, page_size, os.environ[DATABASE])


def postgresql_copy(url: str, page_size: int) -> Work:
    """psycopg's COPY alone, of the rows of such a load, which are in memory as Python's values, into a table like it."""
    import psycopg

    name, rows = _rows_in_postgresql(url, page_size)
    with psycopg.connect(_server()) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        connection.execute(f"CREATE TABLE plain (LIKE {name} INCLUDING ALL)")

    def work() -> int:
        with psycopg.connect(_server()) as connection, connection.cursor().copy("COPY plain FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return len(rows)

    return work


@cache
def _rows_in_postgresql(url: str, page_size: int) -> tuple[str, list[tuple[Any, ...]]]:
    """A table that was loaded, and its rows."""
    import psycopg

    name = f"copied_{url.rpartition(':')[2]}"
    _table_loader()(url, page_size, os.environ[DATABASE], name)
    with psycopg.connect(_server()) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            [name],
        ).fetchall()
        chosen = ", ".join(f'"{column}"::text' if "json" in kind else f'"{column}"' for column, kind in columns)
        return name, connection.execute(f"SELECT {chosen} FROM {name}").fetchall()


def _server() -> str:
    return os.environ[DATABASE].replace("+psycopg", "")


def _table_loader() -> Callable[..., int]:
    """Loads a table; a new one by default."""
    import sqlalchemy as sa

    from airflow_provider_nexus.load.sql.copy import SqlCopy

    def load(url: str, page_size: int, database: str, name: str = "") -> int:
        engine = sa.create_engine(database)
        try:
            name = name or f"nexus_{os.getpid()}_{next(_LOADS)}"
            return _sync(url, page_size, SqlCopy(engine, name, Table(_RESOURCE), environment="sandbox", base_url=url))
        finally:
            engine.dispose()

    return load
