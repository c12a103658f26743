"""Reconciliation as a task: what it stores, returns and says, and when it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pendulum
import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, task
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import AirflowFailException
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of, xcom_texts
from tests.extract.serving import client_of
from tests.load.storing import put

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = NOW - timedelta(days=4)
COPIES = ("transactions", "hot_wallet_mutations", "orders", "transfers")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="module")
def sandbox(root: Path) -> Iterator[Sandbox]:
    """A sandbox whose transactions and ledger are copied into files, and transactions into a table as well."""
    with (
        Sandbox(customers=5, transactions=60, days=3, clock_speed=0, now=NOW) as running,
        connection(running),
        pytest.MonkeyPatch.context() as patch,
    ):
        client, window = client_of(running), RequestedWindow(START, NOW, "arguments")
        running.advance(7200)
        for name in COPIES:
            put(client, root, name, window, settle_lag=timedelta(0))
        engine = sa.create_engine(f"sqlite:///{root}/db")
        environment, entry = client.session.environment, get_resource("transactions")
        copy = SqlCopy(engine, "copied", Table(entry), environment=environment.name, base_url=environment.base_url)
        SyncJob(client, SyncRequest(resource=entry, requested=window, settle_lag=timedelta(0)), Loader(copy)).run()
        engine.dispose()
        client.session.close()
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{root}/db"}))
        yield running


@pytest.fixture
def wrong(sandbox: Sandbox) -> Iterator[None]:
    sandbox.configure(wrong_books=["lost_mutation"])
    yield
    sandbox.configure(wrong_books=[])


@pytest.fixture
def engine(root: Path) -> Iterator[Engine]:
    made = sa.create_engine(f"sqlite:///{root}/db")
    yield made
    made.dispose()


def reconcile_dag(dag_id: str, root: Path, *, dag_options: dict[str, Any] | None = None, **options: Any) -> DAG:
    with DAG(dag_id, schedule=None, **(dag_options or {})) as dag:
        NexusReconcileOperator(task_id="reconcile", **{"copies": {"transactions": str(root)}, **options})
    return dag


def test_right_books_are_fine_and_stored(sandbox: Sandbox, root: Path, tmp_path: Path, engine: Engine) -> None:
    copies = dict.fromkeys(COPIES, str(root))
    stored: dict[str, Any] = {"results_path": str(tmp_path), "results_table": "fine", "results_conn_id": "warehouse"}
    summary = xcom_of(run_dag(reconcile_dag("rec_fine", root, copies=copies, **stored)), "reconcile")
    assert summary["is_fine"] is True
    assert summary["differences"] == []
    assert (summary["start"], summary["moment"]) == ("2026-02-25T12:00:00Z", "2026-03-01T12:00:00Z")
    found = json.loads((tmp_path / "reconciliation-sandbox-20260301T120000Z.json").read_text())
    assert summary["results_file"].endswith("reconciliation-sandbox-20260301T120000Z.json")
    with engine.connect() as connected:
        assert connected.execute(sa.text("SELECT count(*) FROM fine")).scalar_one() == len(found["lines"])
    assert {line["book"] for line in found["lines"]} == {
        *("balances", "customer balances", "hot wallet", "reserves", "proof of reserves"),
    }


@pytest.mark.usefixtures("wrong")
def test_differences_fail_at_once_with_the_results_stored(root: Path, tmp_path: Path, engine: Engine) -> None:
    stored: dict[str, Any] = {"results_path": str(tmp_path), "results_table": "wrong", "sql_conn_id": "warehouse"}
    dag = reconcile_dag("rec_wrong", root, copies={"transactions": "copied"}, retries=3, **stored)
    run = run_dag(dag)
    assert state_of(run, "reconcile") == "failed"
    instance = run.get_task_instance("reconcile")
    assert instance
    assert instance.try_number == 1
    assert [path.name for path in tmp_path.iterdir()] == ["reconciliation-sandbox-20260301T120000Z.json"]
    with engine.connect() as connected:
        query = sa.text("SELECT book, difference FROM wrong WHERE outcome = 'differs' ORDER BY book")
        books = connected.execute(query).all()
    assert [book for book, _ in books] == ["balances", "customer balances"]
    assert Decimal(books[0][1]) == Decimal(books[1][1]) != 0


@pytest.mark.usefixtures("wrong")
def test_differences_can_be_left_to_a_person(sandbox: Sandbox, root: Path) -> None:
    run = run_dag(reconcile_dag("rec_left", root, fail_on_difference=False, tolerance={"EUR": Decimal("0.01")}))
    summary = xcom_of(run, "reconcile")
    assert summary["is_fine"] is False
    assert len(summary["differences"]) == 2
    customers = {json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")}
    assert not [code for code in customers for text in xcom_texts(run) if code in text]


@pytest.mark.parametrize("native", [False, True])
def test_all_template_fields_are_rendered(sandbox: Sandbox, root: Path, tmp_path: Path, native: bool) -> None:
    params = {"root": str(root), "conn": "nexus_default", "amount": "0.10", "at": "2026-02-28", "none": None, "name": "rendered"}
    dag = reconcile_dag(
        f"rec_templates_{native}",
        root,
        dag_options={"params": params, "render_template_as_native_obj": native},
        copies={"transactions": "{{ params.root }}"},
        moment="{{ params.at }}",
        start="{{ params.none }}",
        tolerance={"BTC": "{{ params.amount }}"},
        results_table="{{ params.name }}",
        results_conn_id="{{ 'warehouse' }}",
        results_path=f"{tmp_path}/{{{{ params.name }}}}",
        nexus_conn_id="{{ params.conn }}",
    )
    summary = xcom_of(run_dag(dag), "reconcile")
    assert (summary["start"], summary["moment"]) == ("2026-02-25T12:00:00Z", "2026-02-28T00:00:00Z")
    assert summary["results_table"] == "rendered"
    assert (tmp_path / "rendered" / "reconciliation-sandbox-20260228T000000Z.json").exists()


def test_moments_in_every_form(sandbox: Sandbox, root: Path) -> None:
    at = datetime(2026, 2, 28, 3, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    given: list[tuple[Any, str]] = [
        ("2026-02-28T12:00:00+02:00", "2026-02-28T10:00:00Z"),
        (date(2026, 2, 28), "2026-02-28T00:00:00Z"),
        (at, "2026-02-28T08:00:00Z"),
        (pendulum.datetime(2026, 2, 28, tz="Europe/Amsterdam"), "2026-02-27T23:00:00Z"),
        ("{{ data_interval_end }}", "2026-02-28T08:00:00Z"),
        ("20260228", "2026-02-28T00:00:00Z"),
    ]
    with DAG("rec_moments", schedule=None) as dag:
        for number, (moment, _) in enumerate(given):
            copies = {"transactions": str(root)}
            NexusReconcileOperator(task_id=f"at{number}", copies=copies, moment=moment, customers=False)
    run = run_dag(dag, logical_date=at)
    assert [xcom_of(run, f"at{number}")["moment"] for number in range(len(given))] == [expected for _, expected in given]


def test_other_tasks_and_mapping_give_the_arguments(sandbox: Sandbox, root: Path) -> None:
    with DAG("rec_mapped", schedule=None) as dag:

        @task
        def copies() -> dict[str, str]:
            return {"transactions": str(root)}

        @task
        def tolerance() -> str:
            return "0.01"

        NexusReconcileOperator(task_id="given", copies=copies(), tolerance=tolerance())
        NexusReconcileOperator.partial(task_id="mapped", customers=False).expand(
            copies=[{"transactions": str(root)}, {"hot_wallet_mutations": str(root)}]
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom_of(run, "given")["is_fine"] is True


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"copies": {}}, "copies"),
        ({"copies": "data"}, "copies"),
        ({"copies": None}, "copies"),
        ({"copies": {"transaction": "data"}}, "transactions"),
        ({"copies": {"transactions": 1}}, "copies"),
        ({"copies": {"transactions": None}}, "copies"),
        ({"copies": {"transactions": ""}}, "copies"),
        ({"copies": {"transactions": "data"}}, "copies"),
        ({"copies": {"transactions": "no table"}, "sql_conn_id": "warehouse"}, "copies"),
        ({"copies": {"orders": "/data"}}, "hot_wallet_mutations"),
        ({"sql_conn_id": 1}, "sql_conn_id"),
        ({"sql_conn_id": ""}, "sql_conn_id"),
        ({"moment": "yesterday"}, "moment"),
        ({"start": 1.5}, "start"),
        ({"start": "2026-02-30"}, "start"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": 0.01}, "tolerance"),
        ({"tolerance": {"EUR": "much"}}, "tolerance of EUR"),
        ({"tolerance": None}, "tolerance"),
        ({"customers": "yes"}, "customers"),
        ({"customers": "{{ params.x }}"}, "customers"),
        ({"fail_on_difference": None}, "fail_on_difference"),
        ({"results_table": "x"}, "results_conn_id"),
        ({"results_table": "no such name", "results_conn_id": "w"}, "results_table"),
        ({"results_conn_id": 3}, "results_conn_id"),
        ({"results_path": "relative"}, "results_path"),
        ({"results_path": 3}, "results_path"),
        ({"report_url": "https://reports.example.com/x.html"}, "report_path"),
        ({"nexus_conn_id": ""}, "nexus_conn_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_arguments_are_refused_where_the_dag_is_parsed(options: dict[str, Any], named: str) -> None:
    with pytest.raises((NexusConfigurationError, NexusWindowError)) as refused:
        NexusReconcileOperator(task_id="reconcile", **{"copies": {"transactions": "/data"}, **options})
    assert named in str(refused.value)


@pytest.mark.parametrize(("options", "linked"), [({}, False), ({"report_url": "https://reports.example.com/x.html"}, True)])
def test_the_button_is_there_where_it_leads_somewhere(options: dict[str, str], linked: bool) -> None:
    copies = {"transactions": "/data"}
    operator = NexusReconcileOperator(task_id="reconcile", copies=copies, report_path="/data/report.html", **options)  # type: ignore[arg-type]
    assert bool(operator.operator_extra_links) is linked


def test_an_unknown_argument_is_answered_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="tolerance"):
        NexusReconcileOperator(task_id="reconcile", copies={"transactions": "/data"}, tolerence=0)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"copies": {"transactions": "{{ params.none }}"}}, "transactions in copies"),
    ({"copies": {"transactions": "/nowhere"}}, "/nowhere"),
    ({"sql_conn_id": "{{ params.none }}", "copies": {"transactions": "copied"}}, "sql_conn_id"),
    ({"sql_conn_id": "not_there", "copies": {"transactions": "copied"}}, "not_there"),
    ({"sql_conn_id": "warehouse", "copies": {"transactions": "fine_not"}}, "fine_not"),
    ({"sql_conn_id": "warehouse", "copies": {"transactions": "{{ params.none }}"}}, "transactions in copies"),
    ({"nexus_conn_id": "not_there"}, "not_there"),
    ({"tolerance": "{{ params.none }}"}, "tolerance"),
    ({"moment": "{{ 'soon' }}"}, "moment"),
    ({"moment": "2030-01-01"}, "2030-01-01"),
    ({"start": "2020-01-01"}, "2020-01-01"),
    ({"start": "2026-02-28", "moment": "2026-02-27"}, "after the start"),
    ({"results_table": "{{ params.none }}", "results_conn_id": "warehouse"}, "results_table"),
    ({"results_path": "{{ params.none }}"}, "results_path"),
    ({"results_path": "nostore://bucket/x"}, "results_path"),
]


def test_what_is_wrong_in_the_run_fails_with_a_sentence(sandbox: Sandbox, root: Path) -> None:
    errors = dict[str, str]()
    with DAG("rec_refused", schedule=None, params={"none": None}) as dag:
        for number, (options, _) in enumerate(WRONG):
            operator: Any = NexusReconcileOperator(
                task_id=f"wrong{number}", **{"copies": {"transactions": str(root)}, "customers": False, **options}
            )
            operator.on_failure_callback = [
                lambda context: errors.update({context["ti"].task_id: str(context["exception"])}),
            ]
    run = run_dag(dag)
    for number, (_, named) in enumerate(WRONG):
        assert state_of(run, f"wrong{number}") == "failed"
        assert named in errors[f"wrong{number}"]
        assert "\n" not in errors[f"wrong{number}"]


def test_where_results_go_is_refused_before_anything_is_read(sandbox: Sandbox, tmp_path: Path, engine: Engine) -> None:
    """A hundred thousand calls should not end at a connection that is missing, or a table of somebody else."""
    with engine.begin() as connected:
        connected.execute(sa.text("CREATE TABLE IF NOT EXISTS theirs (a INTEGER)"))
    table = {"results_table": "theirs", "results_conn_id": "warehouse"}
    for options in ({"results_table": "x", "results_conn_id": "not_there"}, table, {"results_path": "nostore://bucket/x"}):
        operator = NexusReconcileOperator(task_id="reconcile", copies={"transactions": "/nowhere"}, **options)  # type: ignore[arg-type]
        with pytest.raises((AirflowFailException, NexusConfigurationError), match=r"not_there|theirs|results_path"):
            operator.execute({})
