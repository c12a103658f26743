from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pendulum
import pytest
from airflow.sdk import DAG, Param

from airflow_provider_nexus.operators.nexus import NexusOperator, for_xcom
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as running, connection(running):
        yield running


def test_a_call_with_templates_and_the_dags_params(sandbox: Sandbox) -> None:
    code = json.loads(sandbox.truth("transactions")[0])["transactionCode"]
    with DAG("call", schedule=None, params={"code": Param(code), "unrelated": Param(1)}) as dag:
        NexusOperator(task_id="one", endpoint="/transactions/custodian/{{ params.code }}")
        NexusOperator(
            task_id="filtered",
            endpoint="/transactions/custodian",
            params={"transactionCode": "{{ params.code }}", "limit": 3},
            response_filter=lambda page: [record["transactionCode"] for record in page["records"]],
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom_of(run, "one")["transactionCode"] == code
    assert xcom_of(run, "filtered") == [code]
    queries = [call.query for call in sandbox.calls if call.path == "/transactions/custodian"]
    assert {name.lower(): value for name, value in queries[-1].items()} == {"transactioncode": code, "limit": "3"}


def test_xcom_keeps_every_digit(sandbox: Sandbox) -> None:
    raw = next(raw for raw in sandbox.truth("transactions") if json.loads(raw)["requestedAmounts"])
    sent = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    with DAG("digits", schedule=None) as dag:
        NexusOperator(task_id="read", endpoint=f"/transactions/custodian/{sent['transactionCode']}")
    got = xcom_of(run_dag(dag), "read")
    assert Decimal(got["requestedAmounts"]["cryptoAmount"]) == sent["requestedAmounts"]["cryptoAmount"]
    assert got["requestedAmounts"]["cryptoAmount"] == str(sent["requestedAmounts"]["cryptoAmount"])
    assert datetime.fromisoformat(got["created"]) == datetime.fromisoformat(sent["created"])


def test_the_filter_sees_decimals_and_pendulum(sandbox: Sandbox) -> None:
    seen: list[Any] = []
    with DAG("typed", schedule=None) as dag:
        NexusOperator(
            task_id="read",
            endpoint="/orders",
            params={"limit": 1},
            response_filter=lambda page: seen.append((page["records"][0]["created"], page["records"][0]["amount"])),
        )
    run_dag(dag)
    created, amount = seen[0]
    assert isinstance(created, pendulum.DateTime)
    assert isinstance(amount, Decimal)


def test_a_write_goes_out_once_with_its_digits(sandbox: Sandbox) -> None:
    with DAG("write", schedule=None) as dag:
        NexusOperator(
            task_id="create",
            method="post",
            endpoint="/customer",
            json={"customerCode": "FROM-A-DAG", "trustLevel": json.loads(sandbox.truth("trust_levels")[0])["name"]},
        )
    run = run_dag(dag)
    assert xcom_of(run, "create")["customerCode"] == "FROM-A-DAG"
    assert len([call for call in sandbox.calls if call.method == "POST"]) == 1


def test_an_error_fails_the_task(sandbox: Sandbox) -> None:
    with DAG("missing", schedule=None) as dag:
        NexusOperator(task_id="read", endpoint="/orders/NONE")
    run = run_dag(dag)
    assert (run.state, state_of(run, "read")) == ("failed", "failed")


def test_mapped(sandbox: Sandbox) -> None:
    codes = [json.loads(raw)["orderCode"] for raw in sandbox.truth("orders")[:3]]
    with DAG("mapped", schedule=None) as dag:
        NexusOperator.partial(task_id="read", params={"x": "1"}).expand(endpoint=[f"/orders/{code}" for code in codes])
    run = run_dag(dag)
    assert run.state == "success"
    assert [call.query for call in sandbox.calls][-3:] == [{"x": "1"}] * 3


def test_for_xcom() -> None:
    value = {"a": Decimal("-1E-05"), "b": [pendulum.datetime(2026, 1, 2), pendulum.date(2026, 1, 2)], "c": (None, True, 3, "x")}
    assert for_xcom(value) == {"a": "-0.00001", "b": ["2026-01-02T00:00:00+00:00", "2026-01-02"], "c": [None, True, 3, "x"]}
