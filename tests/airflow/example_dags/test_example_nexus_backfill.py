from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
START, END = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_month_is_read_in_windows(tmp_path: Path) -> None:
    with Sandbox(customers=20, transactions=1000, days=30, clock_speed=0, now=NOW) as sandbox, connection(sandbox):
        conf = {"path": tmp_path.as_uri(), "window_start": START.isoformat(), "window_end": END.isoformat(), "max_windows": 3}
        assert run_dag(example("example_nexus_backfill"), run_conf=conf).state == "success"
        expected = sandbox.truth("transactions", START, END)
    folders = sorted(path.parent for path in tmp_path.rglob("_manifest.json"))
    manifests = [json.loads((folder / "_manifest.json").read_bytes()) for folder in folders]
    assert len(manifests) == 3
    assert all(one["window"]["end"] == other["window"]["start"] for one, other in pairwise(manifests))
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert max(manifest["records"] for manifest in manifests) <= 2 * len(expected) / 3
    found = [
        line for folder in folders for path in folder.glob("*.gz") for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert sorted(found) == sorted(expected)
