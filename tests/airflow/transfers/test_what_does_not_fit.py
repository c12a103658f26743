"""Fields that change, records that don't fit, personal data and tries that fail, by real runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import files_dag, in_files, parquet_rows, query, sql_dag, truth

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
MAY_31, JUNE_1 = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WINDOW = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
RETRIES = {"retries": 3, "retry_delay": timedelta(0)}
SECRET = "a-secret-that-nobody-can-guess-5d1f"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=30, transactions=400, days=3, clock_speed=0, now=NOW) as running, connection(running):
        yield running


def tries(run: Any) -> int:
    """How often the task was tried."""
    return int(run.get_task_instance("sync").try_number)


def test_a_frozen_contract_fails_at_once(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_dag(files_dag("frozen_first", tmp_path, contract="freeze", **WINDOW)).state == "success"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sandbox.configure(unknown_fields=True)
    run = run_dag(files_dag("frozen_then", tmp_path, contract="freeze", **WINDOW, **RETRIES))
    assert (state_of(run, "sync"), tries(run)) == ("failed", 1)
    assert "the contract is frozen, so nothing was stored" in "".join(capfd.readouterr())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_records_that_do_not_fit_are_put_aside(sandbox: Sandbox, engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    sandbox.configure(misfit_share=0.1, misfits=("amount",))
    run = run_dag(sql_dag("misfits_none", **WINDOW, **RETRIES))
    assert (state_of(run, "sync"), tries(run)) == ("failed", 1)
    assert "records do not fit and max_rejected is 0, so nothing was stored" in "".join(capfd.readouterr())
    summary = xcom_of(run_dag(sql_dag("misfits_some", max_rejected=1_000, **WINDOW)), "sync")
    assert summary["rejected"] > 0
    aside = query(engine, "SELECT key, field, reason, raw FROM nexus_rejected")
    stored = {row[0] for row in query(engine, "SELECT _key FROM nexus_orders")}
    served = {json.loads(raw)["orderCode"]: json.loads(raw) for raw in sandbox.truth("orders", MAY_31, JUNE_1)}
    assert {key: json.loads(raw) for key, _, _, raw in aside} == {key: served[key] for key in served.keys() - stored}
    assert len(aside) == summary["rejected"]


def test_personal_data_is_hashed(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"resource": "customers", "personal": "hash"}
    run = run_dag(files_dag("hash_no_secret", tmp_path, window_start="2026-01-01", **options, **RETRIES))
    assert (state_of(run, "sync"), tries(run)) == ("failed", 1)
    assert "there is no secret: put hash_secret into the extra" in "".join(capfd.readouterr())
    with connection(sandbox, extra={"hash_secret": SECRET}):
        run = run_dag(files_dag("hashed", tmp_path, window_start="2026-01-01", **options))
    rows = parquet_rows(tmp_path / "sandbox" / "customers")
    assert rows
    assert all(row["email"].startswith("h:") for row in rows if row["email"])
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in stored
    assert SECRET not in "".join(capfd.readouterr()) + json.dumps(xcom_of(run, "sync"))


@pytest.mark.parametrize("kind", ["files", "table"])
def test_another_try_goes_on_where_the_first_one_failed(
    sandbox: Sandbox, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(jsonl, "PART_RECORDS", 20)
    options: dict[str, Any] = {"resource": "transactions", "page_size": 5, **WINDOW}
    if kind == "files":
        dag = files_dag("resume_files", tmp_path / "once", **options)
    else:
        dag = sql_dag("resume_table", table="once", **options)
    calls = xcom_of(run_dag(dag), "sync")["calls"]
    assert calls > 20, "there must be something to go on with"
    again: dict[str, Any] = {**options, "retries": 1, "retry_delay": timedelta(0)}
    if kind == "files":
        dag = files_dag("resumed_files", tmp_path / "twice", **again)
    else:
        dag = sql_dag("resumed_table", table="twice", staging_path=(tmp_path / "staged").as_uri(), **again)
    # The connection repeats a call once by itself.
    sandbox.configure(faults=(Fault("status", first=calls - 8, times=2, status=503),))
    run = run_dag(dag)
    summary = xcom_of(run, "sync")
    assert (tries(run), summary["verdict"], summary["calls"] < calls / 2) == (2, "proved", True)
    expected = truth(sandbox, "transactions", MAY_31, JUNE_1)
    if kind == "files":
        assert in_files(tmp_path / "twice" / "sandbox" / "transactions") == expected
    else:
        assert dict(query(engine, "SELECT _key, _content FROM twice")) == expected
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and {"_staging", "staged"} & set(path.parts)]
