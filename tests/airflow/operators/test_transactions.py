from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk import DAG, Param

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.operators.transactions import (
    NexusCancelTransactionOperator,
    NexusCreateTransactionOperator,
    NexusPayoutTransactionOperator,
)
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.extract.serving import client_of

BUY = {
    "customerCode": "giver",
    "cryptoCode": "BTC",
    "currencyCode": "EUR",
    "fiatValue": "25.50",
    "paymentMethodCode": "CUST_BUY_IDEAL",
}
SELL = {**{name: value for name, value in BUY.items() if name != "fiatValue"}, "paymentMethodCode": "CUST_SELL_SEPA"}


@pytest.fixture
def sandbox(sandbox: Sandbox) -> Sandbox:
    """With a customer who has something to sell."""
    call(sandbox, "POST", "/customer", customerCode="giver", trustLevel="Trusted", status="ACTIVE")
    call(sandbox, "POST", "/buy/custodian", **{**BUY, "fiatValue": Decimal(5000)})
    sandbox.advance(600)
    return sandbox


def call(sandbox: Sandbox, method: str, path: str, **body: Any) -> Any:
    return client_of(sandbox, allow_writes=True).run(method, path, json=body or None)


def made(sandbox: Sandbox, kind: str = "BUY") -> list[dict[str, Any]]:
    rows = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return [
        row
        for row in rows
        if row["customerCode"] == "giver" and row["type"] == kind and row["requestedAmounts"]["fiatValue"] < 999
    ]


def test_buys_once_though_the_answer_is_lost(sandbox: Sandbox) -> None:
    sandbox.configure(faults=(Fault(kind="drop_after", path="/buy/custodian", method="POST"),))
    with DAG("buys", schedule=None, params={"amount": Param("25.50")}) as dag:
        NexusCreateTransactionOperator(task_id="buy", kind="buy", values={**BUY, "fiatValue": "{{ params.amount }}"})
    run = run_dag(dag)
    bought = made(sandbox)
    assert (state_of(run, "buy"), len(bought)) == ("success", 1)
    assert xcom_of(run, "buy")["requestedAmounts"]["fiatValue"] == "25.50"
    assert xcom_of(run, "buy", "nexus_record") == {"resource": "transactions", "code": bought[0]["transactionCode"]}


def test_a_reference_of_ones_own_holds_over_runs(sandbox: Sandbox) -> None:
    with DAG("invoices", schedule=None) as dag:
        NexusCreateTransactionOperator(
            task_id="sell", kind="sell", values={**SELL, "cryptoAmount": "0.0001"}, reference="invoice-17"
        )
    codes = {xcom_of(run_dag(dag), "sell")["transactionCode"] for _ in range(2)}
    assert len(codes) == len(made(sandbox, "SELL")) == 1


def test_waits_until_it_is_settled(sandbox: Sandbox) -> None:
    sandbox.configure(clock_speed=600)
    with DAG("waits", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="here", kind="buy", values=BUY, wait_for_completion=True, poll_interval=0.2)
        NexusCreateTransactionOperator(
            task_id="away", kind="buy", values=BUY, wait_for_completion=True, poll_interval=0.2, deferrable=True
        )
    run = run_dag(dag)
    assert [xcom_of(run, task)["status"] for task in ("here", "away")] == ["COMPLETED", "COMPLETED"]
    assert len(made(sandbox)) == 2


def test_simulates(sandbox: Sandbox) -> None:
    with DAG("simulates", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="ask", kind="buy", values=BUY, simulate=True)
    assert xcom_of(run_dag(dag), "ask")["transaction"]["status"] == "SIMULATED"
    assert made(sandbox) == []
    with pytest.raises(NexusConfigurationError, match="no simulation of 'clawback'"):
        NexusCreateTransactionOperator(task_id="ask", kind="clawback", values=BUY, simulate=True)
    with pytest.raises(NexusConfigurationError, match="did you mean 'swap'"):
        NexusCreateTransactionOperator(task_id="ask", kind="swop", values=BUY)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{**BUY, "fiatValue": 25.5}, {**BUY, "fiatValue": "-1"}, {**BUY, "customerCode": ""}])
def test_refuses_before_anything_is_sent(sandbox: Sandbox, values: dict[str, Any]) -> None:
    before = sandbox.call_count
    with DAG("refuses", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="buy", kind="buy", values=BUY).values = values  # as a template may make them
    assert state_of(run_dag(dag), "buy") == "failed"
    assert sandbox.call_count == before


def test_nothing_is_asked_without_leave_to_write(sandbox: Sandbox) -> None:
    before = sandbox.call_count
    with connection(sandbox, "reading", extra={"allow_writes": False}), DAG("leave", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="buy", kind="buy", values=BUY, nexus_conn_id="reading")
        NexusCancelTransactionOperator(task_id="cancel", transaction_code="T", nexus_conn_id="reading")
        NexusPayoutTransactionOperator(task_id="pay", transaction_code="T", nexus_conn_id="reading")
        run = run_dag(dag)
    assert [state_of(run, task) for task in ("buy", "cancel", "pay")] == ["failed"] * 3
    assert sandbox.call_count == before


def test_cancels(sandbox: Sandbox) -> None:
    code = call(sandbox, "POST", "/buy/custodian", **{**BUY, "fiatValue": 20})["transaction"]["transactionCode"]
    done = next(row["transactionCode"] for row in map(json.loads, sandbox.truth("transactions")) if row["status"] == "COMPLETED")
    sandbox.configure(faults=(Fault(kind="drop_after", path="/cancel"),))
    with DAG("cancels", schedule=None) as dag:
        first = NexusCancelTransactionOperator(task_id="first", transaction_code=code, wait_for_completion=True)
        again = NexusCancelTransactionOperator(task_id="again", transaction_code=code)
        NexusCancelTransactionOperator(task_id="late", transaction_code=done)
        first >> again
    run = run_dag(dag)
    assert [xcom_of(run, task)["status"] for task in ("first", "again")] == ["CANCELLED"] * 2
    assert state_of(run, "late") == "failed"
    assert sum(each.path.endswith("/cancel") for each in sandbox.calls) == 1


def test_pays_out(sandbox: Sandbox) -> None:
    sell = call(sandbox, "POST", "/sell/custodian", **{**SELL, "cryptoAmount": Decimal("0.0001")})["transaction"]
    sandbox.advance(150)
    code = sell["transactionCode"]
    sandbox.configure(faults=(Fault(kind="drop_after", path="/payout", first=2),))
    with DAG("pays", schedule=None) as dag:
        confirm = NexusPayoutTransactionOperator(
            task_id="confirm", transaction_code=code, payment_reference="P-1", step="confirming"
        )
        pay = NexusPayoutTransactionOperator(task_id="pay", transaction_code=code, payment_reference="P-1")
        again = NexusPayoutTransactionOperator(task_id="again", transaction_code=code, payment_reference="P-1")
        other = NexusPayoutTransactionOperator(task_id="other", transaction_code=code, payment_reference="P-2")
        confirm >> pay >> again >> other
    run = run_dag(dag)
    statuses = [xcom_of(run, task)["status"] for task in ("confirm", "pay", "again")]
    assert statuses == ["PayoutConfirming", "COMPLETED", "COMPLETED"]
    assert state_of(run, "other") == "failed"


def test_cancels_what_it_made_when_it_is_killed(sandbox: Sandbox) -> None:
    code = call(sandbox, "POST", "/buy/custodian", **{**BUY, "fiatValue": 20})["transaction"]["transactionCode"]
    for wanted, status in ((False, "Initiated"), (True, "CANCELLED"), (True, "CANCELLED")):
        task = NexusCreateTransactionOperator(task_id="kill", kind="buy", values=BUY, cancel_on_kill=wanted)
        task._code = code
        task.on_kill()
        assert made(sandbox)[0]["status"] == status
