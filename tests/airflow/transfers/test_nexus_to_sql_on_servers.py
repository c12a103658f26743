"""Tables on servers, through the connections of Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import Asset
from sqlalchemy import Engine

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import hook_for, run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import BOOKS, dump, in_table, query, sql_connection, sql_dag, truth
from tests.load.sql.databases import Databases

pytestmark = pytest.mark.databases
NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
MAY_31, JUNE_1 = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WINDOW = {"window_start": "2026-05-31", "window_end": "2026-06-01"}


class PyMySqlHook(DbApiHook):
    """Airflow's own MySqlHook needs C sources to be compiled; with the extra ``client: pymysql`` it gives the same URL."""

    conn_name_attr = "conn_id"

    @property
    def sqlalchemy_url(self) -> sa.URL:
        stored = self.get_connection(self.get_conn_id())
        server = {"host": stored.host, "port": stored.port, "username": stored.login, "database": stored.schema}
        return sa.URL.create("mysql+pymysql", **server, query={"charset": "utf8mb4"})

    def get_uri(self) -> str:
        return self.sqlalchemy_url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    started = Databases()
    with hook_for("mysql", PyMySqlHook):
        yield started
    started.close()


@pytest.fixture(params=["postgresql+psycopg", "mysql+pymysql"])
def engine(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    """A new database, and Airflow's connection to it."""
    url = databases.url(request.param, tmp_path)
    made = sa.create_engine(url)
    with sql_connection(url):
        yield made
    made.dispose()


def test_windows_are_loaded_once(engine: Engine) -> None:
    with (
        Sandbox(customers=30, transactions=400, days=3, clock_speed=0, now=NOW, amounts="awkward") as sandbox,
        connection(sandbox),
    ):
        dag = sql_dag(f"server_{engine.dialect.name}", **WINDOW)
        summary = xcom_of(run_dag(dag), "sync")
        expected = truth(sandbox, "orders", MAY_31, JUNE_1)
        assert (in_table(engine), summary["inserted"]) == (expected, len(expected))
        before = dump(engine, "nexus_orders", *BOOKS)
        assert xcom_of(run_dag(dag), "sync")["changed"] is False
        assert dump(engine, "nexus_orders", *BOOKS) == before
        then = sql_dag(f"server_{engine.dialect.name}_then")
        assert xcom_of(run_dag(then), "sync")["window_start"] == "2026-06-01T00:00:00Z"
        assert state_of(run_dag(then), "sync") == "skipped"


@pytest.mark.parametrize("history", [False, True])
def test_changes_are_captured_over_days(engine: Engine, history: bool) -> None:
    settings: dict[str, Any] = {"lives": "long", "arrivals_per_hour": 5, "clock_speed": 0}
    name = f"server_{engine.dialect.name}_capture_{history}"
    with Sandbox(customers=20, transactions=200, days=10, now=NOW, **settings) as sandbox, connection(sandbox):
        options = {"resource": "broker_transactions", "table": "deals", "capture": "changes", "history": history}
        dag = sql_dag(name, **options, outlets=[Asset(name)])
        assert run_dag(dag, run_conf={"window_start": "2026-05-20"}).state == "success"
        for _ in range(2):
            sandbox.advance(86_400)
            summary = xcom_of(run_dag(dag), "sync")
            assert summary["updated"] > 0
            expected = truth(sandbox, "broker_transactions", None, sandbox.now - timedelta(minutes=5))
            where = "WHERE _load = (SELECT max(_load) FROM deals AS d WHERE d._key = deals._key) AND NOT _deleted"
            assert in_table(engine, f"deals {where if history else ''}") == expected
        versions = query(engine, "SELECT count(*) FROM deals")[0][0]
        assert (versions > len(expected)) is history
