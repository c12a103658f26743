"""Paths that lead nowhere are refused by the name of their argument: when the DAG is parsed, or before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, xcom_of
from tests.load.buckets import BucketFileSystem, bucket_of

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
EARLIER = datetime(2026, 6, 1, 0, 2, tzinfo=UTC)
"""Nothing is settled then after the watermark of a server that was read up to the same day."""
WINDOW = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
PLACES = ("path", "report_path", "staging_path")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=30, transactions=100, days=3, clock_speed=0, now=NOW) as running, connection(running):
        yield running


def operator(tmp_path: Path, name: str, value: Any, **options: Any) -> Any:
    given = {"task_id": "sync", "resource": "orders", **WINDOW, **options, name: value}
    if name == "staging_path":
        return NexusToSqlOperator(**{"sql_conn_id": "warehouse", "table": "orders", **given})
    return NexusToObjectStorageOperator(**{"path": str(tmp_path / "data"), **given})


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("value", ["", " ", "~/x", "data/x", Path("data/x"), "None", "s3://None/x", "/data/None/x", 1e5, True])
def test_when_the_dag_is_parsed(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=f"^{name} is "):
        operator(tmp_path, name, value)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("value", ["{{ '' }}", "{{ none }}", "/data/{{ none }}/x", "{{ '1e5' }}", "{{ 'data' }}/x", "{{ [1] }}"])
def test_when_the_task_runs(
    sandbox: Sandbox, engine: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, value: str, native: bool
) -> None:
    with DAG("places", schedule=None, render_template_as_native_obj=native) as dag:
        operator(tmp_path, name, value)
    assert run_dag(dag).state == "failed"
    said = "".join(capfd.readouterr())
    assert f"NexusConfigurationError: {name} is " in said
    assert "During handling of the above exception" not in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", [str, Path, lambda text: ObjectStoragePath(f"file://{text}")])
def test_paths_of_all_kinds(sandbox: Sandbox, tmp_path: Path, kind: Any) -> None:
    with DAG("kinds", schedule=None) as dag:
        operator(tmp_path, "path", kind(str(tmp_path / "here")), report_path=kind(str(tmp_path / "page.html")))
    assert xcom_of(run_dag(dag), "sync")["verdict"] == "proved"
    assert (tmp_path / "page.html").exists()
    assert list((tmp_path / "here").rglob("_manifest.json"))


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("gopher://x/y", "and its store can't be used"),
        ("gs://lake/y", "and its store can't be used"),
        ("s3://nowhere_at_all@lake/y", "can't be used"),
    ],
)
def test_a_store_that_is_not_there(
    sandbox: Sandbox, engine: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, value: str, words: str
) -> None:
    with DAG("stores", schedule=None) as dag:
        operator(tmp_path, name, value)
    assert run_dag(dag).state == "failed"
    said = "".join(capfd.readouterr())
    assert f"NexusConfigurationError: {name} is " in said
    assert words in said
    assert "During handling of the above exception" not in said


@pytest.mark.parametrize("name", PLACES)
def test_a_bucket_that_was_mistyped(
    sandbox: Sandbox, engine: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    files = BucketFileSystem("lake-prod")
    bucket_of(files)
    with DAG("bucket", schedule=None) as dag:
        operator(tmp_path, name, "s3://laek-prod/nexus/x")
    assert run_dag(dag).state == "failed"
    assert "there is no bucket or container 'laek-prod'" in "".join(capfd.readouterr())
    assert files.buckets == {"lake-prod"}


def test_another_server_is_refused_before_its_watermark_counts(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with DAG("first", schedule=None) as first:
        operator(tmp_path, "path", str(tmp_path / "data"))
    assert run_dag(first).state == "success"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with (
        Sandbox(customers=5, transactions=9, days=3, clock_speed=0, now=EARLIER) as other,
        connection(other, conn_id="nexus_other"),
        DAG("then", schedule=None) as then,
    ):
        operator(tmp_path, "path", str(tmp_path / "data"), window_start=None, window_end=None, nexus_conn_id="nexus_other")
        assert run_dag(then).state == "failed"
    assert "contains another copy: base url" in "".join(capfd.readouterr())
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert os.listdir(tmp_path) == ["data"]  # noqa: PTH208 - nothing beside it
