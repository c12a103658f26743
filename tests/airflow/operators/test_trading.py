from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from airflow.sdk import DAG

from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.transfers import NexusCreateTransferOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.airflow.running import run_dag, state_of, xcom_of

ORDER: dict[str, Any] = {
    "exchange_code": "KRAKEN",
    "action": "Buy",
    "order_type": "Limit",
    "crypto_code": "BTC",
    "currency_code": "EUR",
    "amount": Decimal("100.50"),
    "limit_price": "50000",
}
TRANSFER: dict[str, Any] = {
    "source_type": "Exchange",
    "sink_type": "HotWallet",
    "crypto_code": "BTC",
    "amount": "0.25",
    "source_exchange_code": "KRAKEN",
}


def test_orders_and_transfers_are_made_once(sandbox: Sandbox) -> None:
    sandbox.configure(
        faults=tuple(Fault(kind="drop_after", path=path, method="POST") for path in ("/orders", "/transfers")), clock_speed=300
    )
    before = len(sandbox.truth("orders")), len(sandbox.truth("transfers"))
    with DAG("trades", schedule=None) as dag:
        NexusCreateOrderOperator(task_id="order", wait_for_completion=True, poll_interval=0.2, **ORDER)
        NexusCreateTransferOperator(task_id="transfer", **TRANSFER)
    run = run_dag(dag)
    order, transfer = xcom_of(run, "order"), xcom_of(run, "transfer")
    assert (order["status"], order["amount"], order["limitPrice"]) == ("FILLED", "100.50", "50000.000000")
    assert (transfer["amount"], transfer["address"]["sourceExchangeCode"]) == ("0.25000000", "KRAKEN")
    assert (len(sandbox.truth("orders")), len(sandbox.truth("transfers"))) == (before[0] + 1, before[1] + 1)
    assert xcom_of(run, "transfer", "nexus_record") == {"resource": "transfers", "code": transfer["transferCode"]}


def test_refused_before_anything_is_sent(sandbox: Sandbox) -> None:
    with DAG("bad_trades", schedule=None) as dag:
        NexusCreateOrderOperator(task_id="float", **ORDER).amount = 100.5  # as a template may make it
        NexusCreateOrderOperator(task_id="no_limit", **{**ORDER, "limit_price": None})
        NexusCreateTransferOperator(task_id="nothing", **TRANSFER).amount = "much"
    run = run_dag(dag)
    assert [state_of(run, task) for task in ("float", "no_limit", "nothing")] == ["failed"] * 3
    assert sandbox.call_count == 0


def test_an_order_is_cancelled_when_the_task_is_killed(sandbox: Sandbox) -> None:
    with DAG("kills", schedule=None) as dag:
        task = NexusCreateOrderOperator(task_id="order", **ORDER)
    task._code = xcom_of(run_dag(dag), "order")["orderCode"]
    task.on_kill()
    assert json.loads(sandbox.truth("orders")[-1])["status"] == "CANCELLED"
