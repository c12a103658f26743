"""A worker that is killed while its task waits for a transaction: the next try goes on with that transaction."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of
from tests.standalone.running import Standalone, standalone, wait_for

pytestmark = pytest.mark.standalone
DAG = """
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator

with DAG("acting", schedule=None):
    NexusCreateTransactionOperator(
        task_id="buy",
        kind="broker_buy",
        values={
            "customerCode": "acme",
            "cryptoCode": "BTC",
            "currencyCode": "EUR",
            "fiatValue": "250.50",
            "paymentMethodCode": "CUST_BUY_IDEAL",
        },
        wait_for_completion=True,
        deferrable=False,
        poll_interval=0.5,
        max_interval=0.5,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
"""


def buys(sandbox: Sandbox) -> int:
    return sum(call.method == "POST" and call.path == "/brokerbuy" for call in sandbox.calls)


def looks(sandbox: Sandbox, code: str) -> int:
    return sum(call.path.endswith(code) for call in sandbox.calls)


def made(sandbox: Sandbox) -> list[dict[str, Any]]:
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return [record for record in records if record["customerCode"] == "acme"]


def task(running: Standalone, run: str) -> dict[str, Any]:
    return dict(running.ask("GET", f"/api/v2/dags/acting/dagRuns/{run}/taskInstances/buy"))


def is_second_try(running: Standalone, run: str) -> bool:
    found = task(running, run)
    return (found["try_number"], found["state"]) == (2, "running")


def kill_task(sandbox: Sandbox) -> None:
    """Kill the process that asks the sandbox from outside of this one, without a word to it."""
    ports = {call.connection for call in sandbox.calls[-3:]}
    asking = {c.pid for c in psutil.net_connections("tcp4") if c.laddr and c.laddr.port in ports} - {None, os.getpid()}
    assert len(asking) == 1, asking
    task_process = asking.pop()
    assert task_process
    os.kill(task_process, signal.SIGKILL)


def test_the_next_try_goes_on_with_the_transaction(tmp_path: Path) -> None:
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox:
        client = client_of(sandbox, allow_writes=True)
        client.run("POST", "/customer", json={"customerCode": "acme", "trustLevel": "Trusted", "status": "ACTIVE"})
        client.session.close()
        with standalone(tmp_path, sandbox.connection_uri, {"acting.py": DAG}) as running:
            running.unpause("acting")
            run = running.ask("POST", "/api/v2/dags/acting/dagRuns", json={"logical_date": None})["dag_run_id"]
            wait_for("the buy", lambda: made(sandbox), 60)
            code = made(sandbox)[0]["transactionCode"]
            wait_for("a wait", lambda: looks(sandbox, code) > 2, 30)
            kill_task(sandbox)
            wait_for("the second try", lambda: is_second_try(running, run), 120)
            before = looks(sandbox, code)
            wait_for("its wait", lambda: looks(sandbox, code) > before + 2, 30)
            sandbox.advance(600)
            wait_for("the end", lambda: task(running, run)["state"] == "success", 60)
            entry = running.ask("GET", f"/api/v2/dags/acting/dagRuns/{run}/taskInstances/buy/xcomEntries/return_value")
    assert buys(sandbox) == 1
    assert [record["status"] for record in made(sandbox)] == ["COMPLETED"]
    assert code in json.dumps(entry["value"])
