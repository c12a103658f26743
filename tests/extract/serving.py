"""A sandbox and a client for it, for tests of the layers that need no Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob, collection_folder

QUICK = RetryPolicy(retries=3, base=0.01, cap=0.05, deadline=10)


def client_of(sandbox: Sandbox, *, policy: RetryPolicy = QUICK, **extra: Any) -> NexusClient:
    """A client of a running sandbox."""
    settings = read_settings(token=sandbox.token, host=sandbox.base_url, extra=extra)
    return NexusClient(NexusSession(settings, policy=policy))


@contextmanager
def sandbox_and_client(**settings: Any) -> Iterator[tuple[Sandbox, NexusClient]]:
    """A sandbox with few rows, and a client for it."""
    with Sandbox(
        **{"customers": 40, "transactions": 300, "days": 2, "clock_speed": 0, "amounts": "awkward", **settings}
    ) as sandbox:
        client = client_of(sandbox)
        yield sandbox, client
        client.session.close()


def lines_job(
    client: NexusClient,
    target: Path,
    resource: str,
    requested: RequestedWindow | None = None,
    *,
    job: dict[str, Any] | None = None,
    **options: Any,
) -> SyncJob:
    """A sync into files of JSON lines.

    :param job: further arguments of the job
    :param options: further members of the request
    """
    entry = get_resource(resource)
    request = SyncRequest(resource=entry, requested=requested, **options)
    loader = Loader(JsonLinesCopy(collection_folder(target, client.session.environment.name, entry)), request.max_rejected)
    return SyncJob(client, request, loader, **(job or {}))
