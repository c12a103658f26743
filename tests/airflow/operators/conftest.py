"""A small sandbox whose clock stands still, for tests of what changes something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One for all tests of a module, and the connection to it."""
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox, connection(sandbox):
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The same as it was made, without faults."""
    running.reset()
    running.configure(faults=(), clock_speed=0)
    return running
