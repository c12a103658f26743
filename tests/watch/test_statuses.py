from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.watch.statuses import FEW, StatusReader, drive
from tests.extract.serving import client_of

RESOURCES = ("transactions", "broker_transactions", "orders", "mails", "customers", "accounts", "transfers")
SERVERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "small pages": {"max_limit": 20},
    "filters ignored": {"filters": "ignored"},
    "sort ignored": {"sort": "ignored", "ties": "shuffled"},
    "list not offered": {"faults": (Fault("status", path="/transactions/custodian", status=404, times=1),)},
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=60, transactions=400, days=3, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[NexusClient]:
    sandbox.reset()
    client = client_of(sandbox)
    yield client
    client.session.close()


def looked_at(client: NexusClient, reader: StatusReader, wanted: dict[str, str]) -> dict[str, str | None]:
    def answer(ask: Ask) -> Any:
        if ask.code:
            return client.get_record(reader.resource.name, ask.code)
        return client.fetch(reader.resource, params=ask.params).value

    return {code: seen_status.status for code, seen_status in drive(reader.read(wanted), answer).items()}


def truth(sandbox: Sandbox, resource: str) -> tuple[dict[str, str], dict[str, str]]:
    """Code -> creation stamp, and code -> status."""
    entry = get_resource(resource)
    assert entry.lifecycle is not None
    records = [json.loads(raw) for raw in sandbox.truth(resource)]
    key, status = entry.key[0], entry.lifecycle.status_field
    return {r[key]: r["created"] for r in records}, {r[key]: r[status] for r in records}


def upper(statuses: dict[str, str | None]) -> dict[str, str]:
    return {code: str(status).upper() for code, status in statuses.items()}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("resource", RESOURCES)
def test_every_status_is_the_true_one(sandbox: Sandbox, client: NexusClient, resource: str, server: str) -> None:
    sandbox.configure(**SERVERS[server])
    try:
        created, statuses = truth(sandbox, resource)
        seen: dict[str, str | None] = {}
        reader = StatusReader(get_resource(resource))
        for _ in range(len(created)):  # what had no turn in one look has it in the next
            missing = {code: stamp for code, stamp in created.items() if code not in seen}
            if not missing:
                break
            seen |= looked_at(client, reader, missing)
        assert upper(seen) == {code: status.upper() for code, status in statuses.items()}
    finally:
        sandbox.configure(max_limit=None, filters="honoured", sort="honoured", ties="stable", faults=())


def test_many_cost_one_list_while_nothing_ends(sandbox: Sandbox, client: NexusClient) -> None:
    created, statuses = truth(sandbox, "transactions")
    lifecycle = get_resource("transactions").lifecycle
    assert lifecycle is not None
    waiting = {code: created[code] for code, status in statuses.items() if not lifecycle.phase(status).is_settled}
    assert len(waiting) > FEW
    before = sandbox.call_count
    assert upper(looked_at(client, StatusReader(get_resource("transactions")), waiting)).keys() == waiting.keys()
    assert sandbox.call_count - before == 1


def test_a_few_are_read_one_by_one(sandbox: Sandbox, client: NexusClient) -> None:
    created, _ = truth(sandbox, "orders")
    wanted = dict(list(created.items())[:FEW])
    before = sandbox.call_count
    looked_at(client, StatusReader(get_resource("orders")), wanted)
    assert sandbox.call_count - before == FEW


def test_what_does_not_exist_is_seen_without_a_status(client: NexusClient) -> None:
    assert looked_at(client, StatusReader(get_resource("transactions")), {"NOSUCH": ""}) == {"NOSUCH": None}


def test_what_has_no_status_is_refused() -> None:
    with pytest.raises(NexusConfigurationError, match="portfolios have no status"):
        StatusReader(get_resource("portfolios"))
