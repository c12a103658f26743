"""The mail example, through a real Airflow."""

from __future__ import annotations

import json
from email import message_from_bytes
from pathlib import Path

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.example_dags.loading import example
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_of


def test_every_mail_becomes_a_file_and_is_marked(tmp_path: Path) -> None:
    dag, folder = example("example_nexus_mails"), tmp_path / "mails"
    # mails of its own: another test may have left a claim on one of the usual seed
    with Sandbox(seed=77, customers=10, transactions=600, days=2, clock_speed=0) as sandbox, connection(sandbox):
        ready = [mail for mail in map(json.loads, sandbox.truth("mails")) if mail["status"] == "ReadyToSend"]
        run = run_dag(dag, run_conf={"folder": str(folder)})
        assert [m for m in map(json.loads, sandbox.truth("mails")) if m["status"] == "ReadyToSend"] == []
    assert run.state == "success"
    assert xcom_of(run, "send")["sent"] == len(ready) > 0
    written = {path.stem: message_from_bytes(path.read_bytes()) for path in folder.iterdir()}
    assert {code: message["To"] for code, message in written.items()} == {
        mail["code"]: mail["recipient"]["email"].strip() for mail in ready
    }
