"""A money call is never made twice: seeded faults, retries and manual clears against the sandbox."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusApiError, NexusConfigurationError, NexusError
from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault, FaultKind
from airflow_provider_nexus.writes.customers import create_write, update_write
from airflow_provider_nexus.writes.exchange import order_write, transfer_write
from airflow_provider_nexus.writes.ledger import MemoryLedger
from airflow_provider_nexus.writes.once import Once, Write, reference_of
from airflow_provider_nexus.writes.transactions import cancel_write, payout_write, transaction_write
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.repeated import times

RUNS = times(25, 100)
ONCE = RetryPolicy(retries=0, base=0.001, cap=0.001, deadline=1)
_MONEY = {"customerCode": "giver", "cryptoCode": "BTC", "currencyCode": "EUR"}
_SOURCE = {"source": {**_MONEY, "cryptoAmount": "0.0001"}}
_VALUES: dict[str, dict[str, Any]] = {
    "buy": {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "CUST_BUY_IDEAL"},
    "sell": {**_MONEY, "cryptoAmount": Decimal("0.0001"), "paymentMethodCode": "CUST_SELL_SEPA"},
    "gift": {**_MONEY, "fiatValue": 5, "paymentMethodCode": "CUST_GIFT"},
    "clawback": {**_MONEY, "cryptoAmount": "0.0001"},
    "send_out": {**_SOURCE, "paymentMethodCode": "CUST_SENDOUT", "destination": {"address": "bc1qabcdefghij"}},
    "send_internal": {**_SOURCE, "paymentMethodCode": "CUST_SENDINTERNAL", "destination": {"customerCode": "taker"}},
    "send_to_bucket": {**_SOURCE, "paymentMethodCode": "CUST_SENDTOBUCKET", "destination": {"bucketCode": "BUCKET0001"}},
    "swap": {
        "customerCode": "giver",
        "paymentMethodCode": "CUST_SWAP",
        "source": {"cryptoCode": "BTC", "cryptoAmount": "0.0001"},
        "destination": {"cryptoCode": "ETH"},
    },
    "broker_buy": {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "BUY_IDEAL"},
    "broker_sell": {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "SELL_SEPA"},
    "classic_buy": {"paymentMethodCode": "BUY_IDEAL", "amount": 100, "currency": "EUR"},
    "classic_sell": {"paymentMethodCode": "SELL_SEPA", "cryptoAmount": "0.1"},
}
_PATHS = {
    "buy": "/buy/custodian",
    "sell": "/sell/custodian",
    "gift": "/gift/custodian",
    "clawback": "/clawback/custodian",
    "send_out": "/sendout/custodian",
    "send_internal": "/sendinternal/custodian",
    "send_to_bucket": "/sendtobucket/custodian",
    "swap": "/swap/custodian",
    "broker_buy": "/brokerbuy",
    "broker_sell": "/paymentrequest/brokersell",
    "classic_buy": "/buy/broker",
    "classic_sell": "/sell/broker",
    "order": "/orders",
    "transfer": "/transfers",
}
_ORDER = {
    "exchangeCode": "KRAKEN",
    "action": "Buy",
    "type": "Market",
    "crypto": "BTC",
    "currency": "EUR",
    "amount": "100.50",
}
_TRANSFER = {
    "sourceType": "Exchange",
    "sinkType": "HotWallet",
    "cryptoCode": "BTC",
    "amount": "0.25",
    "sourceExchangeCode": "KRAKEN",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


def client_of(sandbox: Sandbox, timeout: float = 5) -> NexusClient:
    settings = read_settings(token=sandbox.token, host=sandbox.base_url, extra={"allow_writes": True, "timeout": timeout})
    return NexusClient(NexusSession(settings, policy=ONCE))


@dataclass
class Job:
    """One write, tried as often as a task would be.

    :param begin: when its DAG run began
    """

    sandbox: Sandbox
    kind: str
    reference: str
    values: Mapping[str, Any]
    begin: datetime
    ledger: MemoryLedger = field(default_factory=MemoryLedger)

    def write(self, client: NexusClient) -> Write:
        if self.kind == "order":
            return order_write(client, _ORDER, self.reference)
        if self.kind == "transfer":
            return transfer_write(client, _TRANSFER, self.reference)
        return transaction_write(client, self.kind, self.values, self.reference)

    def attempt(self, client: NexusClient) -> dict[str, Any]:
        once = Once(client, self.ledger, quiet=300.0, pauses=(0.0, 0.0), sleep=lambda _: None)
        return once.carry_out(self.write(client), self.begin - timedelta(hours=1))


def prepared(sandbox: Sandbox, client: NexusClient, kind: str) -> dict[str, Any]:
    """A world in which the write can be made, and its body."""
    sandbox.reset()
    sandbox.configure(faults=())
    for code in ("giver", "taker"):
        client.run("POST", "/customer", json={"customerCode": code, "trustLevel": "Trusted", "status": "ACTIVE"})
    client.run("POST", "/buy/custodian", json={**_VALUES["buy"], "fiatValue": Decimal(5000)})
    sandbox.advance(600)
    values = dict(_VALUES.get(kind, {}))
    if kind.startswith("classic"):
        values["accountCode"] = _broker_account(sandbox)
    return values


def _broker_account(sandbox: Sandbox) -> str:
    accounts = [json.loads(raw) for raw in sandbox.truth("accounts")]
    return str(
        next(a["accountCode"] for a in accounts if a["accountType"] == "Broker" and a["accountStatus"].upper() == "ACTIVE")
    )


def counted(sandbox: Sandbox) -> int:
    return sum(len(sandbox.truth(name)) for name in ("transactions", "orders", "transfers"))


def faults_of(chance: random.Random, path: str, method: str = "POST") -> tuple[Fault, ...]:
    """Trouble on the write itself, and now and then on look-ups."""
    kinds: tuple[FaultKind, ...] = ("drop_after", "drop_after", "drop", "status", "truncate", "garbage", "empty")
    trouble = [
        Fault(kind=chance.choice(kinds), path=path, method=method, first=n, status=503) for n in (1, 2) if chance.random() < 0.7
    ]
    if chance.random() < 0.5:
        trouble.append(
            Fault(
                kind=chance.choice(("drop", "status")),
                method="GET",
                first=chance.randint(1, 6),
                times=chance.randint(1, 3),
                status=503,
            )
        )
    return tuple(trouble)


def live_through(job: Job, chance: random.Random, client: NexusClient) -> int:
    """Retries with any time between them, then a manual clear. The number of tries that ended well."""
    good = 0
    for _ in range(chance.randint(3, 5)):
        with suppress(NexusError):
            job.attempt(client)
            good += 1
        job.sandbox.advance(chance.choice((1, 60, 299, 301, 900)))
        if good > 1:
            break
    return good


@pytest.mark.parametrize("kind", [*_VALUES, "order", "transfer"])
def test_never_twice(sandbox: Sandbox, kind: str) -> None:
    client = client_of(sandbox)
    pair = 2 if kind in ("send_internal", "swap") else 1
    chance, executions = random.Random(f"{kind}"), []
    for number in range(RUNS):
        if number % 20 == 0:
            values = prepared(sandbox, client, kind)
        sandbox.advance(4000)
        before = counted(sandbox)
        job = Job(sandbox, kind, reference_of("never twice", kind, number), values, sandbox.now)
        sandbox.configure(faults=faults_of(chance, _PATHS[kind]))
        good = live_through(job, chance, client)
        sandbox.configure(faults=())
        executions.append(made := (counted(sandbox) - before) // pair)
        assert made <= 1, f"run {number} made {made}"
        assert made == 1 or not good, f"run {number} says that it is done, and it is not"
        final(job, client, before, pair)
    assert sum(executions) > RUNS // 4


def test_a_payout_is_never_made_twice(sandbox: Sandbox) -> None:
    client, chance = client_of(sandbox), random.Random("payout")
    values = prepared(sandbox, client, "sell")
    for number in range(RUNS):
        sandbox.configure(faults=())
        code = client.run("POST", "/sell/custodian", json=values)["transaction"]["transactionCode"]
        sandbox.advance(150)
        reference, ledger = (f"P-{number}" if chance.random() < 0.5 else None), MemoryLedger()
        before = sandbox.call_count
        sandbox.configure(faults=faults_of(chance, "/payout", "PUT"))
        for _ in range(4):
            with suppress(NexusApiError):
                write = payout_write(client, ledger, code, None, reference)
                Once(client, ledger, pauses=(0.0,), sleep=lambda _: None).carry_out(write, sandbox.now)
            sandbox.advance(chance.choice((1, 301)))
        calls = sandbox.calls[before - sandbox.call_count :]
        assert sum(call.method == "PUT" and call.status == 200 for call in calls) <= 1
        assert sum(call.method == "PUT" and call.status == 400 for call in calls) == 0, "it was paid out, and sent again"


@pytest.mark.parametrize("act", ["create", "update", "cancel"])
def test_a_state_is_set_once(sandbox: Sandbox, act: str) -> None:
    """What is there already is not sent again: Nexus refuses no second copy, as there is none."""
    client, chance = client_of(sandbox), random.Random(act)
    values = prepared(sandbox, client, "broker_buy")
    for number in range(RUNS):
        sandbox.configure(faults=())
        code = client.run("POST", "/brokerbuy", json=values)["transaction"]["transactionCode"]
        before = sandbox.call_count
        sandbox.configure(faults=faults_of(chance, "/cancel" if act == "cancel" else "/customer", _METHODS[act]))
        good = 0
        for _ in range(4):
            with suppress(NexusApiError):
                write = _state_write(client, act, code, number)
                Once(client, MemoryLedger(), pauses=(0.0,), sleep=lambda _: None).carry_out(write, sandbox.now)
                good += 1
            sandbox.advance(1)
        mine = [call for call in sandbox.calls[before - sandbox.call_count :] if call.method == _METHODS[act]]
        assert sum(call.status in (400, 409) for call in mine) == 0, "it was done, and sent again"
        assert not good or _is_set(sandbox, act, code, number)


_METHODS = {"create": "POST", "update": "PUT", "cancel": "POST"}


def _state_write(client: NexusClient, act: str, code: str, number: int) -> Write:
    if act == "create":
        return create_write(client, f"new-{number}", {"trustLevel": "Trusted", "status": "ACTIVE"})
    if act == "update":
        return update_write(client, "taker", {"companyName": f"Acme {number}"})
    return cancel_write(client, code)


def _is_set(sandbox: Sandbox, act: str, code: str, number: int) -> bool:
    if act == "cancel":
        now = [json.loads(raw) for raw in sandbox.truth("transactions")]
        return code in {record["transactionCode"] for record in now if record["status"] == "CANCELLED"}
    customers = [json.loads(raw) for raw in sandbox.truth("customers")]
    if act == "create":
        return bool(sum(customer["customerCode"] == f"new-{number}" for customer in customers) == 1)
    return f"Acme {number}" in {customer["companyName"] for customer in customers}


@pytest.mark.parametrize("kind", ["buy", "sell", "order", "transfer"])
def test_what_can_not_be_found_is_not_sent_again(sandbox: Sandbox, kind: str) -> None:
    """That a reference can't be found is no proof, as it is not known whether Nexus keeps it."""
    client = client_of(sandbox)
    job = Job(sandbox, kind, f"lost {kind}", prepared(sandbox, client, kind), sandbox.now)
    before = counted(sandbox)
    sandbox.configure(faults=(Fault(kind="drop", path=_PATHS[kind], method="POST"),))
    for _ in range(3):
        with pytest.raises(NexusAmbiguousWriteError, match="Look"):
            Once(client, job.ledger, quiet=None, pauses=(0.0,), sleep=lambda _: None).carry_out(job.write(client), job.begin)
        sandbox.advance(86_400)
    assert counted(sandbox) == before
    job.ledger = MemoryLedger()  # a person has looked
    assert first_text(job.attempt(client))
    assert counted(sandbox) == before + 1


@pytest.mark.parametrize("kind", ["buy", "sell", "order", "transfer"])
def test_an_answer_that_comes_too_late(sandbox: Sandbox, kind: str) -> None:
    client = client_of(sandbox)
    job = Job(sandbox, kind, f"late {kind}", prepared(sandbox, client, kind), sandbox.now)
    before = counted(sandbox)
    sandbox.configure(faults=(Fault(kind="slow", path=_PATHS[kind], method="POST", seconds=4),))
    assert first_text(job.attempt(client_of(sandbox, timeout=3)))
    assert counted(sandbox) - before == 1


def test_a_swap_is_found_by_its_payment_reference(sandbox: Sandbox) -> None:
    """It is the only trade without data."""
    client = client_of(sandbox)
    job = Job(sandbox, "swap", "lost swap", prepared(sandbox, client, "swap"), sandbox.now)
    before = counted(sandbox)
    sandbox.configure(faults=(Fault(kind="drop_after", path="/swap/custodian", method="POST"),))
    record = job.attempt(client)
    assert (record["direction"], record["paymentReference"], counted(sandbox) - before) == ("SOURCE", "lost swap", 2)
    with pytest.raises(NexusConfigurationError, match="of a SWAP transaction is where the task puts its own reference"):
        transaction_write(client, "swap", {**job.values, "paymentReference": "other"}, "lost swap")


def test_another_try_of_a_task_finds_what_the_first_made(sandbox: Sandbox) -> None:
    values = prepared(sandbox, client_of(sandbox), "buy")
    before = counted(sandbox)
    sandbox.configure(
        faults=(
            Fault(kind="drop_after", path="/buy/custodian", method="POST"),
            Fault(kind="status", status=503, path="/transactions/custodian", method="GET", first=2, times=3),
        )
    )
    with connection(sandbox, extra={"retries": 0}), DAG("tries", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="buy", kind="buy", values=values, retries=2, retry_delay=timedelta(0))
        run = run_dag(dag)
    assert counted(sandbox) == before + 1
    assert sum(call.method == "POST" and call.path == "/buy/custodian" for call in sandbox.calls) == 2, "one is the fixture's"
    assert (state_of(run, "buy"), xcom_of(run, "buy")["type"]) == ("success", "BUY")


def final(job: Job, client: NexusClient, before: int, pair: int) -> None:
    """Cleared once more without faults, and once with a ledger that forgot: one, or an error that says what to look up."""
    job.sandbox.advance(301)
    try:
        code = first_text(job.attempt(client))
    except NexusAmbiguousWriteError as error:
        told, never_again = error.lookup, job.kind in ("swap", "classic_buy", "classic_sell")
        if not (told and never_again):
            raise
        return
    assert (counted(job.sandbox) - before) // pair == 1
    if not job.kind.startswith("classic"):
        job.ledger = MemoryLedger()
        assert first_text(job.attempt(client)) == code
        assert (counted(job.sandbox) - before) // pair == 1


def first_text(record: Mapping[str, Any]) -> str:
    return str(next(record[name] for name in ("transactionCode", "orderCode", "transferCode") if name in record))
