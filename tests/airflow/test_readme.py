"""The snippets of the README are what they say."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of
from tests.airflow.transfers.copies import sql_connection

README = (Path(__file__).parents[2] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_ten_line_dag_runs(tmp_path: Path) -> None:
    code = SNIPPETS[0].replace("s3://bucket/nexus", tmp_path.as_uri()).replace('storage_conn_id="aws_default",', "")
    assert tmp_path.as_uri() in code
    assert len(code.strip().splitlines()) <= 12
    names: dict[str, Any] = {}
    code = code.replace('with DAG("nexus_daily"', 'dag = DAG("nexus_daily"').replace(")):\n", "))\nwith dag:\n")
    exec(compile(code, "README.md", "exec"), names)
    dag = names["dag"]
    assert isinstance(dag, DAG)
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as sandbox, connection(sandbox):
        end = sandbox.now - timedelta(hours=1)
        conf = {"window_start": (end - timedelta(hours=12)).isoformat(), "window_end": end.isoformat()}
        run = run_dag(dag, run_conf=conf)
    assert {state_of(run, name) for name in ("customers", "transactions", "orders", "transfers")} == {"success"}


def test_the_calls_run() -> None:
    names: dict[str, Any] = {}
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as sandbox, connection(sandbox):
        code = json.loads(sandbox.truth("transactions")[0])["transactionCode"]
        exec(compile(SNIPPETS[1].replace("AA20260101120000A00", code), "README.md", "exec"), names)
        assert names["hook"].get_record("transactions", code)["transactionCode"] == code
        assert isinstance(next(names["hook"].iter_records("orders"))["amount"], Decimal)


def test_the_table_is_filled(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(SNIPPETS[2].replace("):\n", ") as dag:\n", 1), "README.md", "exec"), names)
    with (
        Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as sandbox,
        connection(sandbox),
        sql_connection(f"sqlite:///{tmp_path / 'warehouse.db'}"),
    ):
        (conf,) = re.findall(r"`(\{\"window_start.*?\})`", README)
        assert state_of(run_dag(names["dag"], run_conf=json.loads(conf)), "orders") == "success"
        sandbox.advance(86_400)
        assert state_of(run_dag(names["dag"]), "orders") == "success"


def test_the_connection_of_the_readme_is_one() -> None:
    (text,) = re.findall(r"AIRFLOW_CONN_NEXUS_DEFAULT='(.*?)'", README)
    assert json.loads(text)["extra"] == {"environment": "test"}


def test_every_page_that_is_linked_is_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert linked
    assert [page for page in linked if not (Path(__file__).parents[2] / page).exists()] == []
