"""A sandbox and a client for it, for tests of the layers that need no Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.sandbox import Sandbox

QUICK = RetryPolicy(retries=3, base=0.01, cap=0.05, deadline=10)


def client_of(sandbox: Sandbox, *, policy: RetryPolicy = QUICK, **extra: Any) -> NexusClient:
    """A client of a running sandbox."""
    settings = read_settings(token=sandbox.token, host=sandbox.base_url, extra=extra)
    return NexusClient(NexusSession(settings, policy=policy))


@contextmanager
def sandbox_and_client(**settings: Any) -> Iterator[tuple[Sandbox, NexusClient]]:
    """A sandbox with few rows, and a client for it."""
    with Sandbox(**{"customers": 40, "transactions": 300, "days": 2, "clock_speed": 0, **settings}) as sandbox:
        client = client_of(sandbox)
        yield sandbox, client
        client.session.close()
