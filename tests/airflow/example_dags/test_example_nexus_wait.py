"""The waiting example, through a real Airflow, its triggers included."""

from __future__ import annotations

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_of


def test_it_buys_once_and_waits_for_the_end() -> None:
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=3600) as sandbox, connection(sandbox):
        run = run_dag(example("example_nexus_wait"))
        bought = [call for call in sandbox.calls if (call.method, call.path) == ("POST", "/buy/custodian")]
        ordered = [call for call in sandbox.calls if (call.method, call.path) == ("POST", "/orders")]
    assert run.state == "success"
    assert (len(bought), len(ordered)) == (1, 1)
    assert xcom_of(run, "buy")["status"].upper() == "COMPLETED"
    assert xcom_of(run, "filled")["status"].upper() == "FILLED"
