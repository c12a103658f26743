"""The snippets of the pages run: each DAG through a real Airflow against the sandbox, and the test as pytest would."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.links.nexus import PORTAL_KEY, REPORT_KEY
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.inputs.serving import enveloped
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.client.socket_server import Asked, SocketServer, answer
from tests.load.storing import put
from tests.report.pages import Page

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SNIPPETS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    # Its clock runs fast, so that what is made is settled soon.
    with Sandbox(customers=20, transactions=200, days=3, clock_speed=600) as running, connection(running):
        yield running


def records(sandbox: Sandbox, resource: str) -> list[dict[str, Any]]:
    return [json.loads(record) for record in sandbox.truth(resource)]


def test_calls(sandbox: Sandbox) -> None:
    run = run_dag(load("nexus_calls").dag)
    assert Decimal(xcom_of(run, "spread")) > 0
    amounts = [Decimal(order["amount"]) for order in xcom_of(run, "largest_first")["records"]]
    assert len(amounts) == 10
    assert amounts == sorted(amounts, reverse=True)
    assert Decimal(xcom_of(run, "filled_today")["EUR"]) > 0
    assert xcom_of(run, "tenant") == "SANDBOX"


def test_documents(tmp_path: Path) -> None:
    store: dict[str, bytes] = {"C1/passport.pdf": b"%PDF-1.4 passport"}

    def reply(asked: Asked) -> bytes:
        parts = urlsplit(asked.target)
        if parts.path == "/sanction/search":
            return enveloped({"listResults": {}})
        if parts.path.endswith("/list"):
            records = [{"filePath": path, "customerCode": "C1", "createdOn": "2026-01-02T03:04:05Z"} for path in sorted(store)]
            page = int({name.lower(): found[0] for name, found in parse_qs(parts.query).items()}.get("page", "1"))
            held = {"page": page, "total": len(records), "totalPages": 1, "filteringParameters": {}}
            return enveloped({**held, "records": records if page == 1 else []})
        if asked.method == "POST":
            store["C1/identity.pdf"] = asked.body
            return enveloped({"filePath": "C1/identity.pdf"})
        return answer(store[parse_qs(parts.query)["filePath"][0]], Content_Type="application/pdf")

    (tmp_path / "identity.pdf").write_bytes(b"%PDF-1.4 identity")
    with SocketServer(by=reply) as server:
        server.token = "T"  # type: ignore[attr-defined]
        with connection(server):  # type: ignore[arg-type]
            run = run_dag(load("nexus_documents").dag, run_conf={"folder": str(tmp_path)})
    assert run.state == "success"
    assert xcom_of(run, "screen") == {"listResults": {}}
    assert (tmp_path / "C1" / "passport.pdf").read_bytes() == store["C1/passport.pdf"]
    assert b"%PDF-1.4 identity" in store["C1/identity.pdf"]
    assert (tmp_path / "all" / "C1" / "passport.pdf").read_bytes() == store["C1/passport.pdf"]
    assert xcom_of(run, "fetch_all")


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow 3.3 on")
def test_retries(sandbox: Sandbox) -> None:
    dag = load("nexus_retries").dag
    assert dag.get_task("tenant").retry_policy.looks_up_first is False
    assert xcom_of(run_dag(dag), "tenant") == "SANDBOX"


def test_an_operator_of_ones_own(sandbox: Sandbox) -> None:
    code = next(record["transactionCode"] for record in records(sandbox, "transactions") if record["status"] == "COMPLETED")
    with connection(sandbox, extra={"portal_url": "https://portal.example.com/{resource}/{code}"}):
        run = run_dag(load("nexus_own_operator").dag, run_conf={"code": code})
    assert xcom_of(run, "settled") == "COMPLETED"
    assert xcom_of(run, "settled", PORTAL_KEY) == f"https://portal.example.com/transactions/{code}"


def test_customers(sandbox: Sandbox) -> None:
    run = run_dag(load("nexus_customers").dag)
    assert xcom_of(run, "create")["status"] == "ACTIVE"
    assert xcom_of(run, "trust")["trustlevel"] == "Trusted"


def test_treasury(sandbox: Sandbox) -> None:
    run = run_dag(load("nexus_treasury").dag)
    assert xcom_of(run, "order")["status"] == "FILLED"
    assert Decimal(xcom_of(run, "transfer")["amount"]) == Decimal(xcom_of(run, "order")["executed"]["amount"])


def test_report(sandbox: Sandbox, tmp_path: Path) -> None:
    end = sandbox.now - timedelta(hours=1)
    window = {"window_start": (end - timedelta(hours=12)).isoformat(), "window_end": end.isoformat()}
    run = run_dag(load("nexus_report").dag, run_conf={"path": tmp_path.as_uri(), **window})
    assert "proved" in (tmp_path / "orders.html").read_text()
    assert xcom_of(run, "orders", REPORT_KEY) == "https://reports.example.com/nexus/orders.html"


def test_cancel() -> None:
    with Sandbox(customers=20, transactions=2000, days=2, clock_speed=0) as sandbox, connection(sandbox):
        run = run_dag(load("nexus_cancel").dag, run_conf={"hours": 0})
        codes = xcom_of(run, "unpaid")
        states = {each["transactionCode"]: each["status"] for each in records(sandbox, "transactions")}
    assert codes
    assert {states[code] for code in codes} <= {"CANCELLED", "ToCancel"}
    assert state_of(run, "unpaid") == run.state == "success"


def test_a_bad_day(monkeypatch: pytest.MonkeyPatch) -> None:
    load("test_with_sandbox").test_a_bad_day(monkeypatch)


def test_a_report_of_all(sandbox: Sandbox, tmp_path: Path) -> None:
    client = NexusHook().client
    for name in ("balances", "prices"):
        put(client, tmp_path, name)
    client.session.close()
    run = run_dag(load("nexus_report_of_all").dag, run_conf={"path": tmp_path.as_uri()})
    assert xcom_of(run, "report", REPORT_KEY) == "https://reports.example.com/nexus/report.html"
    links = [link for link in Page.of((tmp_path / "report.html").read_text()).links if not link.startswith("#")]
    assert sorted(tmp_path / link for link in links) == sorted(tmp_path.rglob("_manifest.json"))
