"""A million rows cost no memory, and the last page is as near as the first."""

from __future__ import annotations

import tracemalloc

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.sandbox import Sandbox
from tests.sandbox.conftest import NOW, Client
from tests.sandbox.counting import counted

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
    span = {"sortBy": "created", "createdFrom": "2025-03-01", "createdTill": to_wire(NOW)}
    with (
        counted() as work,
        Sandbox(seed=1, customers=50_000, transactions=1_000_000, days=365, now=NOW, clock_speed=0) as sandbox,
    ):
        client = Client(sandbox)
        client.page(PATH, limit=10)
        costs = []
        for number in (1, 50_000, 100_000):
            before = work.calls
            client.page(PATH, page=number, limit=10, **span)
            costs.append(work.calls - before)
    assert max(costs) < 2 * costs[0], costs


def test_starting_costs_the_same_for_a_million() -> None:
    costs = []
    for transactions in (1_000, 1_000_000):
        with counted() as work:
            Sandbox(customers=transactions // 20, transactions=transactions)
        costs.append(work.calls)
    assert costs[1] < 2 * costs[0], costs
