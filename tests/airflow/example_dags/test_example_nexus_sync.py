"""The example DAG as a whole, through a real Airflow."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.throwaway import example_dags
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag

EXAMPLES = sorted(example_dags().glob("example_*.py"))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=30, transactions=300, days=4, clock_speed=0) as running, connection(running):
        yield running


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dag_in(path: Path) -> DAG:
    return next(value for value in vars(load(path)).values() if isinstance(value, DAG))


_outside: list[str] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _outside is not None and event in ("socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"):
        _outside.append(f"{event} {arguments}")


sys.addaudithook(_audit)  # for good, as Python takes none away again


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_parsing_it_waits_for_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is read, nothing is asked, and no other process started."""
    monkeypatch.delenv("AIRFLOW_CONN_NEXUS_DEFAULT", raising=False)
    monkeypatch.setattr(sys.modules[__name__], "_outside", [])
    load(path)
    assert _outside == []


def test_it_brings_every_resource_with_its_proof(sandbox: Sandbox, tmp_path: Path) -> None:
    dag = dag_in(example_dags() / "example_nexus_sync.py")
    end = sandbox.now.replace(microsecond=0) - timedelta(hours=2)
    conf = {
        "path": tmp_path.as_uri(),
        "window_start": (end - timedelta(days=2)).isoformat(),
        "window_end": end.isoformat(),
        "sample": 3,
    }
    assert run_dag(dag, run_conf=conf).state == "success"
    manifests = {m["resource"]: m for m in (json.loads(path.read_bytes()) for path in tmp_path.rglob("_manifest.json"))}
    assert set(manifests) == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests.values()} == {"proved"}
    assert all(manifests[name]["records"] > 0 for name in RESOURCES if RESOURCES[name].is_windowed)
