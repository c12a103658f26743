from __future__ import annotations

import json
import time
from threading import Thread
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.customers import NexusCreateCustomerOperator, NexusUpdateCustomerOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.writes.customers import differences
from tests.airflow.running import run_dag, state_of, xcom_of

VALUES = {"status": "ACTIVE", "email": "ada@example.org", "data": {"tier": "gold"}, "dateOfBirth": "1990-02-03"}


def customers(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [row for row in map(json.loads, sandbox.truth("customers")) if row["customerCode"] == "acme-1"]


def writes(sandbox: Sandbox) -> int:
    return sum(call.method in ("POST", "PUT") for call in sandbox.calls)


def test_creates_once(sandbox: Sandbox) -> None:
    sandbox.configure(faults=(Fault(kind="drop_after", path="/customer", method="POST"),))
    with DAG("creates", schedule=None) as dag:
        first = NexusCreateCustomerOperator(task_id="first", customer_code="acme-1", trust_level="Trusted", values=VALUES)
        again = NexusCreateCustomerOperator(task_id="again", customer_code="acme-1", trust_level="trusted", values=VALUES)
        other = NexusCreateCustomerOperator(task_id="other", customer_code="acme-1", trust_level="New", values=VALUES)
        first >> again >> other
    run = run_dag(dag)
    assert [xcom_of(run, task)["trustlevel"] for task in ("first", "again")] == ["Trusted", "Trusted"]
    assert state_of(run, "other") == "failed"
    assert (len(customers(sandbox)), writes(sandbox)) == (1, 1)


def test_updates_what_differs(sandbox: Sandbox) -> None:
    with DAG("updates", schedule=None) as dag:
        create = NexusCreateCustomerOperator(task_id="create", customer_code="acme-1", trust_level="New", values=VALUES)
        change = {"trustLevel": "Trusted", "phone": "+31 6"}
        first = NexusUpdateCustomerOperator(task_id="first", customer_code="acme-1", values=change, fields_to_clear=["email"])
        again = NexusUpdateCustomerOperator(task_id="again", customer_code="acme-1", values=change, fields_to_clear=["email"])
        create >> first >> again
    run = run_dag(dag)
    record = xcom_of(run, "again")
    assert (record["trustlevel"], record["phone"], record["email"]) == ("Trusted", "+31 6", None)
    assert writes(sandbox) == 2


@pytest.mark.parametrize("deferrable", [False, True])
def test_it_waits_until_the_customer_is_active(sandbox: Sandbox, deferrable: bool) -> None:
    client = NexusHook().client
    quick = {"poll_interval": 0.2, "max_interval": 0.2, "deferrable": deferrable, "wait_for_completion": True}
    with DAG("due_diligence", schedule=None, default_args=quick) as dag:
        NexusCreateCustomerOperator(task_id="create", customer_code="acme-1", trust_level="New", values={"status": "NEW"})

    def activate_later() -> None:
        while sum(call.path == "/customer/acme-1" and call.method == "GET" for call in sandbox.calls) <= 3:
            time.sleep(0.01)
        client.run("PUT", "/customer/acme-1", json={"status": "ACTIVE"})

    activate = Thread(target=activate_later, daemon=True)
    activate.start()
    run = run_dag(dag)
    activate.join()
    assert (state_of(run, "create"), xcom_of(run, "create")["status"]) == ("success", "ACTIVE")
    assert sum(call.method == "POST" for call in sandbox.calls) == 1
    assert sum(call.path == "/customer/acme-1" and call.method == "GET" for call in sandbox.calls) > 3


def test_differences_tell_no_personal_values() -> None:
    record = {"trustlevel": "New", "status": "ACTIVE", "email": "ada@example.org", "data": {"a": "1", "b": "2"}}
    assert differences({"status": "Active", "trustLevelCode": "new", "data": {"b": "2"}, "reason": "x"}, record) == []
    unlike = differences({"email": "eve@example.org", "trustLevel": "Trusted", "data": {"a": "9"}}, record)
    assert unlike == ["email differs", "trustLevel is 'New', wanted is 'Trusted'", "data differs"]
    assert differences({"phone": "1"}, record) == []
    assert differences({"phone": "1"}, record, missing_differs=True) == ["phone differs"]
