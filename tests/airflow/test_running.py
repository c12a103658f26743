"""The helpers themselves: a run that seems to work but leaves nothing to check would make every other test worthless."""

from __future__ import annotations

import datetime
import os

import pytest
from airflow.sdk import DAG, Asset, task

from tests.airflow.running import asset_events_of, run_dag, state_of, xcom_of, xcom_texts


def test_the_airflow_of_the_tests_is_their_own() -> None:
    from airflow.configuration import conf

    assert conf.get("core", "dags_folder").startswith(os.environ["AIRFLOW_HOME"])
    assert conf.get("database", "sql_alchemy_conn").startswith(f"sqlite:///{os.environ['AIRFLOW_HOME']}")
    assert not conf.getboolean("core", "load_examples")
    assert not conf.getboolean("core", "unit_test_mode")


def test_a_run_can_be_read() -> None:
    stored = Asset("stored", uri="file:///stored")
    with DAG("works", schedule=None) as dag:

        @task(outlets=[stored])
        def count(*, outlet_events=None) -> int:  # type: ignore[no-untyped-def]
            outlet_events[stored].extra = {"records": 3}
            return 3

        count()

    run = run_dag(dag)
    assert str(run.state) == "success"
    assert state_of(run, "count") == "success"
    assert xcom_of(run, "count") == 3
    assert [text for text in xcom_texts(run) if "3" in text]
    assert asset_events_of(run) == [("file:///stored", {"records": 3})]


def test_a_failure_is_seen() -> None:
    with DAG("breaks", schedule=None) as dag:

        @task
        def fail() -> None:
            raise ValueError("broken on purpose")

        fail()

    run = run_dag(dag)
    assert str(run.state) == "failed"
    assert state_of(run, "fail") == "failed"
    assert asset_events_of(run) == []
    with pytest.raises(AssertionError):
        state_of(run, "other")


def test_a_run_gets_what_it_is_given() -> None:
    with DAG("asks", schedule=None, params={"limit": 1}) as dag:

        @task
        def tell(params=None, logical_date=None) -> list[str]:  # type: ignore[no-untyped-def]
            return [str(params["limit"]), logical_date.isoformat()]

        tell()

    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    assert xcom_of(run_dag(dag, run_conf={"limit": 7}, logical_date=moment), "tell") == ["7", moment.isoformat()]
