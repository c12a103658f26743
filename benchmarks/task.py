"""What a task takes in Airflow, beside one that does nothing: `dag.test()` on a database of its own.

    python -m benchmarks.task URL

It prints the seconds of both in each round, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.server import END, START

_ROUNDS = 6
"""The first one warms up."""


def measure(url: str) -> list[dict[str, float]]:
    """Seconds of a run of each DAG, by round."""
    from airflow.sdk import DAG, task

    from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
    from tests.airflow.running import run_dag, share_api_server

    share_api_server()
    os.environ["AIRFLOW_CONN_NEXUS_DEFAULT"] = json.dumps({"conn_type": "nexus", "host": url, "password": "none-is-asked-for"})

    @task
    def nothing() -> None:
        """The least that a task can do."""

    with DAG("empty", schedule=None) as empty:
        nothing()
    with DAG("sync", schedule=None) as sync:
        NexusToObjectStorageOperator(
            task_id="sync",
            resource="transactions",
            window_start=START.isoformat(),
            window_end=END.isoformat(),
            path=f"file://{tempfile.mkdtemp()}",
        )
    return [{dag.dag_id: _seconds(run_dag, dag) for dag in (empty, sync)} for _ in range(_ROUNDS)][1:]


def _seconds(run_dag: Any, dag: Any) -> float:
    began = time.perf_counter()
    run = run_dag(dag)
    if str(run.state) not in ("success", "DagRunState.SUCCESS"):
        raise RuntimeError(f"the run of {dag.dag_id} ended as {run.state}")
    return time.perf_counter() - began


def main() -> None:
    """Measure in an Airflow home of its own."""
    with tempfile.TemporaryDirectory() as home:
        settings = {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": f"{home}/dags",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        os.environ.update(settings)
        Path(home, "dags").mkdir()
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what Airflow prints is no answer
        logging.disable(logging.CRITICAL)
        print(json.dumps(measure(sys.argv[1])), file=answers, flush=True)


if __name__ == "__main__":
    main()
