"""A DAG starts by itself when Nexus changes, across the death of the triggerer: each change is handled exactly once."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.standalone.running import Standalone, left_over, standalone, wait_for

pytestmark = pytest.mark.standalone
STEP = 300.0
DAG = """
from pathlib import Path

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_nexus.assets.nexus import fresh_changes
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger

settled = Asset(
    "nexus://sandbox/transactions",
    watchers=[
        AssetWatcher(
            name="settled",
            trigger=NexusChangeTrigger(resource="transactions", target_statuses=["Completed", "Cancelled"], poll_interval=2),
        )
    ],
)

with DAG("watch", schedule=[settled], max_active_runs=1):

    @task(inlets=[settled])
    def handle(**context):
        handled = fresh_changes(context, settled)
        with Path({log!r}).open("a") as log:
            log.writelines(change["code"] + chr(10) for change in handled)

    handle()
"""


def ended(sandbox: Sandbox) -> set[str]:
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return {each["transactionCode"] for each in records if each["status"] in ("COMPLETED", "CANCELLED")}


def handled(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def kill_the_triggerer(running: Standalone) -> None:
    for process in running.processes("triggerer"):
        os.kill(process, signal.SIGKILL)


def change(sandbox: Sandbox, steps: int) -> None:
    for _ in range(steps):
        sandbox.advance(STEP)
        time.sleep(1)


def has_begun(sandbox: Sandbox) -> bool:
    return sum("createdfrom" in call.query for call in sandbox.calls) > 2


def test_each_change_is_handled_once_whatever_becomes_of_the_triggerer(tmp_path: Path) -> None:
    log, home = tmp_path / "handled.txt", tmp_path / "airflow"
    with (
        Sandbox(customers=40, transactions=1500, days=2, clock_speed=0.001) as sandbox,
        standalone(home, sandbox.connection_uri, {"watch.py": DAG.format(log=str(log))}) as running,
    ):
        running.unpause("watch")
        wait_for("the first polls", lambda: has_begun(sandbox), 60)
        before = ended(sandbox)
        change(sandbox, 4)
        wait_for("a first run", lambda: handled(log), 60)
        change(sandbox, 2)
        kill_the_triggerer(running)
        change(sandbox, 3)
        with running.part("triggerer"):
            expected = ended(sandbox) - before
            wait_for("every change", lambda: expected <= set(handled(log)), 60)
            time.sleep(5)
        assert sorted(handled(log)) == sorted(expected)
        assert len(expected) > 5
    assert not left_over(home), "what was started must be stopped"
