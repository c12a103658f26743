"""What is measured of the provider: each way to read the records of the server, by name."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.records import RecordsWanted
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.job import SyncJob
from benchmarks.server import END, START

RESOURCE = get_resource("transactions")


@contextmanager
def client_of(url: str) -> Iterator[NexusClient]:
    """A client of the server."""
    client = NexusClient(NexusSession(read_settings(token="none-is-asked-for", host=url)))
    try:
        yield client
    finally:
        client.session.close()


def iter_records(url: str, page_size: int) -> int:
    """Typed records one by one, as a task of one's own takes them."""
    with client_of(url) as client:
        wanted = RecordsWanted(resource=RESOURCE, start=START, end=END, page_size=page_size)
        return sum(1 for _ in wanted.records(client, logging.getLogger(__name__)))


def sync(url: str, page_size: int, copy: Any) -> int:
    """A proved sync into a copy."""
    with client_of(url) as client:
        requested = RequestedWindow(START, END, "arguments")
        request = SyncRequest(resource=RESOURCE, requested=requested, page_size=page_size)
        summary = SyncJob(client, request, Loader(copy)).run()
    if summary is None or summary["verdict"] != "proved":
        raise RuntimeError(f"the sync was not proved: {summary}")
    return int(summary["records"])


def json_lines(url: str, page_size: int) -> int:
    """Proved gzip JSON lines."""
    from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy

    with tempfile.TemporaryDirectory() as folder:
        return sync(url, page_size, JsonLinesCopy(Path(folder)))


def parquet(url: str, page_size: int) -> int:
    """Proved typed Parquet files."""
    from airflow_provider_nexus.load.columns import Table
    from airflow_provider_nexus.load.parquet.copy import ParquetCopy

    with tempfile.TemporaryDirectory() as folder:
        return sync(url, page_size, ParquetCopy(Path(folder), Table(RESOURCE)))


def sqlite(url: str, page_size: int) -> int:
    """A proved load into a new table of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        return sql(url, page_size, f"sqlite:///{folder}/bench.db")


def sql(url: str, page_size: int, database: str, name: str = "nexus_transactions") -> int:
    """A proved load into a table.

    :param database: its URL
    """
    import sqlalchemy as sa

    from airflow_provider_nexus.load.columns import Table
    from airflow_provider_nexus.load.sql.copy import SqlCopy

    engine = sa.create_engine(database)
    try:
        return sync(url, page_size, SqlCopy(engine, name, Table(RESOURCE), environment="sandbox", base_url=url))
    finally:
        engine.dispose()
