"""`make ui`: a whole Airflow, with the connection's form, the example DAG and its run, as a person would use them."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.throwaway import example_dags
from airflow_provider_nexus.client.settings import EXTRAS
from tests.repeated import times
from tests.standalone.pages import VIEWPORT, RunPage, picture
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
            wait_for("the address", lambda: running.url in (home / "said.log").read_text() or process.poll() is not None, 180)
            assert process.poll() is None, (home / "said.log").read_text()
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


def test_the_address_stands_last_and_alone(airflow: Airflow) -> None:
    said = (airflow.home / "said.log").read_text()
    assert said.split("\n")[-4:] == ["", f"  {airflow.url}", "", ""]
    assert "no login" in said
    assert max(map(len, said.replace(str(airflow.home), "").splitlines())) <= 80
    assert all(line.strip() for line in said.rstrip().splitlines()[:3]), "nothing of Airflow's own output"


def test_admin_shows_the_connections_and_the_documentation(airflow: Airflow, page: Page) -> None:
    from playwright.sync_api import expect

    page.goto(f"{airflow.url}/connections")
    for name in ("nexus_default", "warehouse"):
        expect(page.get_by_role("row", name=name)).to_be_visible()
    with page.expect_response("**/api/v2/connections/test") as tested:
        page.get_by_role("row", name="nexus_default").get_by_role("button", name="Test Connection").click()
    assert tested.value.json()["message"].startswith("Nexus sandbox")
    page.goto(f"{airflow.url}/providers")
    documentation = page.get_by_role("link", name="airflow-provider-nexus")
    expect(documentation).to_have_attribute("href", "https://docs.quantoznexus.com")


def test_the_connection_can_be_tested(airflow: Airflow) -> None:
    stored = airflow.ask("GET", "/api/v2/connections/nexus_default").json()
    body = {name: stored[name] for name in ("conn_type", "host", "port")} | {"connection_id": "mine", "password": "no-such-token"}
    answer = airflow.ask("POST", "/api/v2/connections/test", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, False), answer.text
    assert "does not take the token" in answer.json()["message"]


def test_each_example_is_there_and_starts_by_nothing_but_a_person_or_nexus(airflow: Airflow) -> None:
    assert airflow.ask("GET", "/api/v2/importErrors").json()["import_errors"] == []
    found = {dag["dag_id"]: dag["timetable_description"] for dag in airflow.ask("GET", "/api/v2/dags").json()["dags"]}
    assert set(found) == {path.stem for path in example_dags().glob("example_*.py")}
    by_hand = {name for name, when in found.items() if when == "Never, external triggers only"}
    assert by_hand >= {"example_nexus_sync", "example_nexus_mails", "example_nexus_warehouse"}
    assert "example_nexus_watch" not in by_hand


def test_an_example_runs_to_its_proofs(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    """By the form of its trigger, with a window that is picked there."""
    start, end = two_days()
    picked = {"Start of the range": start, "End of the range": end}
    dag, params = "example_nexus_backfill", {"path": tmp_path.as_uri(), "max_windows": "2"}
    run = RunPage.of_trigger(page, f"{airflow.url}/dags/{dag}", params, picked)
    assert ended(airflow, run) == "success"
    assert [each["run_type"] for each in airflow.ask("GET", f"/api/v2/dags/{dag}/dagRuns").json()["dag_runs"]] == ["manual"]
    run.open()
    run.expect_success()
    manifests = [json.loads(manifest.read_bytes()) for manifest in tmp_path.rglob("_manifest.json")]
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    windows = sorted((each["window"]["start"], each["window"]["end"]) for each in manifests)
    assert [windows[0][0], windows[-1][1]] == [f"{start}:00Z", f"{end}:00Z"]
    plan = airflow.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run.run_id}/taskInstances/plan/xcomEntries/return_value").json()
    assert len(windows) == len(plan["value"]) == 2


@pytest.mark.skipif(
    not times(0, 1) and not os.environ.get("NEXUS_SCREENSHOTS"), reason="make demo runs it, and make thorough here"
)
def test_the_sync_of_all_resources_runs_to_its_proofs(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    """By the form of its trigger, as the page of the documentation says; no other run comes before it."""
    start, end = two_days()
    picked = {"Start of the window": start, "End of the window": end}
    run = RunPage.of_trigger(page, f"{airflow.url}/dags/{DAG}", {"path": tmp_path.as_uri(), "sample": "3"}, picked)
    assert ended(airflow, run) == "success"
    assert [each["run_type"] for each in airflow.ask("GET", f"/api/v2/dags/{DAG}/dagRuns").json()["dag_runs"]] == ["manual"]
    run.open()
    run.expect_success()
    picture(page, "run")
    manifests = [json.loads(manifest.read_bytes()) for manifest in tmp_path.rglob("_manifest.json")]
    assert {manifest["resource"] for manifest in manifests} == set(RESOURCES)
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert {(m["window"]["start"], m["window"]["end"]) for m in manifests if m["window"]} == {(f"{start}:00Z", f"{end}:00Z")}
    entry = airflow.ask("GET", f"/api/v2/dags/{DAG}/dagRuns/{run.run_id}/taskInstances/windows.orders/xcomEntries/return_value")
    assert "proved" in json.dumps(entry.json()["value"])


def test_the_warehouse_is_filled(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    run = RunPage.of_trigger(page, f"{airflow.url}/dags/example_nexus_warehouse", {"path": tmp_path.as_uri()})
    assert ended(airflow, run) == "success"
    warehouse = airflow.ask("GET", "/api/v2/connections/warehouse").json()["host"]
    with closing(sqlite3.connect(warehouse)) as database:
        (rows,) = database.execute("SELECT count(*) FROM nexus_transactions_records").fetchone()
    assert rows > 500, "a day has a thousand"
    assert list(tmp_path.rglob("*.parquet"))


def test_a_payout_waits_for_its_approval(airflow: Airflow, page: Page, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    dag = "example_nexus_payout"
    run = RunPage.of_trigger(page, f"{airflow.url}/dags/{dag}", {"path": tmp_path.as_uri(), "limit": "2"})
    run.expect_task("approve", "Awaiting Input")
    page.goto(f"{airflow.url}/required_actions")
    page.get_by_role("link", name="Pay out 2 sells?").click()
    question = page.get_by_role("table").filter(has_text="Amount")
    expect(question.get_by_role("row")).to_have_count(3)
    codes = [row.get_by_role("cell").first.inner_text() for row in question.get_by_role("row").all()[1:]]
    expect(question.get_by_role("row", name=codes[0])).to_contain_text(re.compile(r"[A-Z]{3} [\d,]+\.\d\d"))
    page.set_viewport_size({**VIEWPORT, "height": 520})
    picture(page, "approval")
    page.set_viewport_size(VIEWPORT)
    # Airflow fails a task that goes on before its scheduler has heard of its pause, as no person is so quick
    heard, log = re.compile(r"Received executor event with state success .*task_id='approve'"), airflow.home / "airflow-ui"
    wait_for("the scheduler", lambda: heard.search((log / "airflow.log").read_text(errors="replace")), 60)
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
        page.get_by_role("button", name="Approve").click()
    assert ended(airflow, run) == "success"
    run.open()
    for code in codes:
        expect(page.get_by_role("row", name=code)).to_contain_text("Success")


def ended(airflow: Airflow, run: RunPage) -> str:
    """The state that a run ends in; meanwhile its page is left, as drawing it all the time would hold its tasks up."""
    run.page.goto("about:blank")
    path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}"
    state = wait_for("the end", lambda: (s := airflow.ask("GET", path).json()["state"]) in ("success", "failed") and s, 420)
    return str(state)


def two_days() -> tuple[str, str]:
    """Start and end of a window that has long ended, as date pickers take them."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{today - timedelta(days=3):%Y-%m-%dT%H:%M}", f"{today - timedelta(days=1):%Y-%m-%dT%H:%M}"
