"""Transfers whose arguments are not as they look: mapped over resources or windows, misspelt, given to what can't follow."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusUnknownResourceError
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from airflow_provider_nexus.verify.files import verify
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag

TABLE: dict[str, Any] = {"sql_conn_id": "warehouse", "table": "t"}
NOW = datetime(2026, 6, 10, tzinfo=UTC)
RESOURCES = ["orders", "transactions", "transfers"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with (
        Sandbox(customers=12, transactions=120, days=5, arrivals_per_hour=4, now=NOW, clock_speed=0) as running,
        connection(running),
    ):
        yield running


def windows(path: Path) -> list[tuple[str, str]]:
    """The windows that lie under a path, by resource."""
    return sorted((each.parent.parent.name, each.parent.name) for each in path.rglob("_manifest.json"))


def keys(path: Path, resource: str) -> list[str]:
    """The keys of all records that lie there, as often as they do."""
    lines = [line for each in path.rglob(f"{resource}/*/*.jsonl.gz") for line in gzip.decompress(each.read_bytes()).splitlines()]
    name = get_resource(resource).key[0]
    return [json.loads(line)[name] for line in lines]


@pytest.mark.parametrize("has_asset", [False, pytest.param(True, marks=pytest.mark.skipif(not HAS_TASK_STATE, reason="3.3 on"))])
def test_mapped_over_resources_each_moves_its_own_watermark(sandbox: Sandbox, tmp_path: Path, has_asset: bool) -> None:
    """Windows from a watermark that stood still were read again from the start each day, all of them proved."""
    outlets = [Asset(f"mapped_{has_asset}")] if has_asset else []
    with DAG(f"over_resources_{has_asset}", schedule=None) as dag:
        NexusToObjectStorageOperator.partial(task_id="sync", path=str(tmp_path), outlets=outlets).expand(resource=RESOURCES)
    assert run_dag(dag, run_conf={"window_start": "2026-06-01"}).state == "success"
    for _ in range(3):
        sandbox.advance(86_400)
        assert run_dag(dag).state == "success"
    edges = [f"202606{day:02}T235500Z" for day in (9, 10, 11, 12)]
    expected = [f"{start}-{end}" for start, end in zip(["20260601T000000Z", *edges], edges, strict=False)]
    assert windows(tmp_path) == [(resource, window) for resource in RESOURCES for window in expected]
    for resource in ("orders", "transactions"):
        found = keys(tmp_path, resource)
        assert len(found) == len(set(found)) == len(sandbox.truth(resource, None, sandbox.now - timedelta(minutes=5)))


def test_mapped_over_windows_leaves_the_watermark(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with DAG("over_windows", schedule=None) as dag:
        plan = NexusPlanWindowsOperator(
            task_id="plan", resource="transactions", window_start="2026-06-05", window_end="2026-06-09", max_windows=4
        )
        sync = NexusToObjectStorageOperator.partial(task_id="sync", resource="transactions", path=str(tmp_path))
        sync.expand_kwargs(plan.output)
    assert run_dag(dag).state == "success"
    assert not list(tmp_path.rglob("_watermark.json"))
    assert windows(tmp_path)
    assert "the watermark is not moved: this task is mapped" in "".join(capfd.readouterr())


def test_mapped_over_parents_each_keeps_its_children(sandbox: Sandbox, tmp_path: Path) -> None:
    """All in one second and under one path: a folder that is named by the second alone would hold those of the last task."""
    codes = [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")][:4]
    with DAG("over_parents", schedule=None) as dag:
        sync = NexusToObjectStorageOperator.partial(task_id="sync", resource="customer_persons", path=str(tmp_path))
        sync.expand(parent=codes)
    assert run_dag(dag).state == run_dag(dag).state == "success"
    manifests = [json.loads(each.read_bytes()) for each in tmp_path.rglob("_manifest.json")]
    assert len(manifests) == len(codes)
    assert sum(each["records"] for each in manifests) == sum(
        len(sandbox.truth("customer_persons", parent=code)) for code in codes
    )
    report = verify(tmp_path)
    assert (report.is_fine, report.windows) == (True, len(codes))


def test_two_tasks_with_one_asset_go_on_from_their_own_ends(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second would skip what only the first has, if both went by one watermark."""
    asset = Asset("shared")
    with DAG("first_of_two", schedule=None) as first:
        NexusToObjectStorageOperator(task_id="sync", resource="orders", path=str(tmp_path / "a"), outlets=[asset])
    with DAG("second_of_two", schedule=None) as second:
        NexusToObjectStorageOperator(task_id="sync", resource="orders", path=str(tmp_path / "b"), outlets=[asset])
    conf = {"window_start": "2026-06-01"}
    assert run_dag(first, run_conf=conf).state == run_dag(second, run_conf=conf).state == "success"
    sandbox.advance(86_400)
    assert run_dag(first).state == run_dag(second).state == "success"
    assert sorted(keys(tmp_path / "a", "orders")) == sorted(keys(tmp_path / "b", "orders"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resource": "customers", "protect": {"emial": "drop"}}, "did you mean 'email'"),
        ({"resource": "customers", "protect": "email"}, "protect is 'email', a str: give a dictionary"),
        ({"resource": "customers", "protect": {"email": "delete"}}, "give one of keep, hash, mask, drop"),
        ({"resource": "customers", "personal": "remove"}, "give one of keep, hash, mask, drop"),
        ({"resource": "orders", "parent": ["C1"]}, "there can be no parent"),
        ({"resource": "balances", "capture": "changes"}, "changes can be captured of records that have a window"),
        ({"resource": "orders", "settle_lag": "5m"}, "settle_lag is '5m': give a timedelta or seconds"),
        ({"resource": "orders", "settle_lag": -1}, "settle_lag is -1"),
        ({"resource": "orders", "page_size": 0}, "page_size is 0"),
        ({"resource": "orders", "max_rejected": 1.5}, "max_rejected is 1.5"),
        ({"resource": "orders", "rereads": -1}, "rereads is -1"),
        ({"resource": "orders", "contract": "strict"}, "contract is 'strict': give one of report, freeze, allow_new_fields"),
    ],
)
@pytest.mark.parametrize("kind", ["files", "table"])
def test_arguments_that_can_not_be_followed_are_refused_by_the_parser(kind: str, arguments: dict[str, Any], said: str) -> None:
    files: dict[str, Any] = {"path": "/data", "file_format": "parquet"}
    made = partial(NexusToObjectStorageOperator, **files) if kind == "files" else partial(NexusToSqlOperator, **TABLE)
    with pytest.raises(NexusConfigurationError, match=said):
        made(task_id="t", **arguments)


def test_a_resource_that_there_is_not_is_refused_by_the_parser() -> None:
    with pytest.raises(NexusUnknownResourceError, match="order"):
        NexusToObjectStorageOperator(task_id="t", resource="order", path="/data")


@pytest.mark.parametrize("lag", [0, 300, 300.0, timedelta(minutes=5)])
def test_the_settle_lag_is_seconds_or_a_span(sandbox: Sandbox, tmp_path: Path, lag: Any) -> None:
    with DAG("lags", schedule=None) as dag:
        NexusToObjectStorageOperator(
            task_id="t", resource="orders", path=str(tmp_path), window_start="2026-06-01", settle_lag=lag
        )
    assert run_dag(dag).state == "success"
    assert windows(tmp_path) == [("orders", f"20260601T000000Z-{'20260610T000000Z' if lag == 0 else '20260609T235500Z'}")]
