"""`make ui`: a whole Airflow, with the connection's form, the example DAG and its run, as a person would use them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.client.settings import EXTRAS
from tests.standalone.pages import RunPage, picture
from tests.standalone.running import Airflow, free_port, left_over, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.standalone
DAG = "example_nexus_sync"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("ui")
    port = free_port()
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


def test_the_example_runs_to_its_proofs(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    """By the form of its trigger, as the page of the documentation says."""
    wait_for("the example DAG", lambda: airflow.ask("GET", f"/api/v2/dags/{DAG}").ok, 120)
    run = RunPage.of_trigger(page, f"{airflow.url}/dags/{DAG}", two_days() | {"path": tmp_path.as_uri(), "sample": "3"})
    path = f"/api/v2/dags/{DAG}/dagRuns/{run.run_id}"
    state = wait_for("the end", lambda: (s := airflow.ask("GET", path).json()["state"]) in ("success", "failed") and s, 420)
    assert state == "success"
    run.open()
    run.expect_success()
    picture(page, "run")
    manifests = [json.loads(manifest.read_bytes()) for manifest in tmp_path.rglob("_manifest.json")]
    assert {manifest["resource"] for manifest in manifests} == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    entry = airflow.ask("GET", f"{path}/taskInstances/windows.orders/xcomEntries/return_value").json()
    assert "proved" in json.dumps(entry["value"])


def two_days() -> dict[str, str]:
    """Parameters of a window that has long ended."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = today - timedelta(days=3), today - timedelta(days=1)
    return {"window_start": start.isoformat(), "window_end": end.isoformat()}
