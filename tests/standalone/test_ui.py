"""`make ui`: a whole Airflow, with the connection's form, the example DAG and its run, as a person would use them."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.client.settings import EXTRAS

pytestmark = pytest.mark.standalone
DAG = "example_nexus_sync"


def wait_for(what: str, look: Callable[[], Any], seconds: float) -> Any:
    """What a look gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = look()
        except requests.ConnectionError:
            found = None
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


class Airflow:
    """A running user interface, spoken to as its admin."""

    def __init__(self, port: int, home: Path) -> None:
        self.url, self.home, self._session = f"http://127.0.0.1:{port}", home, requests.Session()

    def sign_in(self) -> None:
        token = self._session.get(f"{self.url}/auth/token", timeout=10).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def is_healthy(self) -> bool:
        health = requests.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._session.request(method, f"{self.url}{path}", timeout=30, **options)


def left_over(home: Path) -> list[str]:
    """Processes that still have this home in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"AIRFLOW_HOME={home}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("ui")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1] % 20_000 + 20_000
    command = [sys.executable, "-m", "airflow_provider_nexus", "ui", "--home", str(home), "--port", str(port)]
    with (home / "said.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        running = Airflow(port, home)
        try:
            wait_for("a healthy Airflow", running.is_healthy, 180)
            running.sign_in()
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            assert not left_over(home), "what was started must be stopped"


def test_it_listens_on_this_machine_only(airflow: Airflow) -> None:
    port = int(airflow.url.rpartition(":")[2])
    listening = {line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"}
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening


def test_the_form_is_offered(airflow: Airflow) -> None:
    forms = {form["connection_type"]: form for form in airflow.ask("GET", "/ui/connections/hook_meta").json()}
    assert forms["nexus"]["hook_name"] == "Quantoz Nexus"
    assert set(forms["nexus"]["extra_fields"]) == set(EXTRAS)


def test_the_connection_can_be_tested(airflow: Airflow) -> None:
    said = (airflow.home / "said.log").read_text()
    sandbox = next(word.rstrip(";") for word in said.split() if word.startswith("http://127.0.0.1"))
    body = {"connection_id": "mine", "conn_type": "nexus", "host": sandbox, "password": "no-such-token", "extra": "{}"}
    answer = airflow.ask("POST", "/api/v2/connections/test", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, False), answer.text
    assert "does not take the token" in answer.json()["message"]


def test_the_example_runs_to_its_proofs(airflow: Airflow, tmp_path: Path) -> None:
    wait_for("the example DAG", lambda: airflow.ask("PATCH", f"/api/v2/dags/{DAG}", json={"is_paused": False}).ok, 120)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    conf = {
        "path": tmp_path.as_uri(),
        "window_start": (today - timedelta(days=3)).isoformat(),
        "window_end": (today - timedelta(days=1)).isoformat(),
        "sample": 3,
    }
    body = {"logical_date": None, "conf": conf}
    run = wait_for("a run", lambda: airflow.ask("POST", f"/api/v2/dags/{DAG}/dagRuns", json=body).json().get("dag_run_id"), 30)
    path = f"/api/v2/dags/{DAG}/dagRuns/{run}"
    state = wait_for("the end", lambda: (s := airflow.ask("GET", path).json()["state"]) in ("success", "failed") and s, 420)
    assert state == "success"
    manifests = [json.loads(manifest.read_bytes()) for manifest in tmp_path.rglob("manifest.json")]
    assert {manifest["resource"] for manifest in manifests} == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    entry = airflow.ask("GET", f"{path}/taskInstances/windows.orders/xcomEntries/return_value").json()
    assert "proved" in json.dumps(entry["value"])


def test_the_examples_that_wait_run_deferred(airflow: Airflow) -> None:
    """The trades settle in minutes by the sandbox's clock, so it is moved on while they are waited for."""
    said = (airflow.home / "said.log").read_text()
    sandbox = next(word.rstrip(";") for word in said.split() if word.startswith("http://127.0.0.1"))
    dag = "example_nexus_wait"
    wait_for(dag, lambda: airflow.ask("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": False}).ok, 120)
    run = airflow.ask("POST", f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None}).json()["dag_run_id"]
    path = f"/api/v2/dags/{dag}/dagRuns/{run}"
    deferred: set[str] = set()
    states: dict[str, str] = {}

    def state() -> str:
        requests.post(f"{sandbox}/_sandbox/clock", json={"advance": 20}, timeout=10).raise_for_status()
        tasks = airflow.ask("GET", f"{path}/taskInstances").json()["task_instances"]
        states.update({task["task_id"]: task["state"] for task in tasks})
        deferred.update(task for task in states if states[task] == "deferred")
        now = str(airflow.ask("GET", path).json()["state"])
        return now if now in ("success", "failed") else ""

    assert wait_for("the end", state, 180) == "success", states
    assert deferred & {"buy", "filled"}
