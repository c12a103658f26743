"""Ninety days of transactions, planned into windows that a real Airflow reads side by side, within one rate limit."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.cli.throwaway import example_dags
from airflow_provider_nexus.sandbox import Sandbox
from tests.standalone.running import Standalone, standalone, wait_for

pytestmark = pytest.mark.standalone
DAG = "example_nexus_backfill"
WINDOWS, RATE = 8, 10


def run_to_its_end(running: Standalone, conf: dict[str, Any]) -> list[dict[str, Any]]:
    """The task instances of a run that went well."""
    running.unpause(DAG)
    run = running.ask("POST", f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": None, "conf": conf})["dag_run_id"]
    path = f"/api/v2/dags/{DAG}/dagRuns/{run}"
    assert wait_for("the end", lambda: (s := running.ask("GET", path)["state"]) in ("success", "failed") and s, 100) == "success"
    return list(running.ask("GET", f"{path}/taskInstances")["task_instances"])


def lines_of(folder: Path) -> list[bytes]:
    manifest = json.loads((folder / "_manifest.json").read_bytes())
    return [line for file in manifest["files"] for line in gzip.decompress((folder / file["name"]).read_bytes()).splitlines()]


def assert_read_side_by_side(tasks: list[dict[str, Any]]) -> None:
    reads = sorted((task["start_date"], task["end_date"]) for task in tasks if task["task_id"] == "read")
    assert len(reads) == WINDOWS
    assert any(other_start < end for (_, end), (other_start, _) in pairwise(reads))


def assert_rate(sandbox: Sandbox) -> None:
    """No two seconds see more calls than a burst and the rate, and a second's worth that busy processors may have held up.

    The sandbox's clock runs with the real one.
    """
    moments = sorted(call.at for call in sandbox.calls)
    most = max(bisect_right(moments, moment + timedelta(seconds=2)) - place for place, moment in enumerate(moments))
    assert RATE < most <= RATE + 2 * RATE + RATE
    assert len(moments) > 10 * RATE


def test_every_window_is_read_once_and_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temp"))
    target, dags = tmp_path / "target", {f"{DAG}.py": (example_dags() / f"{DAG}.py").read_text()}
    with Sandbox(customers=50, transactions=10_000, days=90, arrivals_per_hour=0) as sandbox:
        end = sandbox.now.replace(microsecond=0) - timedelta(hours=1)
        start = end - timedelta(days=89)
        conf = {
            "path": target.as_uri(),
            "window_start": start.isoformat(),
            "window_end": end.isoformat(),
            "max_windows": WINDOWS,
        }
        with standalone(tmp_path / "home", f"{sandbox.connection_uri.partition('?')[0]}?rate_limit={RATE}", dags) as running:
            assert_read_side_by_side(run_to_its_end(running, conf))
        assert_rate(sandbox)
        expected = sandbox.truth("transactions", start, end)
    folders = sorted(path.parent for path in target.rglob("_manifest.json"))
    manifests = [json.loads((folder / "_manifest.json").read_bytes()) for folder in folders]
    assert len(manifests) == WINDOWS
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert all(one["window"]["end"] == other["window"]["start"] for one, other in pairwise(manifests))
    assert max(manifest["records"] for manifest in manifests) <= 1.5 * len(expected) / WINDOWS
    assert sorted(line for folder in folders for line in lines_of(folder)) == sorted(expected)
    assert len(list((tmp_path / "temp").glob("nexus-rate-*"))) == 1
