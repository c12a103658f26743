from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, Asset
from airflow.timetables.interval import CronDataIntervalTimetable
from sqlalchemy import Engine

from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.airflow.nexus import connection
from tests.airflow.running import asset_events_of, run_dag, state_of, xcom_of, xcom_texts
from tests.airflow.transfers.copies import BOOKS, dump, in_table, query, sql_dag, truth

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
MAY_31, JUNE_1, JUNE_2 = (datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC))
WINDOW = {"window_start": "2026-05-31", "window_end": "2026-06-01"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with (
        Sandbox(customers=30, transactions=400, days=3, clock_speed=0, now=NOW, amounts="awkward") as running,
        connection(running),
    ):
        yield running


def test_a_data_interval_is_loaded_and_told(sandbox: Sandbox, engine: Engine) -> None:
    schedule = CronDataIntervalTimetable("@daily", timezone="UTC")
    run = run_dag(sql_dag("sql_interval", schedule=schedule, outlets=[Asset("sql_told")]), logical_date=JUNE_2)
    summary = xcom_of(run, "sync")
    assert (summary["window_start"], summary["window_end"]) == ("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z")
    expected = truth(sandbox, "orders", JUNE_1, JUNE_2)
    assert in_table(engine) == expected
    assert (summary["verdict"], summary["inserted"], summary["path"]) == ("proved", len(expected), "nexus_orders")
    assert len(json.dumps(summary)) < 2_000
    assert asset_events_of(run) == [("sql_told", summary)]


@pytest.mark.parametrize(
    ("options", "conf"),
    [
        ({"window_start": "2026-05-31", "window_end": "{{ '2026-06-01T00:00:00Z' }}"}, {}),
        ({"table": "{{ 'nexus' }}_orders"}, {"window_start": "2026-05-31T00:00:00Z", "window_end": "2026-06-01T00:00:00+00:00"}),
    ],
)
def test_windows_from_arguments_and_params(
    sandbox: Sandbox, engine: Engine, options: dict[str, Any], conf: dict[str, Any]
) -> None:
    assert run_dag(sql_dag(f"sql_given_{len(conf)}", **options), run_conf=conf).state == "success"
    assert in_table(engine) == truth(sandbox, "orders", MAY_31, JUNE_1)


def test_a_rerun_changes_nothing(sandbox: Sandbox, engine: Engine) -> None:
    dag = sql_dag("sql_rerun", **WINDOW)
    assert xcom_of(run_dag(dag), "sync")["changed"] is True
    before = dump(engine, "nexus_orders", *BOOKS)
    summary = xcom_of(run_dag(dag), "sync")
    assert (summary["changed"], summary["inserted"], summary["updated"], summary["deleted"]) == (False, 0, 0, 0)
    assert dump(engine, "nexus_orders", *BOOKS) == before


@pytest.mark.parametrize("outlets", [[], [Asset("sql_mark")]])
def test_the_watermark_goes_on_where_the_last_run_ended(sandbox: Sandbox, engine: Engine, outlets: list[Asset]) -> None:
    kept = {"outlets": outlets}
    assert run_dag(sql_dag(f"sql_first_{len(outlets)}", **WINDOW, **kept)).state == "success"
    then = sql_dag(f"sql_then_{len(outlets)}", **kept)
    summary = xcom_of(run_dag(then), "sync")
    assert (summary["window_start"], summary["window_end"]) == ("2026-06-01T00:00:00Z", "2026-06-02T00:25:00Z")
    assert state_of(run_dag(then), "sync") == "skipped"
    assert in_table(engine) == truth(sandbox, "orders", MAY_31, datetime(2026, 6, 2, 0, 25, tzinfo=UTC))


def test_mapped_tasks_do_not_move_the_watermark(sandbox: Sandbox, engine: Engine) -> None:
    assert run_dag(sql_dag("sql_unmapped", outlets=[Asset("sql_mapped")], **WINDOW)).state == "success"
    days = [{"window_start": f"2026-06-01T{hour:02}:00:00Z", "window_end": f"2026-06-01T{hour + 6:02}:00:00Z"} for hour in (0, 6)]
    with DAG("sql_mapped", schedule=None) as dag:
        NexusToSqlOperator.partial(
            task_id="sync",
            resource="orders",
            sql_conn_id="warehouse",
            table="nexus_orders",
            outlets=[Asset("sql_mapped")],
            max_active_tis_per_dag=1,
        ).expand_kwargs(days)
    assert run_dag(dag).state == "success"
    assert in_table(engine) == truth(sandbox, "orders", MAY_31, datetime(2026, 6, 1, 12, tzinfo=UTC))
    summary = xcom_of(run_dag(sql_dag("sql_after_mapped", outlets=[Asset("sql_mapped")])), "sync")
    # Without a store the table's own books tell it, and they know that there is no gap.
    assert summary["window_start"] == ("2026-06-01T00:00:00Z" if HAS_TASK_STATE else "2026-06-01T12:00:00Z")


def test_a_snapshot_replaces_what_is_gone(sandbox: Sandbox, engine: Engine) -> None:
    dag = sql_dag("sql_snapshot", resource="balances", table="balances")
    assert run_dag(dag).state == "success"
    with engine.begin() as opened:
        opened.execute(sa.text("UPDATE balances SET _key = 'gone' WHERE _key = (SELECT min(_key) FROM balances)"))
    summary = xcom_of(run_dag(dag), "sync")
    assert (summary["inserted"], summary["deleted"]) == (1, 1)
    assert in_table(engine, "balances") == truth(sandbox, "balances")


def test_a_history_keeps_versions(sandbox: Sandbox, engine: Engine) -> None:
    dag = sql_dag("sql_history", history=True, **WINDOW)
    assert run_dag(dag).state == "success"
    assert query(engine, "SELECT DISTINCT _load, _deleted FROM nexus_orders") == [(1, 0)]
    assert run_dag(sql_dag("sql_no_history", **WINDOW)).state == "failed", "a table holds one form alone"


def test_a_table_of_another_environment_is_refused(sandbox: Sandbox, engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_dag(sql_dag("sql_own", **WINDOW)).state == "success"
    before = dump(engine, "nexus_orders", *BOOKS)
    with Sandbox(customers=5, transactions=20, days=3, clock_speed=0, now=NOW) as other, connection(other):
        assert run_dag(sql_dag("sql_other", **WINDOW)).state == "failed"
    assert "contains another copy: base url" in "".join(capfd.readouterr())
    assert dump(engine, "nexus_orders", *BOOKS) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nexus", "of the type 'nexus', which is no SQL database"),
        ("snowflake", "of the type 'snowflake', which no installed provider knows"),
    ],
)
def test_a_wrong_connection_is_named(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    words: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": kind, "password": "canary-of-the-warehouse"}))
    run = run_dag(sql_dag(f"sql_wrong_{kind}", retries=3, **WINDOW))
    said = "".join(capfd.readouterr())
    assert (run.state, words in said) == ("failed", True)
    assert "canary-of-the-warehouse" not in said + "".join(xcom_texts(run))


def test_capture_needs_a_window() -> None:
    with pytest.raises(NexusConfigurationError, match="balances: changes can be captured of records that have a window"):
        sql_dag("sql_no_capture", resource="balances", table="balances", capture="changes")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"capture": "all"}, "capture is 'all': give one of window, changes"),
        ({"contract": "strict"}, "contract is 'strict'"),
        ({"max_rejected": -1}, "max_rejected is -1"),
        ({"readings": 0}, "readings is 0"),
        ({"readings": True}, "readings is True"),
        ({"readings": "2"}, "readings is '2'"),
        ({"readings": 2, "capture": "changes"}, "readings is 2 and capture is 'changes'"),
        ({"rereads": -1}, "rereads is -1"),
    ],
)
def test_wrong_arguments_are_named_at_once(options: dict[str, Any], words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words):
        sql_dag("sql_never", **options)


def tries(run: Any) -> int:
    """How often the task was tried."""
    return int(run.get_task_instance("sync").try_number)


NO_TABLES = ["", " ", "None", "a.b.c.d", "a b", None, 7, ["a"], {"a": 1}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"table": name}, "table is ") for name in NO_TABLES),
        *(({"sql_conn_id": name}, "sql_conn_id is ") for name in ("", " ", "None", " warehouse", None, 7)),
    ],
)
def test_what_can_be_no_table_or_connection_is_refused_while_the_dag_is_read(options: dict[str, Any], words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words):
        sql_dag("sql_never", **options)


@pytest.mark.parametrize("name", ["", "None", "a.b.c"])
def test_what_a_template_makes_no_table_of_fails_at_once(
    sandbox: Sandbox, engine: Engine, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    run = run_dag(
        sql_dag(f"sql_made_{len(name)}", table="{{ dag_run.conf['name'] }}", retries=3, **WINDOW), run_conf={"name": name}
    )
    assert (run.state, tries(run)) == ("failed", 1)
    assert f"table is {name!r}" in "".join(capfd.readouterr())


def test_a_connection_that_is_missing_fails_at_once(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    run = run_dag(sql_dag("sql_no_connection", sql_conn_id="nowhere", retries=3, **WINDOW))
    assert (run.state, tries(run)) == ("failed", 1)
    assert "there is no connection 'nowhere'" in "".join(capfd.readouterr())


@pytest.mark.parametrize("outlets", [[], [Asset("sql_spelled")]])
def test_another_spelling_goes_on_where_the_first_one_ended(sandbox: Sandbox, engine: Engine, outlets: list[Asset]) -> None:
    name = f"sql_spelled_{len(outlets)}"
    assert run_dag(sql_dag(name, outlets=outlets, **WINDOW)).state == "success"
    summary = xcom_of(run_dag(sql_dag(f"{name}_then", table="main.Nexus_Orders", outlets=outlets)), "sync")
    assert (summary["window_start"], summary["path"]) == ("2026-06-01T00:00:00Z", "main.nexus_orders")
    assert query(engine, "SELECT table_name, loads FROM nexus_table") == [("nexus_orders", 2)]


@pytest.mark.parametrize("capture", ["window", "changes"])
def test_another_server_is_refused_by_every_reading(
    sandbox: Sandbox, engine: Engine, capfd: pytest.CaptureFixture[str], capture: str
) -> None:
    assert run_dag(sql_dag(f"sql_mine_{capture}", capture=capture, **WINDOW)).state == "success"
    before = dump(engine, "nexus_orders", *BOOKS)
    with Sandbox(customers=5, transactions=20, days=3, clock_speed=0, now=NOW) as other, connection(other):
        run = run_dag(sql_dag(f"sql_theirs_{capture}", capture=capture, table="main.NEXUS_ORDERS", retries=2, **WINDOW))
    assert (run.state, tries(run)) == ("failed", 1)
    assert "contains another copy: base url" in "".join(capfd.readouterr())
    assert dump(engine, "nexus_orders", *BOOKS) == before
