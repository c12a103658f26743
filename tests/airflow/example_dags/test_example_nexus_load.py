from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_of

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)


def test_each_run_loads_the_files_of_its_own_window(tmp_path: Path) -> None:
    conf = {"path": tmp_path.as_uri()}
    with Sandbox(customers=10, transactions=100, days=3, clock_speed=0, now=NOW) as sandbox, connection(sandbox):
        loaded = set[str]()  # the DAG is read anew for each run, as it keeps the params of a test run
        for first in ({"window_start": "2026-05-30T00:00:00Z"}, {}):
            run = run_dag(example("example_nexus_load"), run_conf=conf | first)
            assert run.state == "success"
            window, files = xcom_of(run, "sync"), xcom_of(run, "files")
            start, end = (datetime.fromisoformat(window[name]) for name in ("window_start", "window_end"))
            assert window["records"] == len(sandbox.truth("transactions", start, end)) > 0
            assert not loaded & {*files}
            loaded |= {*files}
            sandbox.advance(86_400)
        assert loaded == {str(path) for path in tmp_path.rglob("part-*")}
