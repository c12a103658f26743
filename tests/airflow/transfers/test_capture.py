"""Copies that are kept true day after day, by real runs: in files and in a table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, Asset, BaseOperator, ObjectStoragePath

from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers._memory import BESIDE, ROOM
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import files_dag, in_files, in_table, parquet_rows, query, sql_connection, sql_dag, truth

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
LAG = timedelta(minutes=5)
FIRST = {"window_start": "2026-05-20"}
CAPTURE: dict[str, Any] = {"resource": "broker_transactions", "capture": "changes"}
has_store = pytest.mark.skipif(not HAS_TASK_STATE, reason="assets have a state store from Airflow 3.3 on")


@contextmanager
def living(**settings: Any) -> Iterator[Sandbox]:
    """A sandbox whose records go on changing for weeks, at a time that stands still."""
    given = {"customers": 20, "transactions": 200, "days": 10, "arrivals_per_hour": 5, **settings}
    with Sandbox(lives="long", amounts="awkward", clock_speed=0, now=NOW, **given) as sandbox, connection(sandbox):
        yield sandbox


def run_days(sandbox: Sandbox, dag: DAG, copied: Callable[[], dict[str, str]]) -> list[dict[str, Any]]:
    """A first run and two more, a day apart, each of which must leave the copy as Nexus is."""
    runs = [run_dag(dag, run_conf=FIRST)]
    resource = str(getattr(dag.get_task("sync"), "resource", ""))
    assert copied() == truth(sandbox, resource, None, sandbox.now - LAG)
    for _ in range(2):
        sandbox.advance(86_400)
        runs.append(run_dag(dag))
        assert copied() == truth(sandbox, resource, None, sandbox.now - LAG)
    return [xcom_of(run, "sync") for run in runs]


@pytest.mark.parametrize("outlets", [[], [Asset("capture_files")]])
def test_files_are_kept_true(tmp_path: Path, outlets: list[Asset]) -> None:
    collection = tmp_path / "sandbox" / "broker_transactions"
    with living() as sandbox:
        dag = files_dag(f"capture_files_{len(outlets)}", tmp_path, **CAPTURE, outlets=outlets)
        summaries = run_days(sandbox, dag, lambda: in_files(collection))
        assert state_of(run_dag(dag), "sync") == "skipped", "nothing is settled that is new"
    assert all(summary["updated"] > 0 for summary in summaries[1:])
    assert all(set(summary["feeds"]) >= {"created", "open"} for summary in summaries[1:])
    assert max(len(json.dumps(summary)) for summary in summaries) < 2_000
    beside = {path.name for path in collection.iterdir() if path.is_file()}
    assert beside == (set() if outlets and HAS_TASK_STATE else {"_watermark.json", "_unsettled.json"})


def test_a_table_is_kept_true(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    engine = sa.create_engine(url)
    with living() as sandbox, sql_connection(url):
        dag = sql_dag("capture_table", **CAPTURE, table="deals", outlets=[Asset("capture_table")])
        summaries = run_days(sandbox, dag, lambda: in_table(engine, "deals"))
    assert all(summary["updated"] > 0 for summary in summaries[1:])
    assert {row[0] for row in query(engine, "SELECT feed FROM nexus_manifest")} == {"created", "open", "reread"}


def test_resources_without_totals_are_captured_too(tmp_path: Path) -> None:
    with living() as sandbox:
        dag = files_dag("capture_orders", tmp_path, **(CAPTURE | {"resource": "orders"}), rereads=9)
        summaries = run_days(sandbox, dag, lambda: in_files(tmp_path / "sandbox" / "orders"))
    assert all(set(summary["feeds"]) >= {"created", "finished"} for summary in summaries[1:])


def test_a_history_of_files_holds_every_version(tmp_path: Path) -> None:
    collection = tmp_path / "sandbox" / "broker_transactions"
    with living() as sandbox:
        summaries = run_days(
            sandbox, files_dag("capture_history", tmp_path, **CAPTURE, history=True), lambda: in_files(collection)
        )
        now = {row["_key"]: row["_content"] for row in parquet_rows(collection)}
    versions = parquet_rows(collection / "_readings")
    assert len(versions) == sum(summary["inserted"] + summary["updated"] + summary["deleted"] for summary in summaries)
    latest = {row["_key"]: row["_content"] for row in sorted(versions, key=lambda row: row["_read_at"])}
    assert {key: latest[key] for key in now} == now


@has_store
def test_more_unsettled_records_than_the_store_takes_lie_beside_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Airflow warns of values above 64 kB and its REST API refuses them."""
    monkeypatch.setattr("airflow_provider_nexus.transfers._memory.ROOM", 200)
    collection, asset = tmp_path / "sandbox" / "broker_transactions", Asset("capture_many")
    where = hashlib.sha256(str(ObjectStoragePath(collection.as_uri())).encode()).hexdigest()[:16]
    key = f"nexus.unsettled.sandbox.broker_transactions.{where}"
    with living() as sandbox:
        dag = files_dag("capture_many", tmp_path, **CAPTURE, outlets=[asset])
        run_days(sandbox, dag, lambda: in_files(collection))
        assert kept_for(asset, key) == BESIDE
        beside = json.loads((collection / "_unsettled.json").read_bytes())
        assert beside
        monkeypatch.undo()
        sandbox.advance(86_400)
        with connection(sandbox):
            assert run_dag(dag).state == "success"
        assert in_files(collection) == truth(sandbox, "broker_transactions", None, sandbox.now - LAG)
        assert isinstance(kept_for(asset, key), dict)
    assert "max_value_storage_bytes" not in "".join(capfd.readouterr())


@has_store
def test_what_fits_the_store_never_makes_airflow_warn(capfd: pytest.CaptureFixture[str]) -> None:
    asset = Asset("capture_room")
    codes = {f"BT2026060100{number:07}": "2026-06-01T00:00:00Z SellConfirmed" for number in range(ROOM // 65)}
    with DAG("capture_room", schedule=None) as dag:
        KeepOperator(task_id="sync", kept=codes, asset=asset, outlets=[asset])
    assert 0.9 * ROOM < len(json.dumps(codes, separators=(",", ":"))) <= ROOM
    assert run_dag(dag).state == "success"
    assert kept_for(asset, "kept") == codes
    assert "max_value_storage_bytes" not in "".join(capfd.readouterr())


class KeepOperator(BaseOperator):
    """Puts something into its asset's state store."""

    def __init__(self, *, kept: Any, asset: Asset, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kept, self.asset = kept, asset

    def execute(self, context: Any) -> None:
        context["asset_state_store"][self.asset].set("kept", self.kept)


class LookOperator(BaseOperator):
    """Returns what its asset's state store holds."""

    def __init__(self, *, key: str, asset: Asset, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key, self.asset = key, asset

    def execute(self, context: Any) -> Any:
        return context["asset_state_store"][self.asset].get(self.key)


def kept_for(asset: Asset, key: str) -> Any:
    """What the state store of an asset holds."""
    with DAG(f"look_{asset.name}", schedule=None) as dag:
        LookOperator(task_id="look", key=key, asset=asset, inlets=[asset])
    return xcom_of(run_dag(dag), "look")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"file_format": "jsonl", "capture": "changes"}, "use file_format='parquet'"),
        ({"file_format": "jsonl", "history": True}, "a history is stored in typed rows"),
        ({"capture": "change"}, "capture is 'change'"),
    ],
)
def test_what_can_not_be_combined_is_named_at_once(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words):
        files_dag("capture_never", tmp_path, **options)


@pytest.mark.parametrize("resource", ["balances", "customer_persons"])
def test_what_has_no_window_can_not_be_captured(tmp_path: Path, resource: str) -> None:
    with pytest.raises(NexusConfigurationError, match=f"{resource}: changes can be captured of records that have a window"):
        files_dag(f"capture_{resource}", tmp_path, resource=resource, capture="changes")


@pytest.mark.parametrize("resource", ["balances", "customer_persons"])
def test_snapshots_and_children_are_parquet_files(tmp_path: Path, resource: str) -> None:
    with living(customers=20, transactions=20) as sandbox:
        summary = xcom_of(run_dag(files_dag(f"parquet_{resource}", tmp_path, resource=resource)), "sync")
        assert summary["records"] > 1
        parents = [json.loads(raw)["customerCode"] for raw in sandbox.truth("customers")]
        served = [
            raw for code in (parents if resource == "customer_persons" else [""]) for raw in sandbox.truth(resource, parent=code)
        ]
        assert len(in_files(tmp_path / "sandbox" / resource)) == len(served) == summary["records"]


def test_a_window_of_parquet_files_is_replaced_as_a_whole(tmp_path: Path) -> None:
    window = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
    collection = tmp_path / "sandbox" / "broker_transactions"
    with living() as sandbox:
        dag = files_dag("parquet_window", tmp_path, resource="broker_transactions", **window)
        assert xcom_of(run_dag(dag), "sync")["changed"] is True
        assert xcom_of(run_dag(dag), "sync")["changed"] is False
        sandbox.advance(86_400)
        assert xcom_of(run_dag(dag), "sync")["updated"] > 0
        span = datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
        assert in_files(collection) == truth(sandbox, "broker_transactions", *span)
    assert {path.name for path in collection.iterdir() if path.is_file()} == {"_watermark.json"}
