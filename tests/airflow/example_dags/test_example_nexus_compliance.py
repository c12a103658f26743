"""The compliance example, through a real Airflow; a person answers over Airflow's own API."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.example_dags.people import needs_questions, person
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import sql_connection

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

NAME = "example_nexus_compliance"


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    engine = sa.create_engine(url)
    with sql_connection(url):
        yield engine
    engine.dispose()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=6, transactions=40, days=3, clock_speed=0) as running, connection(running):
        yield running


def customers(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {record["customerCode"]: record for record in map(json.loads, sandbox.truth("customers"))}


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as opened:
        return [dict(row) for row in opened.execute(sa.text(f"SELECT * FROM {table}")).mappings()]


def instances(run: DagRun, task_id: str) -> Counter[str]:
    return Counter(str(each.state) for each in run.get_task_instances() if each.task_id == task_id)


@needs_questions
def test_a_person_clears_one_hit_and_blocks_another(sandbox: Sandbox, warehouse: Engine, airflow_api: TestClient) -> None:
    due = {code: record for code, record in customers(sandbox).items() if record["status"] != "DELETED"}
    guilty, other = [code for code, record in due.items() if not record["isBusiness"]][:2]
    sandbox.configure(sanctioned=[due[guilty]["name"].upper(), due[other]["name"]])
    inputs = {"reason": "passport 'seen' \u2714"}
    with person(airflow_api, NAME, lambda subject: "Block" if guilty in subject else "Clear", inputs) as asked:
        run = run_dag(example(NAME))
    assert run.state == "success"
    now = customers(sandbox)
    assert {code: now[code]["status"] for code in due} == {
        code: "BLOCKED" if code == guilty else record["status"] for code, record in due.items()
    }
    changes = [call.path for call in sandbox.calls if call.method in ("PUT", "POST") and call.path != "/sanction/search"]
    assert changes == [f"/customer/{guilty}"]
    assert instances(run, "judge.block") == {"success": 1, "skipped": 1}
    # the evidence: who, what, when, by which lists, and whose decision
    searched = {(row["customer"], row["outcome"]): row for row in rows(warehouse, "nexus_screening")}
    assert {customer for customer, outcome in searched if outcome == "clear"} <= due.keys()
    decided = {row["id"]: row for row in rows(warehouse, "nexus_screening_decided")}
    for customer, decision in ((guilty, "Block"), (other, "Clear")):
        row = searched[customer, "hit"]
        assert decided[row["id"]]["decision"] == decision
        assert json.loads(decided[row["id"]]["inputs"]) == inputs
        assert decided[row["id"]]["decided_by"]
        assert row["searched_at"] < decided[row["id"]]["decided_at"]
    assert len(asked) == len(decided) == 2
    # the callbacks that were not taken
    lost = [
        {"transaction": code, "url": each["url"], "attempts": str(each["dequeueCount"])}
        for code in (record["transactionCode"] for record in map(json.loads, sandbox.truth("transactions")))
        for each in map(json.loads, sandbox.truth("transaction_callbacks", parent=code))
        if not each["isSuccess"]
    ]
    found = xcom_of(run, "undelivered")
    assert lost
    assert sorted(({name: each[name] for name in lost[0]} for each in found), key=str) == sorted(lost, key=str)


def test_a_clear_round_asks_nobody(sandbox: Sandbox, warehouse: Engine) -> None:
    run = run_dag(example(NAME), run_conf={"round": "June", "personal": "keep"})
    assert run.state == "success"
    assert state_of(run, "judge.decide") == "skipped"
    assert xcom_of(run, "close")["round"] == "June"
    assert {row["round"] for row in rows(warehouse, "nexus_screening")} == {"June"}


@needs_questions
def test_who_may_not_be_blocked_is_no_success(sandbox: Sandbox, warehouse: Engine, airflow_api: TestClient) -> None:
    """The decision is stored all the same."""
    guilty = next(record for record in customers(sandbox).values() if record["status"] != "DELETED" and record["name"])
    sandbox.configure(sanctioned=[guilty["name"]])
    with (
        connection(sandbox, extra={"allow_writes": False}),
        person(airflow_api, NAME, lambda _: "Block", {"reason": ""}),
    ):
        run = run_dag(example(NAME))
    assert run.state == "failed"
    assert instances(run, "judge.block")["failed"] >= 1
    assert {row["decision"] for row in rows(warehouse, "nexus_screening_decided")} == {"Block"}
    assert customers(sandbox)[guilty["customerCode"]]["status"] == guilty["status"]
