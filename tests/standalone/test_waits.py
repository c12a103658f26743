"""Hundreds of waits in a real triggerer: what they cost Nexus, and in how many looks each hears of its record's end."""

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
from tests.extract.serving import client_of
from tests.repeated import times
from tests.standalone import triggerer

pytestmark = pytest.mark.standalone
WAITS, BATCHES, INTERVAL = times(400, 2000), 40, 5.0
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


def test_many_waits(sandbox: Sandbox, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
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
    triggerer.defer_all("many_waits", waits)
    with triggerer.triggerer(tmp_path / "triggerer.log", WAITS + 100) as process:
        _after_looks(sandbox, 2)  # until all are there
        calls, cpu, began = sandbox.call_count, triggerer.cpu_seconds(process), time.monotonic()
        _after_looks(sandbox, 3)
        seconds = time.monotonic() - began  # more of them on a busy machine, and never more calls
        steady = (sandbox.call_count - calls) * INTERVAL / seconds
        share = (triggerer.cpu_seconds(process) - cpu) / seconds
        early = _settle(sandbox, SETTLES - BATCHES // 2, until=WAITS // 2)
        late = _settle(sandbox, BATCHES, until=WAITS)
    ended = triggerer.states("many_waits")
    assert {state for state, _ in ended.values()} == {"scheduled"}
    print(f"calls an interval {steady:.2f}, triggerer {share:.1%} of a core, looks until all heard: {early}, {late}")
    record_property("calls_an_interval", steady)
    record_property("triggerer_share_of_a_core", share)
    assert steady <= 3
    assert max(early, late) <= 3, "the one under way, the next, and one while Airflow stores what it was told"


def _looks(sandbox: Sandbox) -> int:
    """How often the list of what is not settled was asked for."""
    return sum("status" in call.query and "completed" not in str(call.query).lower() for call in sandbox.calls)


def _after_looks(sandbox: Sandbox, more: int) -> None:
    wanted = _looks(sandbox) + more
    triggerer.wait_until(f"{more} more looks", lambda: _looks(sandbox) >= wanted)


def _settle(sandbox: Sandbox, seconds: float, until: int) -> int:
    """Let virtual time pass.

    :param until: waits that are over then
    :return: looks until they have all heard of it
    """
    sandbox.advance(seconds)
    before = _looks(sandbox)
    triggerer.wait_until(f"the end of {until} waits", lambda: WAITS - len(_waiting()) >= until)
    return _looks(sandbox) - before


def _waiting() -> list[int]:
    return [index for index, (state, _) in triggerer.states("many_waits").items() if state == "deferred"]
