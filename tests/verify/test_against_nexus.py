"""A copy against Nexus as it is now: what has changed there is found, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob
from airflow_provider_nexus.verify.against_nexus import files_against_nexus, table_against_nexus
from airflow_provider_nexus.verify.findings import Report
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import hours_of, put

SERVERS: dict[str, dict[str, Any]] = {
    "well-behaved": {},
    "excludes the lower bound": {"since_inclusive": False},
    "excludes the upper bound": {"until_inclusive": False},
    "many with one stamp": {"tie_seconds": 60},
}


def against(sandbox: Sandbox, root: Path) -> Report:
    client = client_of(sandbox)
    try:
        return files_against_nexus(root, client)
    finally:
        client.session.close()


def fill(sandbox: Sandbox, root: Path, name: str, file_format: str) -> list[Path]:
    client = client_of(sandbox)
    folders = [put(client, root, name, hours_of(sandbox, start=start, until=start - 12), file_format) for start in (36, 24, 12)]
    client.session.close()
    return folders


def test_a_damaged_file_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    with sandbox_and_client() as (sandbox, _):
        folders = fill(sandbox, tmp_path, "broker_transactions", "jsonl")
        fill(sandbox, tmp_path, "orders", "jsonl")
        (folders[0] / "part-00000.jsonl.gz").unlink()
        report = against(sandbox, tmp_path)
    (problem,) = report.problems
    assert f"{folders[0]}/part-00000.jsonl.gz is missing: sync the window from" in problem.what


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", ["broker_transactions", "orders"])
def test_what_has_just_been_read_is_the_same(tmp_path: Path, server: str, file_format: str, name: str) -> None:
    with sandbox_and_client(**SERVERS[server]) as (sandbox, _):
        fill(sandbox, tmp_path, name, file_format)
        report = against(sandbox, tmp_path)
    assert report.problems == ()
    assert 1 <= report.calls <= 30


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_totals_find_the_span_that_changed(tmp_path: Path, file_format: str) -> None:
    with sandbox_and_client(transactions=1500) as (sandbox, _):
        folders = fill(sandbox, tmp_path, "broker_transactions", file_format)
        sandbox.advance(seconds=3 * 86_400)
        report = against(sandbox, tmp_path)
    assert report.problems
    assert all("differ from those of Nexus now" in problem.what for problem in report.problems)
    assert any(str(folder) in problem.where for folder in folders for problem in report.problems)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_counts_find_the_window_that_lacks_a_record(tmp_path: Path, file_format: str) -> None:
    with sandbox_and_client(transactions=3000, late_share=0.9, late_seconds=7200) as (sandbox, client):
        requested = hours_of(sandbox, start=6, until=-1)
        requested = type(requested)(requested.start, sandbox.now.replace(microsecond=0) - timedelta(minutes=10), requested.how)
        before = put(client, tmp_path, "orders", hours_of(sandbox, start=30, until=6), file_format)
        folder = put(client, tmp_path, "orders", requested, file_format)
        sandbox.advance(seconds=2 * 86_400)
        report = against(sandbox, tmp_path)
    assert [problem.where for problem in report.problems] == [str(folder)]
    assert "more than are stored" in report.problems[0].what
    assert str(before) not in str(report.problems)


def test_snapshots_are_not_compared(tmp_path: Path) -> None:
    with sandbox_and_client() as (sandbox, client):
        put(client, tmp_path, "prices")
        report = against(sandbox, tmp_path)
    assert report.is_fine
    assert "present state: 1 snapshot" in report.notes[0].what


def test_another_nexus_is_not_compared(tmp_path: Path) -> None:
    with sandbox_and_client() as (sandbox, _), sandbox_and_client(seed=8) as (other, _):
        fill(sandbox, tmp_path, "orders", "jsonl")
        with pytest.raises(NexusConfigurationError, match="was read from"):
            against(other, tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = sa.create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    yield made
    made.dispose()


def load(
    sandbox: Sandbox, engine: sa.Engine, name: str, windows: list[RequestedWindow] | None = None, max_rejected: int = 0
) -> SqlCopy:
    client, entry = client_of(sandbox), get_resource(name)
    where = client.session.environment
    copy = SqlCopy(engine, "copied", Table(entry), environment=where.name, base_url=where.base_url)
    for requested in windows or [hours_of(sandbox, start=start, until=start - 12) for start in (36, 24, 12)]:
        request = SyncRequest(resource=entry, requested=requested)
        SyncJob(client, request, Loader(copy, max_rejected)).run()
    client.session.close()
    return open_table(engine, "copied")


@pytest.mark.parametrize("name", ["broker_transactions", "orders"])
def test_a_table_is_verified_and_compared(engine: sa.Engine, name: str) -> None:
    with sandbox_and_client() as (sandbox, client):
        stored = load(sandbox, engine, name)
        assert stored.resource.name == name
        report = verify_table(stored).plus(table_against_nexus(stored, client))
        assert report.problems == ()
        assert (report.windows, report.calls > 0) == (3, True)
        key = "SELECT MIN(_key) FROM copied"
        with engine.begin() as connection:
            connection.execute(sa.text(f"DELETE FROM copied WHERE _key = ({key})"))
        assert ["but" in problem.what for problem in verify_table(stored).problems] == [True]
        assert len(table_against_nexus(stored, client).problems) == 1


def test_a_record_just_after_a_table_is_no_difference(engine: sa.Engine) -> None:
    """The server counts it with the window, as it includes the upper bound."""
    with sandbox_and_client(tie_seconds=60, until_inclusive=True) as (sandbox, client):
        whole = hours_of(sandbox, start=36, until=0)
        records = [json.loads(raw) for raw in sandbox.truth("broker_transactions", whole.start, whole.end)]
        stamp = datetime.fromisoformat(sorted(record["created"] for record in records)[-10])
        stored = load(sandbox, engine, "broker_transactions", [RequestedWindow(whole.start, stamp, "arguments")])
        assert table_against_nexus(stored, client).problems == ()


def test_totals_are_compared_of_windows_beside_one_with_rejected_records(engine: sa.Engine) -> None:
    with sandbox_and_client(misfit_share=0.5, misfits=("amount",)) as (sandbox, client):
        load(sandbox, engine, "broker_transactions", [hours_of(sandbox, start=36, until=24)], max_rejected=1000)
        sandbox.configure(misfit_share=0)
        stored = load(sandbox, engine, "broker_transactions", [hours_of(sandbox, start=24, until=0)])
        assert verify_table(stored).records > 0
        assert table_against_nexus(stored, client).problems == ()
        with engine.begin() as connection:
            assert connection.execute(sa.text("SELECT COUNT(*) FROM nexus_rejected")).scalar_one() > 0
            latest = "SELECT MAX(created) FROM copied"
            connection.execute(sa.text(f"UPDATE copied SET status = 'ODD' WHERE created = ({latest})"))
        (problem,) = table_against_nexus(stored, client).problems
        assert "counts or sums" in problem.what


def test_a_table_that_no_sync_has_made(engine: sa.Engine) -> None:
    with pytest.raises(NexusConfigurationError, match="is no table that a sync has made"):
        open_table(engine, "copied")
    with pytest.raises(NexusConfigurationError, match="no name for a table"):
        open_table(engine, "a b")
