"""The example that reconciles, through a real Airflow; a person answers over Airflow's own API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.example_dags.people import needs_questions, person
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

DAG_ID = "example_nexus_reconcile"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=400, days=20, clock_speed=0, now=NOW) as running, connection(running):
        yield running


@pytest.fixture(autouse=True)
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}))


def conf(tmp_path: Path) -> dict[str, str]:
    return {"results": (tmp_path / "results").as_uri()}


def test_right_books_ask_nobody(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_dag(example(DAG_ID), run_conf=conf(tmp_path))
    assert run.state == "success"
    assert xcom_of(run, "reconcile")["is_fine"]
    assert state_of(run, "accept_differences") == "skipped"
    (result,) = (tmp_path / "results").glob("*.json")
    assert (tmp_path / "results" / "reconciliation.html").is_file()
    assert {line["outcome"] for line in json.loads(result.read_bytes())["lines"]} <= {"agrees", "timing"}
    sandbox.advance(86_400)
    later = run_dag(example(DAG_ID), run_conf={**conf(tmp_path), "window_start": None})
    assert later.state == "success"
    assert xcom_of(later, "reconcile")["is_fine"]


@needs_questions
@pytest.mark.parametrize(("choice", "state"), [("Approve", "success"), ("Reject", "failed")])
def test_a_person_decides_on_differences(
    sandbox: Sandbox, airflow_api: TestClient, tmp_path: Path, choice: str, state: str
) -> None:
    sandbox.configure(wrong_books=["doubled_fee"])
    with person(airflow_api, DAG_ID, lambda _: choice):
        run = run_dag(example(DAG_ID), run_conf=conf(tmp_path))
    assert run.state == state
    (difference,) = xcom_of(run, "reconcile")["differences"]
    assert "its fee is the difference: Nexus has it twice" in difference
