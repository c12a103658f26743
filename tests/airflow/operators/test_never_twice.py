"""Every write operator through lost answers, killed workers, tries that overlap and clears; the server counts.

``NEXUS_RUNS=1000 make reliability`` makes as many runs with each memory and prints the figures of docs/reliability.rst.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.figures import FIGURES
from tests.airflow.trials import MEMORIES, Trial, begin, how_it_ended, open_kept, workers
from tests.extract.serving import client_of
from tests.relay import ConnectionPlace, Loss, Manner, Relay, Relayed, RequestPlace, make_certificate

RUNS = int(os.environ.get("NEXUS_RUNS", "16"))
_MONEY = {"customerCode": "giver", "cryptoCode": "BTC", "currencyCode": "EUR"}
_SOURCE = {"source": {**_MONEY, "cryptoAmount": "0.0001"}}
_TRADES: dict[str, tuple[str, dict[str, Any]]] = {
    "buy": ("/buy/custodian", {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "CUST_BUY_IDEAL"}),
    "sell": ("/sell/custodian", {**_MONEY, "cryptoAmount": Decimal("0.0001"), "paymentMethodCode": "CUST_SELL_SEPA"}),
    "gift": ("/gift/custodian", {**_MONEY, "fiatValue": 5, "paymentMethodCode": "CUST_GIFT"}),
    "clawback": ("/clawback/custodian", {**_MONEY, "cryptoAmount": "0.0001"}),
    "send_out": (
        "/sendout/custodian",
        {**_SOURCE, "paymentMethodCode": "CUST_SENDOUT", "destination": {"address": "bc1qabcdefghij"}},
    ),
    "send_internal": (
        "/sendinternal/custodian",
        {**_SOURCE, "paymentMethodCode": "CUST_SENDINTERNAL", "destination": {"customerCode": "taker"}},
    ),
    "send_to_bucket": (
        "/sendtobucket/custodian",
        {**_SOURCE, "paymentMethodCode": "CUST_SENDTOBUCKET", "destination": {"bucketCode": "BUCKET0001"}},
    ),
    "swap": (
        "/swap/custodian",
        {
            "customerCode": "giver",
            "paymentMethodCode": "CUST_SWAP",
            "source": {"cryptoCode": "BTC", "cryptoAmount": "0.0001"},
            "destination": {"cryptoCode": "ETH"},
        },
    ),
    "broker_buy": ("/brokerbuy", {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "BUY_IDEAL"}),
    "broker_sell": ("/paymentrequest/brokersell", {**_MONEY, "fiatValue": "25.50", "paymentMethodCode": "SELL_SEPA"}),
    "classic_buy": ("/buy/broker", {"paymentMethodCode": "BUY_IDEAL", "amount": 100, "currency": "EUR"}),
    "classic_sell": ("/sell/broker", {"paymentMethodCode": "SELL_SEPA", "cryptoAmount": "0.1"}),
}
KINDS = (*_TRADES, "order", "transfer", "payout", "confirming", "cancel", "create_customer", "update_customer", "call")
_WITHOUT_REFERENCE = ("classic_buy", "classic_sell", "payout", "confirming", "cancel")
_SETS_A_STATE = ("update_customer", "confirming")
"""A second copy does no harm, and the client itself may make one."""


@dataclass
class Plan:
    """What one write is, and how to make it possible."""

    operator: str
    arguments: dict[str, Any]
    method: str
    path: str


@dataclass
class Run:
    """One DAG run: its plan of mishaps, and what came of it."""

    plan: Plan
    losses: list[Loss | None]
    lookup_losses: dict[int, Loss]
    connection_losses: dict[int, Loss]
    kill: str = ""
    heads: int = 0
    executed: int = 0
    gets: int = 0
    connections: int = 0
    at_stake: list[ForkServerProcess] = field(default_factory=list)
    ended: list[tuple[str, Any]] = field(default_factory=list)

    def is_write(self, request: Relayed) -> bool:
        return (request.method, request.path.lower()) == (self.plan.method, self.plan.path.lower())

    def choose(self, request: Relayed) -> Loss | None:
        if not self.is_write(request):
            self.gets += 1
            return self.lookup_losses.get(self.gets)
        self.heads += 1
        return self.losses[self.heads - 1] if self.heads <= len(self.losses) else None

    def choose_connection(self) -> Loss | None:
        self.connections += 1
        return self.connection_losses.get(self.connections)

    def kill_at(self, moment: str, request: Relayed) -> None:
        if self.kill == moment and self.is_write(request) and self.at_stake:
            with suppress(ProcessLookupError):
                os.kill(self.at_stake[0].pid or 0, signal.SIGKILL)


def _loss_of_write(chance: random.Random) -> Loss:
    place: RequestPlace = chance.choice(("in request", "after request", "after answer", "after answer", "in head", "in answer"))
    manner: Manner = chance.choice(("fin", "rst", "tls close", "raw fin", "garbage", "answer"))
    if manner != "answer" or place in ("in head", "in answer"):
        return Loss(place, "rst" if manner == "answer" else manner)
    statuses: tuple[int, ...] = (301, 408, 409, 425, 499, 500, 502, 503, 504)
    if place == "after request":
        statuses += (400, 401, 403, 404, 429)
    return Loss(place, "answer", chance.choice(statuses), b'{"message":"no","errors":["No"],"values":null}')


def make_run(chance: random.Random, plan: Plan) -> Run:
    """Mishaps drawn at random."""
    losses = [_loss_of_write(chance) if chance.random() < 0.6 else None for _ in range(2)]
    lookups = {chance.randint(1, 12): Loss("after request", "answer", 503) for _ in range(chance.choice((0, 0, 1, 2)))}
    places: tuple[ConnectionPlace, ...] = ("accept", "handshake")
    manners: tuple[Manner, ...] = ("fin", "rst", "garbage")
    connections = {
        chance.randint(1, 4): Loss(chance.choice(places), chance.choice(manners)) for _ in range(chance.choice((0, 0, 1)))
    }
    kill = chance.choice(("before", "after")) if chance.random() < 0.2 else ""
    return Run(plan, losses, lookups, connections, kill)


class World:
    """A sandbox, the relay before it, and what tries keep."""

    def __init__(self, sandbox: Sandbox, relay: Relay, folder: Path, certificate: Path, memory: str) -> None:
        self.sandbox, self.relay, self.folder, self.memory = sandbox, relay, folder, memory
        self._certificate, self._context = certificate, workers()
        self._client = client_of(sandbox, allow_writes=True)
        extra = {"allow_writes": True, "retries": 1, "timeout": 10}
        self._connection = json.dumps({"conn_type": "nexus", "host": relay.base_url, "password": sandbox.token, "extra": extra})
        self._sell = ""

    def prepare(self) -> None:
        """A world in which every write can be made."""
        self.sandbox.reset()
        for code in ("giver", "taker"):
            self._client.run("POST", "/customer", json={"customerCode": code, "trustLevel": "Trusted", "status": "ACTIVE"})
        self._client.run("POST", "/buy/custodian", json={**_TRADES["buy"][1], "fiatValue": Decimal(5000)})
        self.sandbox.advance(600)

    def plan(self, kind: str, number: int, reference: str | None) -> Plan:
        """A write of a kind."""
        own = {"reference": reference} if reference else {}
        if kind in _TRADES:
            path, values = _TRADES[kind]
            if kind.startswith("classic"):
                values = {**values, "accountCode": self._broker_account()}
            return Plan("NexusCreateTransactionOperator", {"kind": kind, "values": values, **own}, "POST", path)
        if kind == "order":
            arguments = {
                "exchange_code": "KRAKEN", "action": "Buy", "order_type": "Market", "crypto_code": "BTC", "currency_code": "EUR",
                "amount": "100.50", **own,
            }  # fmt: skip
            return Plan("NexusCreateOrderOperator", arguments, "POST", "/orders")
        if kind == "transfer":
            arguments = {
                "source_type": "Exchange", "sink_type": "HotWallet", "crypto_code": "BTC", "amount": "0.25",
                "source_exchange_code": "KRAKEN", **own,
            }  # fmt: skip
            return Plan("NexusCreateTransferOperator", arguments, "POST", "/transfers")
        return self._plan_of_change(kind, number)

    def _plan_of_change(self, kind: str, number: int) -> Plan:
        if kind == "create_customer":
            return Plan(
                "NexusCreateCustomerOperator",
                {"customer_code": f"new-{number}", "trust_level": "Trusted", "values": {"status": "ACTIVE"}},
                "POST",
                "/customer",
            )
        if kind == "update_customer":
            values = {"companyName": f"Acme {number}"}
            return Plan("NexusUpdateCustomerOperator", {"customer_code": "taker", "values": values}, "PUT", "/customer/taker")
        if kind == "call":
            body = {"method": "POST", "endpoint": "/portfolios", "json": {"code": f"P-{number}"}}
            return Plan("NexusOperator", body, "POST", "/portfolios")
        if kind == "cancel":
            code = self._client.run("POST", "/brokerbuy", json=_exact(_TRADES["broker_buy"][1]))["transaction"]["transactionCode"]
            path = f"/transactions/custodian/{code}/cancel"
            return Plan("NexusCancelTransactionOperator", {"transaction_code": code}, "POST", path)
        code = self._client.run("POST", "/sell/custodian", json=_exact(_TRADES["sell"][1]))["transaction"]["transactionCode"]
        self.sandbox.advance(150)
        arguments = {"transaction_code": code, "payment_reference": f"PAY-{number}", "step": kind}
        path = f"/transactions/custodian/{code}/{'payout' if kind == 'payout' else 'payoutconfirming'}"
        return Plan("NexusPayoutTransactionOperator", arguments, "PUT", path)

    def _broker_account(self) -> str:
        accounts = [json.loads(raw) for raw in self.sandbox.truth("accounts")]
        active = [a for a in accounts if a["accountType"] == "Broker" and a["accountStatus"].upper() == "ACTIVE"]
        return str(active[0]["accountCode"])

    def trial(self, run: Run, name: str, number: int, began: datetime, **death: Any) -> Trial:
        """A try of a run."""
        return Trial(
            run.plan.operator,
            run.plan.arguments,
            name,
            began,
            number,
            self.memory,
            self.folder,
            self._connection,
            environment={"REQUESTS_CA_BUNDLE": str(self._certificate)},
            **death,
        )

    def attempt(self, run: Run, trials: list[Trial]) -> list[tuple[str, Any]]:
        """How tries end. A second one begins when the first is at work, as Airflow begins one when it has lost the first."""
        for trial in trials:
            process = begin(self._context, trial)
            run.at_stake.append(process)
            while len(run.at_stake) < len(trials) and process.is_alive() and not self._is_at_work():
                time.sleep(0.001)
        ended = [how_it_ended(process, trial) for process, trial in zip(run.at_stake, trials, strict=True)]
        run.at_stake.clear()
        return ended

    def _is_at_work(self) -> bool:
        with closing(open_kept(self.folder)) as kept:
            return bool(kept.execute("SELECT 1 FROM kept WHERE name LIKE '%nexus_write%' LIMIT 1").fetchone())

    def is_marked(self) -> bool:
        """Whether a ledger says that something was sent and not what became of it."""
        with closing(open_kept(self.folder)) as kept:
            rows = [json.loads(value) for (value,) in kept.execute("SELECT value FROM kept WHERE name LIKE '%nexus_write%'")]
        known = [json.loads(row) if isinstance(row, str) and row.startswith("{") else row for row in rows]
        return any(isinstance(each, Mapping) and each.get("sent") for each in known)

    def forget(self) -> None:
        """What the runs before have left."""
        with closing(open_kept(self.folder)) as kept, kept:
            kept.execute("DELETE FROM kept")


def _exact(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Decimal(value) if name in ("fiatValue", "cryptoAmount") else value for name, value in values.items()}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


def live(world: World, run: Run, name: str, chance: random.Random, kind: str) -> None:
    """Tries of one run, as Airflow and people would make them: after a failure, at once with another, after a success."""
    began, number = world.sandbox.now, 0
    for _ in range(chance.randint(2, 3)):
        together = 2 if chance.random() < 0.25 else 1
        trials = []
        for _ in range(together):
            number += 1
            dies_at = chance.randint(1, 12) if chance.random() < 0.15 else 0
            trials.append(world.trial(run, name, number, began, dies_at=dies_at, dies_after=chance.random() < 0.5))
        ended = world.attempt(run, trials)
        run.ended += ended
        if kind not in ("payout", "confirming", "cancel"):  # such a transaction ends by itself after a while
            world.sandbox.advance(chance.choice((1, 60, 299, 301)))
    run.losses, run.lookup_losses, run.connection_losses, run.kill = [], {}, {}, ""
    run.ended += world.attempt(run, [world.trial(run, name, number + 1, began)])


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("part", range(2))
def test_never_twice(
    sandbox: Sandbox, certificate: Path, tmp_path: Path, memory: str, part: int, record_property: Callable[[str, object], None]
) -> None:
    figures: Counter[str] = Counter()
    with Relay(sandbox.base_url, "tls", certificate=certificate) as relay:
        world = World(sandbox, relay, tmp_path, certificate, memory)
        for number in range(part, RUNS, 2):
            chance = random.Random(f"never twice {number}")
            kind = KINDS[number // 2 % len(KINDS)]
            if number // 2 % len(KINDS) == 0:
                world.prepare()
            sandbox.advance(4000)
            world.forget()
            own = kind not in _WITHOUT_REFERENCE and chance.random() < 0.5
            run = make_run(chance, world.plan(kind, number, f"invoice-{number}" if own else None))
            attend(relay, run)
            live(world, run, f"run-{number}", chance, kind)
            judge(world, run, f"{memory}, run {number}, {kind}", figures, kind)
    record_property(FIGURES, {memory: dict(figures)})
    assert figures["carried out"] > figures["runs"] // 2


def attend(relay: Relay, run: Run) -> None:
    """Let the relay follow a run's plan."""

    def after(request: Relayed) -> None:
        if run.is_write(request):
            run.executed += relay.forwarded[-1][1] < 300
        run.kill_at("after", request)

    relay.choose, relay.choose_connection = run.choose, run.choose_connection
    relay.before_forward, relay.after_forward = lambda request: run.kill_at("before", request), after


def judge(world: World, run: Run, name: str, figures: Counter[str], kind: str) -> None:
    """What must never be, and what else came of a run."""
    endings = [how for how, _ in run.ended]
    assert run.executed <= 1 or kind in _SETS_A_STATE, f"{name}: carried out {run.executed} times, {run.ended}"
    assert run.executed or "success" not in endings, f"{name}: green and not carried out, {run.ended}"
    ambiguous = "NexusAmbiguousWriteError" in endings
    was_between = ambiguous and not run.heads
    if was_between:
        assert "killed" in endings, f"{name}: ambiguous although nothing was sent, {run.ended}"
        assert world.is_marked(), f"{name}: ambiguous without a mark, {run.ended}"
    last = endings[-1]
    assert last in ("success", "NexusAmbiguousWriteError"), f"{name}: ended in {run.ended[-1]}"
    figures.update(
        {
            "runs": 1,
            "carried out": min(run.executed, 1),
            "twice": max(run.executed - 1, 0) if kind not in _SETS_A_STATE else 0,
            "tries": len(endings),
            "killed": endings.count("killed"),
            "losses": min(run.heads, 2),
            "stopped by another try": endings.count("NexusClaimLostError"),
            "green in the end": last == "success",
            "left to a person": last != "success",
            "killed right before the first byte": was_between,
        }
    )
