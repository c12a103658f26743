"""`make demo`: a month of every resource through a real Airflow, with what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_nexus.api.resources import RESOURCES

pytestmark = pytest.mark.standalone


def test_it_ends_with_every_resource_proved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "airflow_provider_nexus", "demo", "--home", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    manifests = [json.loads(path.read_bytes()) for path in (tmp_path / "data").rglob("_manifest.json")]
    assert {manifest["resource"] for manifest in manifests} == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert "make ui" in ended.stdout
