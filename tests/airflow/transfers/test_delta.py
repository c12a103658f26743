"""Delta tables by real runs: kept true, compacted, on a local disk and in a store that imitates S3; and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.connection import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.hooks._stores import azure_options, delta_options, gcs_options, s3_options
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.operators.lakehouse import NexusCompactOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.airflow.transfers.copies import files_dag, truth
from tests.airflow.transfers.test_capture import CAPTURE, LAG, living, run_days
from tests.object_store import object_store

DELTA: dict[str, Any] = {**CAPTURE, "file_format": "delta"}


def held(folder: Any, options: dict[str, str] | None = None) -> dict[str, str]:
    """Contents by key; fails where the table is not as its books say."""
    copy = open_table(folder, options)
    assert copy.check().problems == ()
    return {row[0]: row[3] for row in copy.current()}


@pytest.mark.parametrize("history", [False, True], ids=["current", "history"])
def test_a_table_is_kept_true(tmp_path: Path, history: bool) -> None:
    folder = tmp_path / "sandbox" / "broker_transactions"
    with living() as sandbox:
        dag = files_dag(f"delta_{history}", tmp_path, **DELTA, history=history, partition_by="day")
        summaries = run_days(sandbox, dag, lambda: held(folder))
        assert state_of(run_dag(dag), "sync") == "skipped", "nothing is settled that is new"
    assert all(summary["updated"] > 0 for summary in summaries[1:])
    assert summaries[-1]["path"] == folder.as_uri()


def test_a_snapshot_becomes_what_it_is_now(tmp_path: Path) -> None:
    with living() as sandbox:
        dag = files_dag("delta_snapshot", tmp_path, resource="payment_methods", file_format="delta")
        for _ in range(2):
            run = run_dag(dag)
            assert state_of(run, "sync") == "success"
            assert held(tmp_path / "sandbox" / "payment_methods") == truth(sandbox, "payment_methods")
        assert not xcom_of(run, "sync")["changed"]


def test_it_is_compacted_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox" / "broker_transactions"
    with living() as sandbox:
        dag = files_dag("delta_compacted", tmp_path, **DELTA, partition_by="month")
        run_days(sandbox, dag, lambda: held(folder))
        before, loads = held(folder), open_table(folder).books()
        old = time.time() - timedelta(days=400).total_seconds()
        orphan = folder / "_nexus" / "manifests" / f"{'0' * 64}.json"
        orphan.write_text("{}")
        for path in folder.rglob("*.json"):
            os.utime(path, (old, old))
        with DAG("delta_compact", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as compaction:
            NexusCompactOperator(task_id="compact", resource="broker_transactions", path=tmp_path.as_uri())
        run = run_dag(compaction)
        done = xcom_of(run, "compact")
        assert done["merged"] > done["made"] >= 1
        assert done["orphans"] >= 1
        assert not orphan.exists()
        assert held(folder) == before
        assert open_table(folder).books() == loads
        sandbox.advance(86_400)
        run_dag(dag)
        assert held(folder) == truth(sandbox, "broker_transactions", None, sandbox.now - LAG)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "partitions of files": ({"file_format": "parquet", "partition_by": "day"}, "only a Delta table has partitions"),
    "partitions by year": ({"file_format": "delta", "partition_by": "year"}, "partition_by"),
    "another format": ({"file_format": "iceberg"}, "file_format"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arguments_that_can_not_be_are_refused(what: str) -> None:
    arguments, text = REFUSED[what]
    with pytest.raises(NexusConfigurationError, match=text):
        NexusToObjectStorageOperator(task_id="t", resource="orders", path="/tmp/x", **arguments)


@pytest.mark.parametrize("retention", ["7 days", None, True, -1])
def test_what_is_no_retention_is_refused(retention: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=r"^retention is "):
        NexusCompactOperator(task_id="t", resource="orders", path="/tmp/x", retention=retention)


def test_a_short_retention_is_refused() -> None:
    with pytest.raises(NexusConfigurationError, match="seven days at least"):
        NexusCompactOperator(task_id="t", resource="orders", path="/tmp/x", retention=timedelta(days=6))


@pytest.mark.parametrize("first", ["jsonl", "parquet", "delta"])
@pytest.mark.parametrize("second", ["jsonl", "parquet", "delta"])
def test_a_folder_has_one_kind(tmp_path: Path, first: str, second: str) -> None:
    if "delta" not in (first, second) or first == second:
        pytest.skip("files of windows are compared by their manifests")
    window = {"window_start": "2026-05-30", "window_end": "2026-05-31"}
    with living():
        assert run_dag(files_dag(f"kind_{first}", tmp_path, **window, file_format=first)).state == "success"
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert run_dag(files_dag(f"kind_{first}_{second}", tmp_path, **window, file_format=second)).state == "failed"
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_the_extra_it_is_said() -> None:
    code = (
        "import sys; sys.modules['deltalake'] = None\n"
        "from airflow_provider_nexus.load.delta.library import load_library\n"
        "from airflow_provider_nexus.exceptions import NexusConfigurationError\n"
        "try: load_library()\n"
        "except NexusConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "airflow-provider-nexus[lakehouse]" in done.stdout


def test_a_table_in_an_object_store_is_kept_true() -> None:
    with object_store("lake"), living() as sandbox:
        root = opened("path", "s3://lake/nexus", "lake")
        folder = root / "sandbox" / "broker_transactions"
        options = delta_options(folder)
        assert options["aws_conditional_put"] == "etag"
        with DAG("delta_s3", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            NexusToObjectStorageOperator(task_id="sync", path="s3://lake/nexus", storage_conn_id="lake", **DELTA)
        run_days(sandbox, dag, lambda: held(folder, options))
        with DAG("delta_s3_compact", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as compaction:
            NexusCompactOperator(
                task_id="compact", resource="broker_transactions", path="s3://lake/nexus", storage_conn_id="lake"
            )
        assert run_dag(compaction).state == "success"
        assert held(folder, options) == truth(sandbox, "broker_transactions", None, sandbox.now - LAG)


CONNECTIONS: dict[str, tuple[Any, dict[str, Any], dict[str, str]]] = {
    "s3": (
        s3_options,
        {"conn_type": "aws", "login": "k", "password": "s", "extra": json.dumps({"region_name": "r"})},
        {"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_region": "r", "aws_conditional_put": "etag"},
    ),
    "s3 of another host": (
        s3_options,
        {
            "conn_type": "aws",
            "login": "k",
            "password": "s",
            "extra": json.dumps({"endpoint_url": "http://h:1", "region_name": "r"}),
        },
        {
            "aws_access_key_id": "k",
            "aws_secret_access_key": "s",
            "aws_region": "r",
            "aws_conditional_put": "etag",
            "aws_endpoint_url": "http://h:1",
            "aws_allow_http": "true",
        },
    ),
    "google, key in a file": (gcs_options, {"extra": json.dumps({"key_path": "/k.json"})}, {"google_service_account": "/k.json"}),
    "google, key": (
        gcs_options,
        {"conn_type": "google_cloud_platform", "extra": json.dumps({"extra__google_cloud_platform__keyfile_dict": '{"a": 1}'})},
        {"google_service_account_key": '{"a": 1}'},
    ),
    "google, of the machine": (gcs_options, {}, {}),
    "azure, key": (
        azure_options,
        {"login": "acc", "password": "k"},
        {"azure_storage_account_name": "acc", "azure_storage_account_key": "k"},
    ),
    "azure, connection string": (
        azure_options,
        {"extra": json.dumps({"connection_string": "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5Cg=="})},
        {"azure_storage_account_name": "acc", "azure_storage_account_key": "a2V5Cg=="},
    ),
    "azure, connection string of a signature": (
        azure_options,
        {
            "extra": json.dumps(
                {"connection_string": "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=?sv=1&sig=a%3D;"}
            )
        },
        {
            "azure_storage_account_name": "acc",
            "azure_storage_sas_token": "sv=1&sig=a%3D",
            "azure_storage_endpoint": "https://acc.blob.core.windows.net",
        },
    ),
    "azure, connection string of another cloud": (
        azure_options,
        {"extra": json.dumps({"connection_string": "accountname=acc;AccountKey=k==;EndpointSuffix=core.chinacloudapi.cn"})},
        {
            "azure_storage_account_name": "acc",
            "azure_storage_account_key": "k==",
            "azure_storage_endpoint": "https://acc.blob.core.chinacloudapi.cn",
        },
    ),
    "azure, connection string of this machine": (
        azure_options,
        {
            "extra": json.dumps(
                {
                    "connection_string": "DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=k==;"
                    "BlobEndpoint=http://127.0.0.1:1/acc;QueueEndpoint=http://127.0.0.1:2/acc"
                }
            )
        },
        {
            "azure_storage_account_name": "acc",
            "azure_storage_account_key": "k==",
            "azure_storage_endpoint": "http://127.0.0.1:1/acc",
            "azure_allow_http": "true",
        },
    ),
    "azure, host of another cloud": (
        azure_options,
        {"host": "https://acc.blob.core.chinacloudapi.cn", "extra": json.dumps({"sas_token": "s"})},
        {
            "azure_storage_account_name": "acc",
            "azure_storage_sas_token": "s",
            "azure_storage_endpoint": "https://acc.blob.core.chinacloudapi.cn",
        },
    ),
    "azure, signature": (
        azure_options,
        {"host": "https://acc.blob.core.windows.net", "extra": json.dumps({"sas_token": "s"})},
        {"azure_storage_account_name": "acc", "azure_storage_sas_token": "s"},
    ),
    "azure, client": (
        azure_options,
        {"host": "acc", "login": "c", "password": "s", "extra": json.dumps({"tenant_id": "t"})},
        {
            "azure_storage_account_name": "acc",
            "azure_storage_client_id": "c",
            "azure_storage_client_secret": "s",
            "azure_storage_tenant_id": "t",
        },
    ),
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_connections_in_the_words_of_the_library(name: str) -> None:
    made, stored, wanted = CONNECTIONS[name]
    given = {"conn_type": "other", **stored}
    os.environ["AIRFLOW_CONN_LAKE"] = json.dumps(given | {"extra": json.loads(given.get("extra", "{}"))})
    try:
        assert made(Connection(conn_id="lake", **given)) == wanted
    finally:
        os.environ.pop("AIRFLOW_CONN_LAKE")


@pytest.mark.parametrize("made", [gcs_options, azure_options])
def test_a_field_that_can_not_be_followed_is_refused(made: Any) -> None:
    stored = Connection(conn_id="lake", conn_type="x", extra=json.dumps({"impersonation_chain": "somebody"}))
    with pytest.raises(NexusConfigurationError, match="sets impersonation_chain, which deltalake can't follow"):
        made(stored)


@pytest.mark.parametrize("part", ["UseDevelopmentStorage=true", "DevelopmentStorageProxyUri=http://h", "Nonsense=1"])
def test_a_part_of_a_connection_string_that_can_not_be_followed_is_refused(part: str) -> None:
    text = f"AccountName=acc;AccountKey=k==;{part}"
    stored = Connection(conn_id="lake", conn_type="wasb", extra=json.dumps({"connection_string": text}))
    name = part.partition("=")[0].lower()
    with pytest.raises(NexusConfigurationError, match=f"sets {name} in its connection_string, which deltalake can't follow"):
        azure_options(stored)
