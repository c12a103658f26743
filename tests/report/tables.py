"""Tables that real syncs made, beside the files of the same readings."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.job import SyncJob
from airflow_provider_nexus.sync.watermark import CopyWatermark
from tests.extract.serving import client_of
from tests.load.storing import capture, put
from tests.report.trees import START, midnight

Grown = tuple[Path, Path]
"""A file of SQLite, and the root of the files."""
DAYS = 5
UNPROVED, LEFT_OUT = 1, 2
"""Numbers of the days of orders that can't be proved, and that are left out."""


def grow_both(engine: Engine, root: Path) -> None:
    """Sync some days into tables and into files: a copy that follows its records, windows by day with a gap, whole readings."""
    life: dict[str, Any] = {"lives": "long", "customers": 20, "transactions": 30, "days": 1, "arrivals_per_hour": 1.5}
    with Sandbox(now=START + timedelta(days=1), clock_speed=0, **life) as sandbox:
        for day in range(DAYS):
            if day:
                sandbox.advance(86400)
            capture(sandbox, root, "broker_transactions", START)
            _capture(sandbox, engine, "broker_transactions")
            client = client_of(sandbox)
            _read_orders(sandbox, client, engine, root, day)
            for name, window in (
                ("customers", RequestedWindow(midnight(day), midnight(day + 1), "arguments")),
                ("balances", None),
            ):
                put_table(client, engine, name, window)
            client.session.close()


def _read_orders(sandbox: Sandbox, client: NexusClient, engine: Engine, root: Path, day: int) -> None:
    if day == LEFT_OUT:
        return
    requested, options = RequestedWindow(midnight(day), midnight(day + 1), "arguments"), {"strict": False, "max_rejected": 1000}
    sandbox.configure(total_error=int(day == UNPROVED), misfit_share=0.2, misfits=["amount"])
    put(client, root, "orders", requested, "parquet", **options)
    put_table(client, engine, "orders", requested, **options)
    sandbox.configure(total_error=0, misfit_share=0.0)


def put_table(client: NexusClient, engine: Engine, name: str, requested: RequestedWindow | None = None, **options: Any) -> None:
    """Sync one window or snapshot into a table."""
    request = SyncRequest(resource=get_resource(name), requested=requested, **options)
    assert SyncJob(client, request, Loader(_copy(client, engine, name), request.max_rejected)).run() is not None


def _capture(sandbox: Sandbox, engine: Engine, name: str) -> None:
    client = client_of(sandbox)
    copy = _copy(client, engine, name)
    watermark = CopyWatermark(copy)
    known = watermark.get()
    requested = RequestedWindow(datetime.fromisoformat(known) if known else START, None, "watermark")
    CaptureJob(client, SyncRequest(resource=get_resource(name), requested=requested), copy, watermark=watermark).run()
    client.session.close()


def _copy(client: NexusClient, engine: Engine, name: str) -> SqlCopy:
    environment = client.session.environment
    table = Table(get_resource(name))
    return SqlCopy(engine, f"nexus_{name}", table, environment=environment.name, base_url=environment.base_url)


def change(engine: Engine, statement: str) -> None:
    """Change the books by hand, as nobody should."""
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount == 1
