"""A million rows cost no memory, and the last page is as near as the first."""

from __future__ import annotations

import time
import tracemalloc

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.sandbox import Sandbox
from tests.sandbox.conftest import NOW, Client

PATH = "/transactions/custodian"


def test_a_million_rows() -> None:
    tracemalloc.start()
    try:
        with Sandbox(seed=1, customers=50_000, transactions=1_000_000, days=365, now=NOW, clock_speed=0) as sandbox:
            client = Client(sandbox)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            page = client.page(PATH, page=9_999, limit=100, sortBy="created")
            assert (page.total, len(page.records)) == (1_000_000, 100)
            assert tracemalloc.get_traced_memory()[1] - before < 8_000_000
    finally:
        tracemalloc.stop()


def test_the_far_end_is_near() -> None:
    with Sandbox(seed=1, customers=50_000, transactions=1_000_000, days=365, now=NOW, clock_speed=0) as sandbox:
        client = Client(sandbox)
        client.page(PATH, limit=10)
        begun = time.perf_counter()
        for number in (1, 50_000, 100_000):
            client.page(PATH, page=number, limit=10, sortBy="created", createdFrom="2025-03-01", createdTill=to_wire(NOW))
        assert time.perf_counter() - begun < 0.3


def test_starts_quickly() -> None:
    begun = time.perf_counter()
    with Sandbox(customers=50_000, transactions=1_000_000):
        assert time.perf_counter() - begun < 1
