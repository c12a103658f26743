"""Many records in one window cost no more memory than few, but for some megabytes, and one connection."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.repeated import times

DAYS = times(5, 44)
SYNC = """
import resource, sys, tempfile
from datetime import datetime, timedelta
from pathlib import Path
import sqlalchemy as sa
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.sync.job import SyncJob
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow

url, token, end, hours, kind, parallel = sys.argv[1:]
entry = get_resource("mails")
client = NexusClient(NexusSession(read_settings(token=token, host=url)))
last = datetime.fromisoformat(end)
requested = RequestedWindow(last - timedelta(hours=float(hours)), last, "arguments")
with tempfile.TemporaryDirectory() as folder:
    if kind == "table":
        copy = SqlCopy(sa.create_engine(f"sqlite:///{folder}/db"), "mails", Table(entry), environment="test", base_url=url)
    else:
        copy = JsonLinesCopy(Path(folder)) if kind == "jsonl" else ParquetCopy(Path(folder), Table(entry))
    request = SyncRequest(resource=entry, requested=requested, page_size=500, parallel=int(parallel))
    summary = SyncJob(client, request, Loader(copy)).run()
print(summary["verdict"], summary["records"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
"""Mails are a quarter as many as transactions and the quickest to make, so the sandbox does not take all the time."""


def peak(sandbox: Sandbox, hours: float, kind: str = "jsonl", parallel: int = 1) -> tuple[int, float]:
    """Records synced and the peak memory of the process that did, in MB."""
    end = (sandbox.now - timedelta(hours=1)).replace(microsecond=0)
    command = [sys.executable, "-c", SYNC, sandbox.base_url, sandbox.token, end.isoformat(), str(hours), kind, str(parallel)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=800)
    verdict, records, kilobytes = done.stdout.split()
    assert verdict == "proved"
    return int(records), int(kilobytes) / 1024


@pytest.mark.slow
@pytest.mark.long
def test_the_memory_of_a_read_does_not_grow() -> None:
    hours = 24 * (DAYS - 1)
    with Sandbox(customers=1_000, transactions=100_000 * DAYS, days=DAYS, clock_speed=0) as sandbox:
        few, small = peak(sandbox, 9.6)
        connections = sandbox.connection_count
        many, large = peak(sandbox, hours)
        assert sandbox.connection_count - connections == 1
        some, beside = peak(sandbox, 96, parallel=4)
        assert sandbox.connection_count - connections in (2 + 4, 2 + 5)  # the first one can be too old for the last count
    assert 9_000 < few < 11_000
    assert many >= 1_020 * hours
    assert some >= 95_000
    assert beside - small <= 5 * 4, f"{small:.1f} MB for {few:,} records, {beside:.1f} MB for {some:,} in four parts at once"
    assert large - small <= 5, f"{small:.1f} MB for {few:,} records, {large:.1f} MB for {many:,}"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("parquet", 40), ("table", 20)])
def test_typed_rows(kind: str, most: int) -> None:
    """What grew with the number of records was a kilobyte and more for each of them."""
    with Sandbox(customers=1_000, transactions=200_000, days=2, clock_speed=0) as sandbox:
        few, small = peak(sandbox, 9.6, kind)
        many, large = peak(sandbox, 46, kind)
    assert 9_000 < few < 11_000
    assert many >= 45_000
    assert large - small <= most, f"{small:.1f} MB for {few:,} records, {large:.1f} MB for {many:,}"
