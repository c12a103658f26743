"""A person at Airflow's pages: a connection by its form, a run by its form, and the way from a task to its record."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_nexus.cli.throwaway import example_dags
from airflow_provider_nexus.sandbox import Sandbox
from tests.standalone.pages import VIEWPORT, ConnectionForm, RunPage, named, picture
from tests.standalone.running import Standalone, standalone, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.standalone
DAG, CONNECTION = "example_nexus_wait", "nexus_default"
PORTAL = "/portal/{resource}/{code}"
EXPIRES = "2099-03-31"
LABELS = {
    "Environment": ("Environment", "Allow writes", "Key expires", "Warn before"),
    "Calls": ("Read timeout", "Retries", "Rate limit", "Largest answer", "Portal URL", "Hash secret"),
}


class Portal(BaseHTTPRequestHandler):
    """Stands for the Nexus portal: a page for every address, which says it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"<h1>{self.path}</h1>".encode())

    def log_message(self, *_: Any) -> None:
        """Nothing is said."""


@contextmanager
def serving_portal() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Its clock stands still, so that what is waited for comes when the test says so."""
    with Sandbox(customers=5, transactions=20, days=1, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    with serving_portal() as address:
        yield address


@pytest.fixture(scope="module")
def airflow(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """An Airflow that has no connection yet."""
    dags = {f"{DAG}.py": (example_dags() / f"{DAG}.py").read_text()}
    with standalone(tmp_path_factory.mktemp("browser"), None, dags) as running:
        yield running
        page.goto("about:blank")  # what a page still asks for would hold Airflow up when it stops


@pytest.fixture(scope="module")
def connection(airflow: Standalone, page: Page, sandbox: Sandbox, portal: str) -> dict[str, Any]:
    """What Airflow says of the connection that was made by the form."""
    form = ConnectionForm(page, airflow.airflow.url)
    form.fill(CONNECTION, sandbox.base_url, sandbox.token)
    form.fill_extras("Test", EXPIRES, "45", portal + PORTAL)
    form.save()
    return dict(airflow.ask("GET", f"/api/v2/connections/{CONNECTION}"))


def test_the_form_has_our_fields_and_no_others(airflow: Standalone, page: Page) -> None:
    from playwright.sync_api import expect

    form = ConnectionForm(page, airflow.airflow.url)
    expect(form.dialog.get_by_label("API token")).to_have_attribute("type", "password")
    expect(form.dialog.get_by_label("Base URL")).to_be_visible()
    assert form.dialog.locator("[name=login], [name=port], [name=schema]").count() == 0
    for fold, labels in LABELS.items():
        form.unfold(fold)
        for label in labels:
            expect(form.dialog.get_by_text(label, exact=True)).to_be_visible()
    expect(named(form.dialog, "hash_secret")).to_have_attribute("type", "password")


@pytest.mark.skipif(not os.environ.get("NEXUS_SCREENSHOTS"), reason="makes images of the documentation")
def test_its_pictures_for_the_documentation(airflow: Standalone, page: Page) -> None:
    form = ConnectionForm(page, airflow.airflow.url)
    form.fill(CONNECTION, "https://nexus.bank.example", "a-token-that-is-none")
    page.set_viewport_size({"width": 1280, "height": 1900})
    picture(page, "connection_form", form.dialog)
    form.fill_extras("Test", "2027-03-31", "45", "https://portal.example.com/{resource}/{code}")
    form.unfold("Environment")
    picture(page, "connection_extras", form.dialog)
    page.set_viewport_size(VIEWPORT)


def test_what_is_typed_is_what_is_stored(connection: dict[str, Any], sandbox: Sandbox, portal: str) -> None:
    stored = {name: connection[name] for name in ("conn_type", "host", "port", "login", "schema")}
    assert stored == {"conn_type": "nexus", "host": sandbox.base_url, "port": None, "login": None, "schema": None}
    assert json.loads(connection["extra"]) == {
        "environment": "test",
        "allow_writes": True,
        "key_expires": EXPIRES,
        "key_warning_days": 14,
        "timeout": 45,
        "retries": 5,
        "rate_limit": None,
        "rate_limit_conn_id": None,
        "max_answer_mb": 64,
        "portal_url": portal + PORTAL,
        "hash_secret": None,
    }


def test_the_token_is_not_shown_again(airflow: Standalone, connection: dict[str, Any], page: Page, sandbox: Sandbox) -> None:
    from playwright.sync_api import expect

    assert connection["password"] == "***"
    page.goto(f"{airflow.airflow.url}/connections")
    page.get_by_role("button", name="Edit Connection").click()
    expect(page.get_by_role("dialog").get_by_label("API token")).to_have_value("***")
    assert sandbox.token not in page.content()


def test_a_worker_tests_what_was_typed(airflow: Standalone, connection: dict[str, Any], sandbox: Sandbox) -> None:
    body = {name: connection[name] for name in ("connection_id", "conn_type", "host", "extra")} | {"password": sandbox.token}
    path = "/api/v2/connections/enqueue-test"
    header = {"Airflow-Connection-Test-Token": airflow.ask("POST", path, json=body)["token"]}

    def ended() -> dict[str, Any] | None:
        answer = airflow.ask("GET", path, headers=header)
        return dict(answer) if answer["state"] in ("success", "failed") else None

    answer = wait_for("the test of the connection", ended, 60)
    assert answer["state"] == "success", answer
    assert answer["result_message"].startswith("Nexus sandbox")


@pytest.mark.usefixtures("connection")
def test_the_command_line_tests_what_is_stored(airflow: Standalone) -> None:
    command = ["airflow", "connections", "test", CONNECTION]
    ended = subprocess.run(command, env=airflow.environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Connection success!" in ended.stdout


@pytest.mark.usefixtures("connection")
def test_the_button_of_this_airflow_refuses(airflow: Standalone, page: Page) -> None:
    """As ``docs/connection.rst`` says; once a release has apache/airflow#73298, the page is to say that it works."""
    from playwright.sync_api import expect

    page.goto(f"{airflow.airflow.url}/connections")
    page.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_role("status")).to_contain_text("Bad Request")


@pytest.mark.usefixtures("connection")
def test_a_run_by_the_form_waits_and_leads_to_its_record(airflow: Standalone, page: Page, sandbox: Sandbox, portal: str) -> None:
    wait_for(DAG, lambda: airflow.airflow.ask("GET", f"/api/v2/dags/{DAG}").ok, 60)
    before = set(bought(sandbox))
    run = RunPage.of_trigger(page, f"{airflow.airflow.url}/dags/{DAG}", {"amount": "31.50"})
    run.expect_task("buy", "Deferred")
    (code,) = set(bought(sandbox)) - before
    assert bought(sandbox)[code] == 31.5
    run.expect_line("buy", f"waiting for {code}: Initiated at ")
    assert_leads_to(run, f"{portal}/portal/transactions/{code}")
    sandbox.configure(clock_speed=120)
    run.open()
    run.expect_success()


def bought(sandbox: Sandbox) -> dict[str, float]:
    """The money of each transaction, by its code."""
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return {record["transactionCode"]: record["requestedAmounts"]["fiatValue"] for record in records}


def assert_leads_to(run: RunPage, address: str) -> None:
    """While the task still waits."""
    from playwright.sync_api import expect

    link = run.link("buy", "Nexus portal")
    with run.page.expect_popup() as opened:
        link.click()
    expect(opened.value).to_have_url(address)
    expect(opened.value.get_by_role("heading")).to_contain_text("/portal/transactions/")
    opened.value.close()
    run.page.set_viewport_size({**VIEWPORT, "height": 372})
    picture(run.page, "extra_link")
    run.page.set_viewport_size(VIEWPORT)
