from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag
from tests.airflow.transfers.copies import in_files, in_table, sql_connection, truth
from tests.report.pages import Page

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
RESOURCES = ("broker_transactions", "transactions", "orders", "transfers")


def test_tables_and_files_are_as_nexus_is_day_after_day(tmp_path: Path) -> None:
    url, files = f"sqlite:///{tmp_path / 'warehouse.db'}", tmp_path / "files"
    engine, dag = sa.create_engine(url), example("example_nexus_warehouse")
    with (
        Sandbox(customers=10, transactions=100, days=3, lives="long", clock_speed=0, now=NOW) as sandbox,
        connection(sandbox),
        sql_connection(url),
    ):
        conf = {"path": files.as_uri()}
        for first in ({"window_start": "2026-05-29T00:00:00Z"}, {}):
            assert run_dag(dag, run_conf=conf | first).state == "success"
            until = sandbox.now - timedelta(minutes=5)
            for name in RESOURCES:
                expected = truth(sandbox, name, None, until)
                assert in_table(engine, f"nexus_{name}") == in_files(files / "sandbox" / name) == expected, name
                assert_reported(files / "reports" / f"{name}.html", files / "sandbox" / name)
            assert in_table(engine, "nexus_balances") == truth(sandbox, "balances")
            sandbox.advance(86_400)
    engine.dispose()


def assert_reported(page: Path, collection: Path) -> None:
    """Each window has a mark on the page, and a link to its manifest."""
    links = [link for link in Page.of(page.read_text()).links if not link.startswith("#")]
    assert {(page.parent / link).resolve() for link in links} == set(collection.glob("2*/_manifest.json"))
