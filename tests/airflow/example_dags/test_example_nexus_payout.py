"""The payout example, through a real Airflow; a person answers over Airflow's own API."""

from __future__ import annotations

import json
from collections.abc import Iterator
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

pytestmark = needs_questions
NAME = "example_nexus_payout"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=4000, days=2, clock_speed=0) as running, connection(running):
        yield running


def waiting(sandbox: Sandbox) -> list[str]:
    records = map(json.loads, sandbox.truth("transactions"))
    return [r["transactionCode"] for r in records if (r["status"], r["type"]) == ("ToPayout", "SELL")]


def payouts(sandbox: Sandbox) -> list[str]:
    return [call.path.split("/")[-2] for call in sandbox.calls if call.method == "PUT" and call.path.endswith("/payout")]


def test_what_was_approved_is_paid_once(sandbox: Sandbox, airflow_api: TestClient, tmp_path: Path) -> None:
    codes = waiting(sandbox)
    assert codes
    with person(airflow_api, NAME, lambda _: "Approve"):
        run = run_dag(example(NAME), run_conf={"path": tmp_path.as_uri(), "limit": 2})
    assert run.state == "success"
    assert [sell["code"] for sell in xcom_of(run, "payable")] == codes[:2]
    assert sorted(payouts(sandbox)) == sorted(codes[:2])


def test_what_was_rejected_is_not_paid(sandbox: Sandbox, airflow_api: TestClient, tmp_path: Path) -> None:
    with person(airflow_api, NAME, lambda _: "Reject"):
        run = run_dag(example(NAME), run_conf={"path": tmp_path.as_uri()})
    assert run.state == "success"
    assert state_of(run, "approve") == "success"
    assert payouts(sandbox) == []
