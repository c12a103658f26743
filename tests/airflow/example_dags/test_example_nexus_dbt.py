from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from airflow_provider_nexus.cli.throwaway import example_dags
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag
from tests.airflow.transfers.copies import sql_connection
from tests.dbt.building import DBT, PACKAGE, Store, command

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
_TASKS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import example_nexus_dbt
print("TASKS", json.dumps({task.task_id: sorted(task.upstream_task_ids) for task in example_nexus_dbt.dag.tasks}))
"""


def test_it_is_read_without_dbt() -> None:
    dag = example("example_nexus_dbt")
    assert sorted(dag.get_task("dbt").upstream_task_ids) == ["customers", "orders", "payment_methods", "transactions"]
    command_line = getattr(dag.get_task("dbt"), "bash_command", "")
    assert command_line.startswith("/opt/dbt/bin/dbt build --project-dir /opt/dbt/dbt_nexus ")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """dbt, and a project whose profile leads to a database of SQLite."""
    monkeypatch.setenv("NEXUS_DBT", command())
    project, store = tmp_path / "dbt_nexus", Store(tmp_path, f"sqlite:///{tmp_path / 'warehouse.db'}")
    shutil.copytree(PACKAGE, project)
    profile = {"dbt_nexus": {"target": "warehouse", "outputs": {"warehouse": store.profile()}}}
    (project / "profiles.yml").write_text(json.dumps(profile))
    monkeypatch.setenv("NEXUS_DBT_DATABASE", "nexus")
    monkeypatch.setenv("NEXUS_DBT_SCHEMA", "main")
    monkeypatch.setenv("NEXUS_DBT_PROJECT", str(project))
    return store


@pytest.mark.databases
def test_each_run_builds_the_models_on_what_it_has_loaded(installed: Store) -> None:
    with (
        Sandbox(customers=10, transactions=60, days=3, lives="long", clock_speed=0, now=NOW) as sandbox,
        connection(sandbox),
        sql_connection(installed.url),
    ):
        dag = example("example_nexus_dbt")
        for task in dag.tasks:
            task.retries = 0  # a failure is told at once
        assert run_dag(dag, run_conf={"window_start": "2026-05-29T00:00:00Z"}).state == "success"
        expected = len(sandbox.truth("transactions", None, NOW))
    with duckdb.connect(str(installed.built), read_only=True) as models:
        counted = models.execute("SELECT sum(transactions) FROM nexus_transactions_by_day").fetchall()
        assert counted == [(expected,)]
        assert models.execute("SELECT count(*) FROM nexus_reportable_movements").fetchall() > [(0,)]


@pytest.mark.databases
def test_each_model_is_a_task_where_cosmos_is_installed(installed: Store) -> None:
    """In a process of its own, as Airflow loads Cosmos for all that comes after."""
    variables = os.environ | {"PYTHONPATH": f"{DBT / 'cosmos'}:{Path(__file__).parents[3]}"}
    run = [sys.executable, "-c", _TASKS, str(example_dags())]
    ended = subprocess.run(run, capture_output=True, text=True, check=False, env=variables, timeout=300)
    assert ended.returncode == 0, ended.stderr
    tasks = json.loads(ended.stdout.partition("TASKS ")[2])
    assert "customers" in tasks["dbt.stg_nexus__transactions_run"]
    assert tasks["dbt.nexus_transactions_by_day_run"] == ["dbt.stg_nexus__transactions_run"]
    assert "dbt.nexus_reportable_movements_run" in tasks["dbt.dbt_nexus_test"]
    assert not any("broker_transactions" in task for task in tasks)
