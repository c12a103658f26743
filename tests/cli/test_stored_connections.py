"""Connections that are only in Airflow's own database, from both command lines."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_nexus.cli import throwaway
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An Airflow of its own that knows the connection `kept`, and no other."""
    home = tmp_path_factory.mktemp("airflow")
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0) as sandbox:
        made = throwaway.environment(home)
        run(made, BIN / "airflow", "db", "migrate")
        stored = {"conn_type": "nexus", "host": sandbox.base_url, "password": sandbox.token}
        run(made, BIN / "airflow", "connections", "add", "kept", "--conn-json", json.dumps(stored))
        yield made


def run(environment: dict[str, str], *command: str | Path, code: int = 0) -> str:
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_command_of_airflow_that_fails_names_its_log(environment: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, pytest.raises(NexusError, match=r"airflow db no-such ended with status 2.*/log$"):
        throwaway.airflow(["db", "no-such", "--option"], environment, log)
    assert "no-such" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("program", [(sys.executable, "-m", "airflow_provider_nexus"), (BIN / "airflow", "nexus")])
def test_they_are_found(environment: dict[str, str], program: tuple[str | Path, ...]) -> None:
    findings = json.loads(run(environment, *program, "check", "--nexus-conn-id", "kept", "--output", "json"))
    assert {each["what"]: each["grade"] for each in findings}["connection"] == "ok"
    assert run(environment, *program, "check", "--nexus-conn-id", "nexus_default", "--output", "json", code=2) == ""
