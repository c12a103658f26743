"""The report that a sync writes: after the data, for as long as it can be written, and never in its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, Asset
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.links.nexus import REPORT_KEY
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import connection
from tests.airflow.running import asset_events_of, run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import in_table, sql_dag
from tests.report.pages import Page

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
WINDOW: dict[str, Any] = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
ADDRESS = "https://reports.example.com/orders.html"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=10, transactions=100, days=3, clock_speed=0, now=NOW) as running, connection(running):
        yield running


class Apart(MemoryFileSystem):  # type: ignore[misc]
    """Files of one connection; those of Airflow's own memory store are shared by all."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]


def dag_of(dag_id: str, path: Path, **options: Any) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        NexusToObjectStorageOperator(task_id="sync", path=(path / "data").as_uri(), **{"resource": "orders", **options})
    return dag


def manifests(page: Path) -> list[Path]:
    """Where a page's links lead."""
    return [(page.parent / link).resolve() for link in Page.of(page.read_text()).links if not link.startswith("#")]


@pytest.mark.parametrize("options", [{}, {"file_format": "parquet", "capture": "changes"}], ids=["window", "changes"])
def test_the_report_is_written_and_linked(sandbox: Sandbox, tmp_path: Path, options: dict[str, Any]) -> None:
    written = {"report_path": "{{ params.reports }}/{{ task.resource }}.html", "report_url": "{{ params.site }}/orders.html"}
    dag = dag_of(f"reporting_{len(options)}", tmp_path, **written, **WINDOW, **options, outlets=[Asset("nexus_reported")])
    run = run_dag(dag, run_conf={"reports": (tmp_path / "reports").as_uri(), "site": "https://reports.example.com"})
    page = tmp_path / "reports" / "orders.html"
    assert manifests(page) == list((tmp_path / "data" / "sandbox" / "orders").glob("2*/_manifest.json"))
    assert xcom_of(run, "sync", REPORT_KEY) == ADDRESS
    summary = xcom_of(run, "sync")
    assert summary["report"] == page.as_uri()
    assert len(json.dumps(summary)) < 2_000
    assert asset_events_of(run)[0][1]["report"] == page.as_uri()


def test_the_report_on_a_delta_table_leads_to_its_manifests(sandbox: Sandbox, tmp_path: Path) -> None:
    page = tmp_path / "orders.html"
    dag = dag_of("reporting_delta", tmp_path, report_path=str(page), file_format="delta", capture="changes", **WINDOW)
    run = run_dag(dag)
    readings = open_table(tmp_path / "data/sandbox/orders").books().readings
    assert [path.stem for path in manifests(page)] == [each.sha256 for each in readings.values()]
    assert xcom_of(run, "sync")["report"] == str(page)


def test_unchanged_data_is_reported_again(sandbox: Sandbox, tmp_path: Path) -> None:
    page = tmp_path / "orders.html"
    dag = dag_of("again", tmp_path, report_path=str(page), **WINDOW)
    assert run_dag(dag).state == "success"
    page.unlink()
    summary = xcom_of(run_dag(dag), "sync")
    assert (summary["changed"], len(manifests(page))) == (False, 1)


def test_without_a_report_no_link_is_looked_for(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_dag(dag_of("plain", tmp_path, **WINDOW))
    assert "report" not in xcom_of(run, "sync")
    assert "XCom not found" not in "".join(capfd.readouterr())


def test_a_later_window_is_added(sandbox: Sandbox, tmp_path: Path) -> None:
    page = tmp_path / "orders.html"
    for start, end in (("2026-05-30", "2026-05-31"), ("2026-05-31", "2026-06-01")):
        run_dag(dag_of("added", tmp_path, report_path=str(page), window_start=start, window_end=end))
    assert len(manifests(page)) == 2
    assert "2 of 2 windows are proved complete" in Page.of(page.read_text()).text


@pytest.mark.parametrize(
    ("report_path", "opened_by"),
    [("memory://lake/reports/orders.html", "lake"), ("memory://own@lake/reports/orders.html", "own")],
)
def test_the_connection_of_the_data_opens_the_report_too(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, report_path: str, opened_by: str
) -> None:
    for name in ("LAKE", "OWN"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "generic://")
    stores = {name: attach(protocol="memory", fs=Apart(), conn_id=name).fs for name in ("lake", "own")}
    with DAG(f"stored_by_{opened_by}", schedule=None) as dag:
        NexusToObjectStorageOperator(
            task_id="sync",
            resource="orders",
            path=f"memory://lake/{opened_by}/nexus",
            storage_conn_id="lake",
            report_path=report_path,
            **WINDOW,
        )
    where = xcom_of(run_dag(dag), "sync")["report"]
    assert (where[-24:], "@" in where) == ("lake/reports/orders.html", False)
    links = Page.of(stores[opened_by].cat_file("/lake/reports/orders.html").decode()).links
    (link,) = [link for link in links if not link.startswith("#")]
    assert link.startswith(f"../{opened_by}/nexus/sandbox/orders/")
    assert stores["lake"].exists(link.replace("..", "/lake"))


@pytest.mark.parametrize("options", [{}, {"report_url": ADDRESS}])
def test_nothing_settled_is_nothing_to_report(sandbox: Sandbox, tmp_path: Path, options: dict[str, str]) -> None:
    page = tmp_path / "orders.html"
    late = {"window_start": "2026-06-02T00:27:00Z"}
    run = run_dag(dag_of("nothing", tmp_path, report_path=str(page), **late, **options))
    assert (state_of(run, "sync"), page.exists(), xcom_of(run, "sync", REPORT_KEY) or None) == ("skipped", False, None)


def test_a_report_that_cannot_be_written_leaves_the_data(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("no folder")
    page = tmp_path / "taken" / "orders.html"
    dag = dag_of("blocked", tmp_path, report_path=page.as_uri(), report_url=ADDRESS, **WINDOW, outlets=[Asset("nexus_blocked")])
    run = run_dag(dag)
    assert run.state == "success"
    assert f"the report {page.as_uri()} can't be written: " in "".join(capfd.readouterr())
    summary = xcom_of(run, "sync")
    assert (summary["report"], summary["changed"], xcom_of(run, "sync", REPORT_KEY) or None) == (None, True, None)
    assert len(list((tmp_path / "data").rglob("_manifest.json"))) == 1
    assert asset_events_of(run)[0][1]["verdict"] == "proved"


WRONG = {
    "ftp": ({"report_url": "{{ 'ftp://reports.example.com/x.html' }}"}, "report_url starts with 'ftp'"),
    "script": ({"report_url": "{{ 'javascript:alert(1)' }}"}, "report_url starts with 'javascript'"),
    "credentials": (
        {"report_url": "{{ 'https://me:hidden@reports.example.com/x.html' }}"},
        "may not contain a user name or password",
    ),
    "no host": ({"report_url": "{{ 'https:///x.html' }}"}, "report_url has no plain host"),
    "no address": ({"report_url": "{{ 'https://[x.html' }}"}, "report_url is no address"),
    "store": ({"report_path": "gopher://x/y.html"}, "report_path is gopher://x/y.html, and its store can't be used"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_before_anything_is_read(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    options, said = WRONG[name]
    run = run_dag(dag_of("wrong", tmp_path, **{"report_path": str(tmp_path / "x.html"), **options}, **WINDOW))
    log = "".join(capfd.readouterr())
    assert (run.state, list(tmp_path.iterdir())) == ("failed", [])
    assert said in log


def test_an_address_needs_a_report(tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match="report_path"):
        dag_of("addressed", tmp_path, report_url=ADDRESS)


def test_the_report_on_a_table_is_written_and_linked(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    page = tmp_path / "reports" / "nexus_orders.html"
    written = {
        "report_path": f"{tmp_path.as_uri()}/reports/{{{{ task.table }}}}.html",
        "report_url": "{{ params.site }}/orders.html",
    }
    dag = sql_dag("reporting_table", **written, **WINDOW, capture="changes", outlets=[Asset("nexus_table_reported")])
    for changed in (True, False):
        run = run_dag(dag, run_conf={"site": "https://reports.example.com"})
        shown, summary = Page.of(page.read_text()), xcom_of(run, "sync")
        assert "1 of 1 window is proved complete" in shown.text
        assert [each for each in shown.ids if each.startswith("nexus_orders-")] == ["nexus_orders-1"]
        assert xcom_of(run, "sync", REPORT_KEY) == ADDRESS
        assert (summary["report"], summary["changed"]) == (page.as_uri(), changed)
        assert asset_events_of(run)[0][1]["report"] == page.as_uri()
        page.unlink()


def test_a_report_on_a_table_that_cannot_be_written_leaves_the_rows(
    sandbox: Sandbox, engine: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("no folder")
    page = tmp_path / "taken" / "orders.html"
    run = run_dag(sql_dag("blocked_table", report_path=page.as_uri(), report_url=ADDRESS, **WINDOW))
    summary = xcom_of(run, "sync")
    assert f"the report {page.as_uri()} can't be written: " in "".join(capfd.readouterr())
    assert (run.state, summary["report"], xcom_of(run, "sync", REPORT_KEY) or None) == ("success", None, None)
    assert len(in_table(engine)) == summary["inserted"] > 0


def test_a_wrong_address_is_said_before_a_table_is_made(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    options = {"report_path": str(tmp_path / "x.html"), "report_url": "{{ 'ftp://reports.example.com/x.html' }}"}
    assert run_dag(sql_dag("wrong_table", **options, **WINDOW)).state == "failed"
    assert sa.inspect(engine).get_table_names() == []
