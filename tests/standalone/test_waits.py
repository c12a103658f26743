"""Two thousand waits in a real triggerer: what they cost Nexus, and how soon each hears of its record's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger
from tests.airflow.nexus import connection
from tests.standalone import triggerer
from tests.sync.serving import client_of

pytestmark = pytest.mark.standalone
WAITS, BATCHES, INTERVAL = 2000, 40, 10.0
SETTLES = 300
"""Seconds after which the sandbox settles what was ordered."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    from airflow.utils.db import initdb

    initdb()
    with Sandbox(customers=20, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as running, connection(running):
        yield running


def ordered(sandbox: Sandbox, client: NexusClient) -> list[dict[str, str]]:
    """Send-outs in batches, a virtual second apart."""
    made = []
    for batch in range(BATCHES):
        for number in range(WAITS // BATCHES):
            made.append(_buy(client, batch, number))
        sandbox.advance(1)
    return made


def _buy(client: NexusClient, batch: int, number: int) -> dict[str, str]:
    body = {
        "customerCode": "acme",
        "cryptoCode": "BTC",
        "currencyCode": "EUR",
        "fiatValue": 10,
        "paymentMethodCode": "CUST_BUY_IDEAL",
        "data": {"n": f"{batch}-{number}"},
    }
    made = client.run("POST", "/brokerbuy", json=body)["transaction"]
    return {
        "code": made["transactionCode"],
        "created": made["created"] if isinstance(made["created"], str) else made["created"].isoformat(),
    }


def test_two_thousand_waits(sandbox: Sandbox, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    client = client_of(sandbox, allow_writes=True)
    client.run("POST", "/customer", json={"customerCode": "acme", "trustLevel": "Trusted", "status": "ACTIVE"})
    made = ordered(sandbox, client)
    client.session.close()
    now = datetime.now(UTC)
    waits = [
        NexusStatusTrigger(
            resource="transactions",
            codes={each["code"]: each["created"]},
            started=now.isoformat(),
            deadline=(now + timedelta(hours=1)).isoformat(),
            poll_interval=INTERVAL,
            max_interval=INTERVAL,
        )
        for each in made
    ]
    triggerer.defer_all("two_thousand_waits", waits)
    before = sandbox.call_count
    with triggerer.triggerer(tmp_path / "triggerer.log", WAITS + 100) as process:
        triggerer.wait_until("the first look", lambda: sandbox.call_count > before, 90)
        time.sleep(2 * INTERVAL)  # until all are there
        calls, cpu, began = sandbox.call_count, triggerer.cpu_seconds(process), time.monotonic()
        time.sleep(2 * INTERVAL)
        steady = (sandbox.call_count - calls) / ((time.monotonic() - began) / INTERVAL)
        share = (triggerer.cpu_seconds(process) - cpu) / (time.monotonic() - began)
        settled = _settle(sandbox)
        triggerer.wait_until("the end of all waits", lambda: not _waiting(), 120)
        in_all = sandbox.call_count - calls
    ended = triggerer.states("two_thousand_waits")
    assert {state for state, _ in ended.values()} == {"scheduled"}
    late = [(woken - settled[index // (WAITS // BATCHES)]).total_seconds() for index, (_, woken) in ended.items()]
    print(f"calls an interval {steady:.2f}, triggerer {share:.1%} of a core, {in_all} calls in all, latest {max(late):.1f} s")
    record_property("calls_an_interval", steady)
    record_property("triggerer_share_of_a_core", share)
    assert steady <= 3
    assert max(late) <= 2 * INTERVAL


def _settle(sandbox: Sandbox) -> list[datetime]:
    """Let batch after batch come to its end; the real time at which each did."""
    sandbox.advance(SETTLES - BATCHES - 1)
    ends = []
    for _ in range(BATCHES + 1):
        sandbox.advance(1)
        ends.append(datetime.now(UTC))
        time.sleep(0.4)
    return ends


def _waiting() -> list[int]:
    return [index for index, (state, _) in triggerer.states("two_thousand_waits").items() if state == "deferred"]
