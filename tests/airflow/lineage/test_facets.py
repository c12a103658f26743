"""What OpenLineage, Airflow's metrics and its hook lineage are told of a sync, by a real run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.compat import get_hook_lineage_collector, stats
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.lineage.syncs import FITTING, PROVED, file_target
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

pytestmark = pytest.mark.airflow


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(transactions=200, customers=20, days=2, seed=61) as started:
        monkeypatch.setenv("AIRFLOW_CONN_NEXUS_DEFAULT", started.connection_uri)
        yield started


def synced(sandbox: Sandbox, folder: Path, **options: Any) -> NexusToObjectStorageOperator:
    end = sandbox.now - timedelta(hours=1)
    start = end - timedelta(hours=12)
    operator = NexusToObjectStorageOperator(
        task_id="sync", resource="transactions", path=f"file://{folder}", window_start=start, window_end=end, **options
    )
    operator.execute({})
    return operator


@pytest.mark.parametrize("file_format", ["parquet", "delta"])
def test_openlineage_gets_both_ends_the_counts_and_the_verdict(sandbox: Sandbox, tmp_path: Path, file_format: str) -> None:
    operator = synced(sandbox, tmp_path, file_format=file_format)
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert lineage is not None
    (source,), (target,) = lineage.inputs, lineage.outputs
    assert (source.namespace, source.name) == ("nexus://sandbox", "transactions")
    checks = {check.assertion: check.success for check in source.inputFacets["dataQualityAssertions"].assertions}
    assert checks == {PROVED: True, FITTING: True}
    assert (target.namespace, target.name.startswith(str(tmp_path))) == ("file", True)
    assert target.outputFacets["outputStatistics"].rowCount > 20
    kinds = {field.name: field.type for field in target.facets["schema"].fields}
    assert kinds["requested_amounts_crypto_amount"] == "money"
    assert "requestedAmounts.cryptoAmount" in {field.name for field in source.facets["schema"].fields}


def test_an_unproved_window_is_told_as_such(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.configure(total_error=3)
    lineage = synced(sandbox, tmp_path, strict=False).get_openlineage_facets_on_complete(None)
    assert lineage is not None
    checks = {check.assertion: check.success for check in lineage.inputs[0].inputFacets["dataQualityAssertions"].assertions}
    assert checks[PROVED] is False
    assert "transactionCode" in {field.name for field in lineage.outputs[0].facets["schema"].fields}


def test_nothing_is_told_before_a_sync() -> None:
    operator = NexusToObjectStorageOperator(task_id="sync", resource="transactions", path="/x")
    assert operator.get_openlineage_facets_on_complete(None) is None


def test_a_table_is_told_with_its_columns(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{tmp_path}/warehouse.db")
    operator = NexusToSqlOperator(
        task_id="sync", resource="orders", sql_conn_id="warehouse", table="nexus_orders", window_start="2020-01-01"
    )
    operator.execute({})
    lineage = operator.get_openlineage_facets_on_complete(None)
    assert lineage is not None
    (target,) = lineage.outputs
    assert (target.namespace, target.name) == ("sqlite://", f"{tmp_path}/warehouse.db.nexus_orders")
    assert {"order_code", "executed_amount"} <= {field.name for field in target.facets["schema"].fields}


@pytest.mark.parametrize(("table", "name"), [("orders", "dwh.public.orders"), ("nexus.orders", "dwh.nexus.orders")])
def test_a_table_of_postgresql_is_named_as_other_operators_name_it(
    table: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://me:secret@db.example.com/dwh")
    monkeypatch.setattr(PostgresHook, "get_openlineage_default_schema", lambda _: "public")  # else it asks the server
    operator = NexusToSqlOperator(task_id="sync", resource="orders", sql_conn_id="warehouse", table=table)
    assert operator.data_set({"path": table}) == (("postgres://db.example.com:5432", name), True)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("s3://bucket/a/b", ("s3://bucket", "a/b")),
        ("gs://bucket", ("gs://bucket", "/")),
        ("file:///data/x", ("file", "/data/x")),
        ("/data/x", ("file", "/data/x")),
    ],
)
def test_files_are_named_as_openlineage_does(path: str, target: tuple[str, str]) -> None:
    assert file_target(path) == target


def test_metrics_are_counted_by_resource_and_verdict(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(stats, "incr", lambda name, count, tags: sent.update({name: (count, tags)}))
    monkeypatch.setattr(stats, "timing", lambda name, value, tags: sent.update({name: (value, tags)}))
    operator = synced(sandbox, tmp_path)
    tags = {"resource": "transactions", "environment": "sandbox", "verdict": "proved"}
    assert sent["nexus.sync.records"][1] == tags
    assert sent["nexus.sync.records"][0] > 20
    assert sent["nexus.sync.rejected"] == (0, tags)
    assert sent["nexus.sync.calls"][0] > 0
    assert operator._summary
    assert sent["nexus.sync.duration"] == (operator._summary["seconds"] * 1000, tags)


def test_a_hook_tells_what_it_has_read(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # Airflow collects nothing as long as no plugin reads it, so it is given the collector that it would take then
    collector = sys.modules[get_hook_lineage_collector.__module__].HookLineageCollector()
    monkeypatch.setattr("airflow_provider_nexus.hooks.nexus.get_hook_lineage_collector", lambda: collector)
    hook = NexusHook()
    next(hook.iter_records("customers"))
    hook.run("GET", "/paymentmethod", params={"page": 1, "limit": 1})
    hook.run("GET", "/labelpartner")
    collected = {entry.asset.uri for entry in collector.collected_assets.inputs}
    assert collected == {f"nexus://sandbox/{name}" for name in ("customers", "payment_methods", "label_partner")}
