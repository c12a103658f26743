"""Reading twice, through whole runs: what agrees is stored with two readings in its proof, what does not is not stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG
from sqlalchemy import Engine

from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_of
from tests.airflow.transfers.copies import files_dag, sql_dag

START, END = datetime(2026, 6, 10, tzinfo=UTC), datetime(2026, 6, 11, tzinfo=UTC)
DAY = {"window_start": "2026-06-10", "window_end": "2026-06-11"}
SHAPE: dict[str, Any] = {"customers": 20, "transactions": 400, "days": 3, "now": END + timedelta(days=1), "clock_speed": 0}


def _jsonl(name: str, path: Path, **options: Any) -> DAG:
    return files_dag(name, path, file_format="jsonl", **options)


def _sql(name: str, _: Path, **options: Any) -> DAG:
    return sql_dag(name, table="nexus_copy", **options)


TARGETS: dict[str, Callable[..., DAG]] = {"jsonl": _jsonl, "parquet": files_dag, "sql": _sql}


def manifests(engine: Engine, path: Path) -> list[dict[str, Any]]:
    """Those of files, and those of the table."""
    found = [json.loads(each.read_bytes()) for each in path.rglob(NAME)]
    with engine.connect() as opened:
        if sa.inspect(opened).has_table("nexus_manifest"):
            found += [json.loads(text) for text in opened.execute(sa.text("SELECT manifest FROM nexus_manifest")).scalars()]
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_two_readings_that_agree_are_stored_with_a_proof_of_both(engine: Engine, tmp_path: Path, target: str) -> None:
    calls = {}
    with Sandbox(**SHAPE) as sandbox, connection(sandbox):
        owed = len(sandbox.truth("orders", START, END))
        for readings in (2, 1):
            dag = TARGETS[target](
                f"agreeing_{target}_{readings}", tmp_path, resource="orders", readings=readings, page_size=10, **DAY
            )
            run = run_dag(dag)
            assert run.state == "success"
            summary = xcom_of(run, "sync")
            assert (summary["verdict"], summary["records"]) == ("proved", owed)
            calls[readings] = summary["calls"]
        (manifest,) = manifests(engine, tmp_path)  # the second run has brought the same, which changes nothing
    assert manifest["records"] == owed > 20
    assert (manifest["proof"]["readings"], manifest["proof"]["agreeing"]) == (2, 2)
    assert calls[2] == 2 * calls[1]


@pytest.mark.parametrize("target", TARGETS)
def test_readings_that_never_agree_store_nothing(
    engine: Engine, tmp_path: Path, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prices that are others at each call: one reading is proved whole, and no two are the same."""
    with Sandbox(**SHAPE, seconds_per_call=3600) as sandbox, connection(sandbox):
        run = run_dag(TARGETS[target](f"moving_{target}", tmp_path, resource="prices", readings=2))
        assert run.state == "failed"
        assert "of 6 readings no 2 in a row brought the same records and contents" in "".join(capfd.readouterr())
        assert manifests(engine, tmp_path) == []
        assert run_dag(TARGETS[target](f"moving_once_{target}", tmp_path, resource="prices")).state == "success"
        (manifest,) = manifests(engine, tmp_path)
        assert manifest["proof"]["readings"] == 1
