from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)


@pytest.mark.slow
def test_tables_are_loaded_and_compacted(tmp_path: Path) -> None:
    with Sandbox(customers=20, transactions=300, days=3, clock_speed=0, now=NOW) as sandbox, connection(sandbox):
        start = datetime(2026, 5, 30, tzinfo=UTC)
        for conf in ({"window_start": start.isoformat()}, {}):
            assert run_dag(example("example_nexus_lakehouse"), run_conf={"path": tmp_path.as_uri(), **conf}).state == "success"
            sandbox.advance(86_400)
        for name in ("broker_transactions", "orders"):
            (folder,) = (log.parent for log in tmp_path.rglob(f"{name}/_delta_log"))
            copy = open_table(folder)
            assert copy.check().problems == ()
            ((window, _), *rest) = sorted(copy.windows(), key=lambda each: each[0].start)
            end = max(each.end for each in (window, *(each for each, _ in rest)))
            assert len(copy.current()) == len(sandbox.truth(name, start, end))
