"""What stands in the log of a task that failed: one line that says it, then no more of a traceback than helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_texts

SHORT = {"environment": "test", "timeout": "30"}
"""Texts that Airflow takes for secrets too short to be masked."""


def frames(log: str, error: str) -> list[str]:
    """The files of the traceback that ends in an error."""
    before = log[: log.index(f"airflow_provider_nexus.exceptions.{error}")]
    return re.findall(r'File "(.+?)"', before[before.rindex("Traceback (most recent call last)") :])


def test_an_error_is_one_line_before_its_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        Sandbox(customers=2, transactions=5, days=1, clock_speed=0) as sandbox,
        connection(sandbox, extra=SHORT),
        connection(sandbox, "nexus_down", host="http://127.0.0.1:9", extra={"retries": 0}),
        DAG("first_line", schedule=None) as dag,
    ):
        NexusToObjectStorageOperator(task_id="typo", resource="{{ 'ordres' }}", path=tmp_path.as_uri())
        NexusOperator(task_id="missing", endpoint="/transactions/custodian/AA20260101120000A00")
        NexusOperator(task_id="down", endpoint="/labelpartner", nexus_conn_id="nexus_down")
        run = run_dag(dag)
    log = "".join(capfd.readouterr())
    lines = log.splitlines()
    firsts = [lines[place - 1] for place, line in enumerate(lines) if "Task failed with exception" in line]
    said = ("unknown Nexus resource 'ordres': did you mean 'orders'?", "HTTP 404; TransactionNotFound", "GET /labelpartner")
    assert len(firsts) == len(said)
    for part in said:
        (line,) = [line for line in firsts if part in line]
        assert "[error" in line
        assert sum(part in other for other in lines if "[error" in other) == 1, "said once"
    for permanent in ("NexusUnknownResourceError", "NexusNotFoundError"):
        ours = [Path(file).name for file in frames(log, permanent) if "airflow_provider_nexus" in file]
        assert set(ours) == {"_base.py"}, "nothing of the inside of the provider"
    assert "session.py" in {Path(file).name for file in frames(log, "NexusConnectionError")}, "where it was is of use"
    assert "too short" not in log
    assert xcom_texts(run) == []
