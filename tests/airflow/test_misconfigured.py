"""A connection that can't be used x everything that uses one, in real runs: one sentence, one traceback, one try."""

from __future__ import annotations

import asyncio
import json
import os
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusNotFoundError, fails_at_once
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.mails import NexusSendMailsOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.operators.transactions import NexusCancelTransactionOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.airflow.inputs.serving import serving
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of
from tests.airflow.transfers.copies import sql_connection

SECRET = "password-of-another-system"
USABLE: dict[str, Any] = {"conn_type": "nexus", "password": "a-token", "extra": {"environment": "test"}}
BROKEN: dict[str, tuple[str | None, str]] = {
    "missing": (None, "there is no connection 'nexus_wrong'.* type 'nexus' .*AIRFLOW_CONN_NEXUS_WRONG"),
    "unreadable": ("{not json", "there is no connection 'nexus_wrong'"),
    "of another type": (json.dumps(USABLE | {"conn_type": "http", "password": SECRET}), "'nexus_wrong' is of type 'http'"),
    "extra that is no JSON": (
        json.dumps(USABLE | {"extra": "{broken"}),
        "the extra of connection 'nexus_wrong' is no JSON object",
    ),
    "unknown extra": (json.dumps(USABLE | {"extra": {"time_out": 5}}), "unknown extra 'time_out'"),
    "no token": (json.dumps(USABLE | {"password": ""}), "'nexus_wrong' has no API token"),
    "blanks in the token": (json.dumps(USABLE | {"password": "a b"}), "API token of connection 'nexus_wrong' has blanks"),
    "unknown environment": (json.dumps(USABLE | {"extra": {"environment": "tset"}}), "tset"),
    "bad host": (json.dumps(USABLE | {"host": "http://nexus.example", "extra": {}}), "http"),
}
MATRIX = pytest.mark.parametrize(
    ("stored", "words"), [pytest.param(*case, id=name) for name, case in BROKEN.items()], indirect=["stored"]
)
SECOND_TRACEBACK = re.compile("During handling of|direct cause of")


@pytest.fixture
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection as a deployment would have it, or none."""
    monkeypatch.delenv("AIRFLOW_CONN_NEXUS_WRONG", raising=False)
    if request.param is not None:
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_WRONG", request.param)


USERS: dict[str, Callable[..., Any]] = {
    "call": lambda path, **own: NexusOperator(endpoint="/labelpartner", **own),
    "change": lambda path, **own: NexusCancelTransactionOperator(transaction_code="TX1", **own),
    "mails": lambda path, **own: NexusSendMailsOperator(deliver=lambda mail: None, **own),
    "wait": lambda path, **own: NexusStatusSensor(resource="transactions", code="TX1", poke_interval=0.1, **own),
    "defer": lambda path, **own: NexusStatusSensor(resource="transactions", code="TX1", deferrable=True, **own),
    "plan": lambda path, **own: NexusPlanWindowsOperator(resource="orders", window_start="2026-01-01", **own),
    "files": lambda path, **own: NexusToObjectStorageOperator(resource="orders", path=path.as_uri(), **own),
    "table": lambda path, **own: NexusToSqlOperator(resource="orders", sql_conn_id="warehouse", table="t", **own),
}


def all_users(dag_id: str, path: Path, **own: Any) -> DAG:
    with DAG(dag_id, schedule=None, default_args={"retries": 2, "retry_delay": timedelta(0)}) as dag:
        for name, make in USERS.items():
            make(path, task_id=name, **own)
    return dag


@MATRIX
def test_in_a_task(stored: None, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], request: Any) -> None:
    dag = all_users(re.sub(r"\W", "_", f"broken_{request.node.callspec.id}"), tmp_path, nexus_conn_id="nexus_wrong")
    with sql_connection(f"sqlite:///{tmp_path / 'w.db'}"):
        run = run_dag(dag)
    said = "".join(capfd.readouterr())
    ended = {name: (state_of(run, name), run.get_task_instance(name).try_number) for name in USERS}  # type: ignore[union-attr]
    assert ended == dict.fromkeys(USERS, ("failed", 1))
    assert len(re.findall(words, said)) >= len(USERS)
    assert not SECOND_TRACEBACK.search(said)
    assert SECRET not in said


@MATRIX
def test_in_the_hook_and_in_the_triggerer(stored: None, words: str) -> None:
    async def asked_for() -> None:
        await NexusHook("nexus_wrong").aclient()

    for ask in (lambda: NexusHook("nexus_wrong").run("GET", "/labelpartner"), lambda: asyncio.run(asked_for())):
        with pytest.raises(NexusConfigurationError, match=words) as caught:
            ask()
        assert fails_at_once(caught.value, looks_up_first=True)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert NexusHook("nexus_wrong").test_connection() == (False, str(caught.value))


@MATRIX
@pytest.mark.parametrize(
    "command", ["check", "plan orders --window-start 2026-01-01", "sync orders HERE --window-start 2026-01-01"]
)
def test_in_the_command_line(stored: None, words: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.replace("HERE", str(tmp_path)).split(), "--nexus-conn-id", "nexus_wrong"])
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert re.search(words, err)
    assert "Traceback" not in out + err
    assert SECRET not in out + err
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(), DAG("no_warehouse", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(0)}) as dag:
        NexusToSqlOperator(task_id="sync", resource="orders", sql_conn_id="nowhere", table="t")
        run = run_dag(dag)
    instance: Any = run.get_task_instance("sync")
    said = "".join(capfd.readouterr())
    assert (state_of(run, "sync"), instance.try_number) == ("failed", 1)
    assert "there is no connection 'nowhere'" in said
    assert not SECOND_TRACEBACK.search(said)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=2, transactions=5, days=1, clock_speed=0) as running, connection(running):
        yield running


def test_a_hook_is_closed_after_its_block_and_can_be_used_again(sandbox: Sandbox) -> None:
    with NexusHook() as hook:
        hook.run("GET", "/labelpartner")
        hook.run("GET", "/labelpartner")
        assert sandbox.connection_count == 1
    hook.run("GET", "/labelpartner")
    assert sandbox.connection_count == 2
    hook.close()
    hook.close()
    hook.run("GET", "/labelpartner")
    assert sandbox.connection_count == 3
    hook.close()


def test_a_hook_that_called_nothing_closes_nothing() -> None:
    with NexusHook("nowhere"):
        pass
    NexusHook("nowhere").close()


def test_what_fails_in_the_block_of_a_hook_comes_out_and_the_hook_is_closed(sandbox: Sandbox) -> None:
    with pytest.raises(NexusNotFoundError), NexusHook() as hook:
        hook.get_record("orders", "ORD-NONE")
    hook.run("GET", "/labelpartner")
    assert sandbox.connection_count == 2
    hook.close()


@MATRIX
def test_no_frame_shows_a_password(stored: None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that show the locals of frames show none, and Airflow's own connection would show its password."""
    if "AIRFLOW_CONN_NEXUS_WRONG" in os.environ:
        text = os.environ["AIRFLOW_CONN_NEXUS_WRONG"].replace("a-token", SECRET).replace("{broken", f"{{broken {SECRET}")
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_WRONG", text.replace('"a b"', f'"{SECRET} b"'))
    with pytest.raises(NexusConfigurationError, match=words) as caught:
        _ = NexusHook("nexus_wrong").settings
    error = caught.value.with_traceback(caught.tb.tb_next)  # without the frame of this test
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "self = <airflow_provider_nexus.hooks.nexus.NexusHook" in shown
    assert SECRET not in shown
