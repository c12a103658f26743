"""`make demo`: a month of every resource through a real Airflow, with what it leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.demo import show
from airflow_provider_nexus.load.manifest import parse
from tests.cli.texts import compare

pytestmark = pytest.mark.standalone
_TASK = re.compile(r"[\d,]+ records? in [\d,]+ calls?$")
_COUNT = re.compile(r" +\d[\d,]*(?=  \w)")
_NUMBER = re.compile(r"-?\d([\d,.:]*\d)?")


def always(text: str) -> str:
    """What is the same whatever the time: a sign in place of each number, as wide in a column, and the tasks in order."""
    lines = [_COUNT.sub(lambda found: "#".rjust(len(found[0])), line) for line in text.splitlines()]
    lines = [_NUMBER.sub("#", _TASK.sub("# records in # calls", line)) for line in lines]
    tasks = iter(sorted(line for line in lines if line.endswith("calls")))
    return "".join(f"{next(tasks) if line.endswith('calls') else line}\n" for line in lines)


def test_it_ends_with_every_resource_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "airflow_provider_nexus", "demo", "--home", "demo"]
    plain = {**os.environ, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, cwd=tmp_path, env=plain)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    data = tmp_path / "demo" / "data"
    texts = {path: path.read_bytes() for path in data.rglob("_manifest.json")}
    manifests = [json.loads(text) for text in texts.values()]
    assert {manifest["resource"] for manifest in manifests} == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert "make ui" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80
    compare("demo-80.txt", always(ended.stdout))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    show([parse(text, str(path)) for path, text in texts.items()], data)
    compare("demo-120.txt", always(capsys.readouterr().out))
