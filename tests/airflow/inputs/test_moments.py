"""Every way in which a moment is given x every place that takes one x both ways of rendering, in real runs."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pendulum
import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, Param, XComArg, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.airflow.inputs.serving import asked, serving
from tests.airflow.running import run_dag, state_of
from tests.airflow.transfers.copies import sql_connection

MIDNIGHT = datetime(2026, 1, 31, tzinfo=UTC)
END = "2026-02-01"
TEMPLATES = {
    "ds": "{{ ds }}",
    "ds_nodash": "{{ ds_nodash }}",
    "ts": "{{ ts }}",
    "ts_nodash": "{{ ts_nodash }}",
    "ts_nodash_with_tz": "{{ ts_nodash_with_tz }}",
    "logical_date": "{{ logical_date }}",
    "interval": "{{ data_interval_start }}",
    "interval_iso": "{{ data_interval_start.isoformat() }}",
    "interval_ds": "{{ data_interval_start | ds }}",
    "in_amsterdam": "{{ data_interval_start.in_timezone('Europe/Amsterdam') }}",
}
OBJECTS = {
    "pendulum_datetime": pendulum.datetime(2026, 1, 31),
    "pendulum_elsewhere": pendulum.datetime(2026, 1, 31, 1, tz="Europe/Amsterdam"),
    "pendulum_date": pendulum.date(2026, 1, 31),
    "date": date(2026, 1, 31),
    "datetime": MIDNIGHT,
    "naive": datetime(2026, 1, 31),
    "number": 20260131,
}


@task
def upstream_text() -> str:
    """A moment as text in XCom."""
    return "2026-01-31T00:00:00Z"


@task
def upstream_moment(data_interval_start: Any = None) -> Any:
    """A moment as Airflow keeps pendulum's in XCom."""
    return data_interval_start


def given_ways() -> dict[str, Any]:
    """All ways, made within a DAG."""
    return {**TEMPLATES, **OBJECTS, "xcom_text": upstream_text(), "xcom_moment": upstream_moment()}


def ran(dag: DAG) -> list[str]:
    """Run a DAG whose interval begins at that midnight, and give the tasks that did not succeed."""
    run = run_dag(dag, logical_date=MIDNIGHT)
    return sorted(name for name in dag.task_ids if state_of(run, name) != "success")


def new_dag(name: str, *, native: bool) -> DAG:
    return DAG(f"{name}_{native}", schedule="@daily", start_date=MIDNIGHT, catchup=False, render_template_as_native_obj=native)


NATIVE = pytest.mark.parametrize("native", [False, True], ids=["as text", "as objects"])


@NATIVE
def test_plan(native: bool) -> None:
    with serving() as server:
        with new_dag("plan_moments", native=native) as dag:
            for name, given in given_ways().items():
                NexusPlanWindowsOperator(task_id=f"plan_{name}", resource="orders", window_start=given, window_end=END)
        assert ran(dag) == []
        assert asked(server, "createdFrom") == {"2026-01-31T00:00:00Z"}


@NATIVE
def test_files(native: bool, tmp_path: Path) -> None:
    with serving() as server:
        with new_dag("file_moments", native=native) as dag:
            for name, given in given_ways().items():
                NexusToObjectStorageOperator(
                    task_id=f"sync_{name}", resource="orders", path=f"{tmp_path}/{name}", window_start=given, window_end=END
                )
        assert ran(dag) == []
        assert asked(server, "createdFrom") == {"2026-01-30T23:59:59Z"}
    written = {str(each.parent.name) for each in tmp_path.rglob("_manifest.json")}
    assert written == {"20260131T000000Z-20260201T000000Z"}
    assert len(list(tmp_path.rglob("_manifest.json"))) == len(TEMPLATES) + len(OBJECTS) + 2


@NATIVE
def test_tables(native: bool, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'w.db'}"
    with serving() as server, sql_connection(url):
        with new_dag("table_moments", native=native) as dag:
            for name, given in given_ways().items():
                NexusToSqlOperator(
                    task_id=f"sync_{name}",
                    resource="orders",
                    sql_conn_id="warehouse",
                    table=f"t_{name}",
                    window_start=given,
                    window_end=END,
                )
        assert ran(dag) == []
        assert asked(server, "createdFrom") == {"2026-01-30T23:59:59Z"}
    engine = sa.create_engine(url)
    with engine.connect() as conn:
        assert conn.execute(sa.text("select count(distinct table_name) from nexus_manifest")).scalar() == len(dag.task_ids) - 2
    engine.dispose()


@NATIVE
def test_queries_and_bodies(native: bool) -> None:
    sent = re.compile(r"2026-01-31([T ]00:00:00(Z|\+00:00))?|2026-01-31T01:00:00\+01:00|2026-01-31 01:00:00\+01:00|20260131\S*")
    with serving() as server:
        with new_dag("call_moments", native=native) as dag:
            for name, given in given_ways().items():
                NexusOperator(task_id=f"get_{name}", endpoint="/orders", query={"createdFrom": given})
                NexusOperator(task_id=f"post_{name}", method="POST", endpoint="/simulate", json={"at": given, "more": [given]})
        assert ran(dag) == []
        # a template's text is sent as it is; what is an object arrives as Nexus writes moments
        queried, posted = asked(server, "createdFrom"), [json.loads(each.body)["at"] for each in server.asked if each.body]
        assert all(sent.fullmatch(str(value)) for value in [*queried, *posted])
        assert "2026-01-31T00:00:00Z" in queried
        assert len(posted) == len(TEMPLATES) + len(OBJECTS) + 2


@NATIVE
def test_params_of_the_run(native: bool) -> None:
    with serving() as server:
        for text in ("2026-01-31", "2026-01-31T00:00:00+00:00", "20260131"):
            params = {"window_start": Param(text, type="string"), "window_end": Param(END)}
            with DAG(f"params_{native}_{text[:10]}", schedule=None, params=params, render_template_as_native_obj=native) as dag:
                NexusPlanWindowsOperator(task_id="plan", resource="orders")
            assert state_of(run_dag(dag), "plan") == "success"
        assert asked(server, "createdFrom") == {"2026-01-31T00:00:00Z"}


@NATIVE
def test_a_moment_that_there_is_not_yet_is_left_out(native: bool) -> None:
    """The run before, on the first one: a lazy nothing, where templates are objects."""
    with serving() as server:
        with new_dag("no_moment", native=native) as dag:
            NexusPlanWindowsOperator(
                task_id="plan",
                resource="orders",
                window_start="{{ prev_data_interval_end_success }}",
                window_end="{{ prev_data_interval_end_success }}",
                params={"window_start": "2026-01-31", "window_end": END},
            )
        assert ran(dag) == []
        assert asked(server, "createdFrom") == {"2026-01-31T00:00:00Z"}


@NATIVE
def test_the_hook_in_a_task(native: bool) -> None:
    @task
    def read(start: Any, end: Any, data_interval_start: Any = None) -> int:
        """Read with the argument, and with Airflow's own moment as every tutorial does."""
        hook = NexusHook()
        found = [
            *hook.iter_records("orders", start=start, end=end),
            *hook.iter_records("orders", start=data_interval_start, end=end),
        ]
        return len(found) + len(hook.get_df("orders", start=start, end=end))

    with serving() as server:
        with new_dag("hook_moments", native=native) as dag:
            for name, given in given_ways().items():
                if not isinstance(given, XComArg | str):
                    read.override(task_id=f"read_{name}")(given, END)
                else:
                    read.override(task_id=f"read_{name}")(given, "{{ data_interval_start.add(days=1) }}")
        assert ran(dag) == []
        assert asked(server, "createdFrom") == {"2026-01-30T23:59:59Z"}
