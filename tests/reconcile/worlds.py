"""A sandbox of 75 days with copies of all that is reconciled, in files of both formats and in tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.reconcile.copied import CopiedRecords, copied_files, copied_table
from airflow_provider_nexus.reconcile.reconciled import Reconciled
from airflow_provider_nexus.reconcile.reconciliation import Reconciliation
from airflow_provider_nexus.reconcile.request import COPIES
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob
from tests.extract.serving import client_of
from tests.load.storing import put

DAYS, NOW = 75, datetime(2026, 3, 1, 12, tzinfo=UTC)
LOG = logging.getLogger(__name__)


@dataclass
class World:
    """A sandbox and where its copies are.

    :param end: up to here everything was copied
    """

    sandbox: Sandbox
    client: NexusClient
    end: datetime
    root: Path

    @property
    def start(self) -> datetime:
        return self.end - timedelta(days=DAYS + 1)

    def windows(self, number: int) -> list[RequestedWindow]:
        """The span in windows that lie end to end."""
        step = (self.end - self.start) // number
        edges = [self.start + step * place for place in range(number)]
        return [RequestedWindow(one, other, "arguments") for one, other in zip(edges, [*edges[1:], self.end], strict=True)]

    def put(self, file_format: str, number: int = 3, names: tuple[str, ...] = COPIES, **options: Any) -> Path:
        """Copy into files."""
        target = self.root / file_format
        for name in names:
            for window in self.windows(number):
                put(self.client, target, name, window, file_format, settle_lag=timedelta(0), **options)
        return target

    def load(self, engine: Engine, names: tuple[str, ...] = COPIES) -> None:
        """Copy into tables."""
        environment = self.client.session.environment
        for name in names:
            entry = get_resource(name)
            copy = SqlCopy(engine, name, Table(entry), environment=environment.name, base_url=environment.base_url)
            for window in self.windows(2):
                SyncJob(self.client, SyncRequest(resource=entry, requested=window, settle_lag=timedelta(0)), Loader(copy)).run()

    def files(self, file_format: str, names: tuple[str, ...] = COPIES) -> dict[str, CopiedRecords]:
        return {name: copied_files(self.root / file_format, name) for name in names}

    def tables(self, engine: Engine, names: tuple[str, ...] = COPIES) -> dict[str, CopiedRecords]:
        return {name: copied_table(engine, name, name) for name in names}

    def reconcile(self, copies: dict[str, CopiedRecords], **options: Any) -> Reconciled:
        return Reconciliation(client=self.client, copies=copies, log=LOG, **options).run()


@contextmanager
def world(root: Path, *, hours: int = 30, **settings: Any) -> Iterator[World]:
    """A world whose copies are read some hours after their windows have ended, so that much was completed in between."""
    wanted = {
        "days": DAYS,
        "transactions": 1200,
        "customers": 20,
        "clock_speed": 0,
        "arrivals_per_hour": 2.0,
        "now": NOW,
        **settings,
    }
    with Sandbox(**wanted) as sandbox:
        client, end = client_of(sandbox), sandbox.now
        sandbox.advance(hours * 3600)
        yield World(sandbox, client, end, root)
        client.session.close()
