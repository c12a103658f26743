"""What comes between under a real Airflow: a key that is exchanged while waits are deferred and tasks are at work, as
docs/connection.rst says, and a worker that is killed while its task waits for a transaction, with which the next try goes on."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from airflow_provider_nexus.sandbox import Fault, RecordedCall, Sandbox
from tests.extract.serving import client_of
from tests.standalone.running import Standalone, standalone, wait_for

pytestmark = pytest.mark.standalone
NEW, BUYS, PAGE = "the-new-key", 3, 7
ROWS = 350
SLOW = Fault("slow", path="/transactions/custodian", method="GET", seconds=3.0, times=-1)
"""So that the sync is still among its pages when the key is exchanged; it ends then."""
CONNECTION = "nexus_default"
CHECK = ["airflow", "nexus", "check", "--output", "json"]
ROTATING = """
import time
from pathlib import Path

from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

BUY = {{"customerCode": "acme", "cryptoCode": "BTC", "currencyCode": "EUR", "paymentMethodCode": "CUST_BUY_IDEAL"}}

with DAG("waiting", schedule=None):
    for number in range({buys}):
        NexusCreateTransactionOperator(
            task_id=f"buy_{{number}}",
            kind="broker_buy",
            values={{**BUY, "fiatValue": str(100 + number)}},
            wait_for_completion=True,
            deferrable=True,
            poll_interval=1,
            max_interval=1,
        )

with DAG("working", schedule=None):
    NexusToObjectStorageOperator(
        task_id="sync",
        resource="transactions",
        path="{target}",
        window_start="{start}",
        window_end="{end}",
        page_size={page},
    )

    @task
    def act():
        with NexusHook() as hook:
            hook.run("GET", "/labelpartner")
            while not Path("{go}").exists():
                time.sleep(0.2)
            hook.run("POST", "/customer", json={{"customerCode": "late", "trustLevel": "Trusted", "status": "ACTIVE"}})

    act()
"""
ACTING = """
from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator

with DAG("acting", schedule=None):
    NexusCreateTransactionOperator(
        task_id="buy",
        nexus_conn_id="acting",
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


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("airflow"), None, {"acting.py": ACTING}) as started:
        yield started


def connect(running: Standalone, sandbox: Sandbox, name: str) -> None:
    """Store a connection that leads to a sandbox."""
    assert running.airflow.ask("POST", "/api/v2/connections", json=stored(sandbox, sandbox.token, name)).ok


def calls_of(sandbox: Sandbox, method: str, path: str) -> list[RecordedCall]:
    return [call for call in sandbox.calls if (call.method, call.path) == (method, path)]


def pages(sandbox: Sandbox) -> int:
    """How many the sync has read."""
    return sum(call.query.get("limit") == str(PAGE) for call in sandbox.calls)


def start(running: Standalone, dag_id: str) -> str:
    """The path of a new run."""
    running.unpause(dag_id)
    run = running.ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None})["dag_run_id"]
    return f"/api/v2/dags/{dag_id}/dagRuns/{run}"


def states(running: Standalone, run: str) -> dict[str, str]:
    found = running.ask("GET", f"{run}/taskInstances")["task_instances"]
    return {each["task_id"]: each["state"] for each in found}


def end(running: Standalone, run: str) -> dict[str, str]:
    """The states of the tasks once the run is over."""
    wait_for(f"the end of {run}", lambda: running.ask("GET", run)["state"] in ("success", "failed"), 90)
    return states(running, run)


def are_waiting(running: Standalone, sandbox: Sandbox, run: str) -> bool:
    """Whether all are in the triggerer, and it has looked; each task looked once before."""
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    bought = [record["transactionCode"] for record in records if record["customerCode"] == "acme"]
    looks = sum(call.path.rpartition("/")[2] in bought for call in sandbox.calls)
    return looks > 3 * BUYS and list(states(running, run).values()) == ["deferred"] * BUYS


def are_working(running: Standalone, sandbox: Sandbox, run: str) -> bool:
    """Whether the sync is among its pages, and the other task before its change."""
    has_read = bool(calls_of(sandbox, "GET", "/labelpartner"))
    return has_read and pages(sandbox) > 1 and set(states(running, run).values()) == {"running"}


def stored(sandbox: Sandbox, token: str, name: str = CONNECTION) -> dict[str, Any]:
    extra = json.dumps({"allow_writes": True})
    return {"connection_id": name, "conn_type": "nexus", "host": sandbox.base_url, "password": token, "extra": extra}


def rotate(running: Standalone, sandbox: Sandbox) -> None:
    """The recipe, step by step: both keys work, the new one is stored and looked at, the old one is revoked."""
    path = f"/api/v2/connections/{CONNECTION}"
    assert running.airflow.ask("PATCH", path, params={"update_mask": "password"}, json=stored(sandbox, NEW)).ok
    checked = subprocess.run(CHECK, env=running.environment, capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(checked.stdout)[0]["grade"] == "ok", checked.stderr
    assert sandbox.token not in checked.stdout + checked.stderr
    sandbox.configure(revoked=[sandbox.token])


def copied(target: Path) -> list[str]:
    """Codes in what the sync has written."""
    (manifest,) = target.rglob("_manifest.json")
    files = [manifest.parent / file["name"] for file in json.loads(manifest.read_bytes())["files"]]
    return [json.loads(line)["transactionCode"] for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_nothing_stops_and_nothing_is_sent_twice_when_a_key_is_exchanged(running: Standalone, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"customers": 5, "transactions": ROWS, "days": 1, "clock_speed": 0, "arrivals_per_hour": 0}
    with Sandbox(**settings, roles={NEW: ["read", "write"]}) as sandbox:
        client = client_of(sandbox, allow_writes=True)
        client.run("POST", "/customer", json={"customerCode": "acme", "trustLevel": "Trusted", "status": "ACTIVE"})
        client.session.close()
        since, until = sandbox.now - timedelta(days=2), sandbox.now - timedelta(hours=1)
        truth = [json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions", since, until)]
        target, go = tmp_path / "target", tmp_path / "go"
        dags = ROTATING.format(
            buys=BUYS, target=target.as_uri(), start=since.isoformat(), end=until.isoformat(), page=PAGE, go=go
        )
        (running.home / "dags" / "rotating.py").write_text(dags)
        connect(running, sandbox, CONNECTION)
        waits = start(running, "waiting")
        wait_for("the waits", lambda: are_waiting(running, sandbox, waits), 90)
        sandbox.configure(faults=(SLOW,))
        work = start(running, "working")
        wait_for("the work", lambda: are_working(running, sandbox, work), 60)
        rotate(running, sandbox)
        assert set(states(running, work).values()) == {"running"}, "they have to be at work for this to try anything"
        sandbox.configure(faults=())
        go.touch()
        assert set(end(running, work).values()) == {"success"}
        sandbox.advance(3600)
        assert set(end(running, waits).values()) == {"success"}
        made = [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")]
    assert Counter(copied(target)) == Counter(truth)
    assert [call.status for call in calls_of(sandbox, "POST", "/brokerbuy")] == [200] * BUYS
    assert [call.status for call in calls_of(sandbox, "POST", "/customer")] == [200, 401, 200]
    assert made.count("late") == 1
    assert [call.status for call in sandbox.calls].count(401) == 3, "one each: the sync, the change, the waits together"


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


def test_the_next_try_goes_on_with_the_transaction_of_a_killed_one(running: Standalone) -> None:
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox:
        client = client_of(sandbox, allow_writes=True)
        client.run("POST", "/customer", json={"customerCode": "acme", "trustLevel": "Trusted", "status": "ACTIVE"})
        client.session.close()
        connect(running, sandbox, "acting")
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
