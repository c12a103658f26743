from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES, AirflowFailException
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
START, END = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=30, transactions=1500, days=30, clock_speed=0, now=NOW) as running, connection(running):
        yield running


def planning(dag_id: str, *, schedule: Any = None, params: dict[str, Any] | None = None, **options: Any) -> DAG:
    with DAG(dag_id, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, params=params) as dag:
        NexusPlanWindowsOperator(task_id="plan", **{"resource": "transactions", **options})
    return dag


def test_a_mapped_transfer_reads_every_window_once(sandbox: Sandbox, tmp_path: Path) -> None:
    with DAG("mapped", schedule=None) as dag:
        plan = NexusPlanWindowsOperator(
            task_id="plan", resource="transactions", window_start=START, window_end=END, max_windows=4
        )
        NexusToObjectStorageOperator.partial(
            task_id="sync", resource="transactions", path=tmp_path.as_uri(), max_active_tis_per_dag=2
        ).expand_kwargs(plan.output)
    run = run_dag(dag)
    assert run.state == "success"
    windows = xcom_of(run, "plan")
    assert [set(window) for window in windows] == [{"window_start", "window_end"}] * 4
    manifests = {path.parent: json.loads(path.read_bytes()) for path in tmp_path.rglob("_manifest.json")}
    assert sorted((m["window"]["start"], m["window"]["end"]) for m in manifests.values()) == [
        (window["window_start"], window["window_end"]) for window in windows
    ]
    assert {manifest["proof"]["verdict"] for manifest in manifests.values()} == {"proved"}
    lines = [
        line
        for folder, manifest in manifests.items()
        for file in manifest["files"]
        for line in gzip.decompress((folder / file["name"]).read_bytes()).splitlines()
    ]
    keys = [json.loads(line)["transactionCode"] for line in lines]
    assert len(keys) == len(set(keys))
    assert sorted(lines) == sorted(sandbox.truth("transactions", START, END))


def test_templates_are_rendered(sandbox: Sandbox) -> None:
    dag = planning(
        "templated",
        params={"much": 3, "from": "2026-05-04"},
        resource="{{ 'orders' }}",
        window_start="{{ params['from'] }}",
        window_end="{{ none }}",
        max_windows="{{ params.much }}",
        nexus_conn_id="{{ 'nexus_default' }}",
    )
    windows = xcom_of(run_dag(dag), "plan")
    assert (windows[0]["window_start"], windows[-1]["window_end"]) == ("2026-05-04T00:00:00Z", "2026-06-02T00:25:00Z")
    assert 2 <= len(windows) <= 3


def test_the_run_gives_the_window(sandbox: Sandbox) -> None:
    params = {"window_start": None, "window_end": None}
    conf = {"window_start": "2026-05-10", "window_end": "2026-05-20T00:00:00Z"}
    windows = xcom_of(run_dag(planning("from_params", params=params), run_conf=conf), "plan")
    assert (windows[0]["window_start"], windows[-1]["window_end"]) == ("2026-05-10T00:00:00Z", "2026-05-20T00:00:00Z")
    dag = planning("from_interval", schedule=CronDataIntervalTimetable("@daily", timezone="UTC"))
    windows = xcom_of(run_dag(dag, logical_date=datetime(2026, 6, 2, tzinfo=UTC)), "plan")
    assert windows == [{"window_start": "2026-06-01T00:00:00Z", "window_end": "2026-06-02T00:00:00Z"}]


def test_nothing_to_plan_is_skipped_and_what_follows_too(sandbox: Sandbox, tmp_path: Path) -> None:
    with DAG("too_early", schedule=None) as dag:
        plan = NexusPlanWindowsOperator(task_id="plan", resource="transactions", window_start=NOW)
        NexusToObjectStorageOperator.partial(task_id="sync", resource="transactions", path=tmp_path.as_uri()).expand_kwargs(
            plan.output
        )
    run = run_dag(dag)
    assert state_of(run, "plan") == "skipped"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({}, NexusWindowError, "no window: this run has no data interval"),
        ({"window_start": START, "max_windows": "many"}, NexusConfigurationError, "max_windows is 'many'"),
        ({"window_start": START, "max_windows": 0}, NexusConfigurationError, "max_windows is 0"),
        ({"window_start": START, "resource": "prices"}, NexusConfigurationError, "prices has no windows"),
    ],
)
def test_what_can_not_be_planned_says_why(sandbox: Sandbox, options: dict[str, Any], error: type[Exception], said: str) -> None:
    operator = NexusPlanWindowsOperator(task_id="plan", resource="transactions")
    for name, value in options.items():
        setattr(operator, name, value)  # as a template may make it
    # below Airflow 3.3 it is turned into the error that Airflow does not try again
    with pytest.raises(error if HAS_RETRY_POLICIES else AirflowFailException, match=said):
        operator.execute({})
