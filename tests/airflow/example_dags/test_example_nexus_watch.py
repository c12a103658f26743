"""The watching example, through a real Airflow; the watcher itself is the triggerer's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=200, days=2, clock_speed=0) as running, connection(running):
        yield running


def test_a_run_by_hand_copies_from_since_on(sandbox: Sandbox, tmp_path: Path) -> None:
    since = sandbox.now - timedelta(hours=12)
    run = run_dag(example("example_nexus_watch"), run_conf={"path": tmp_path.as_uri(), "since": since.isoformat()})
    assert run.state == "success"
    (manifest,) = (json.loads(path.read_bytes()) for path in tmp_path.rglob("_manifest.json"))
    assert manifest["proof"]["verdict"] == "proved"
    assert manifest["records"] > 0


def test_without_a_change_nothing_is_copied(sandbox: Sandbox, tmp_path: Path) -> None:
    run = run_dag(example("example_nexus_watch"), run_conf={"path": tmp_path.as_uri()})
    assert (state_of(run, "first_change"), state_of(run, "copy")) == ("success", "skipped")
    assert list(tmp_path.iterdir()) == []
