from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.io import attach
from airflow.timetables.interval import CronDataIntervalTimetable
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import CANARY, connection
from tests.airflow.running import asset_events_of, run_dag, state_of, xcom_of, xcom_texts

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
ASSET = Asset("nexus_orders_for_tests")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with (
        Sandbox(customers=30, transactions=400, days=3, clock_speed=0, now=NOW, amounts="awkward") as running,
        connection(running),
    ):
        yield running


def dag_of(dag_id: str, path: Path, *, schedule: Any = None, **options: Any) -> DAG:
    with DAG(dag_id, schedule=schedule, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:
        NexusToObjectStorageOperator(task_id="sync", path=path.as_uri(), **{"resource": "orders", **options})
    return dag


def read(summary: dict[str, Any]) -> list[bytes]:
    folder = Path(summary["path"].removeprefix("file://"))
    manifest = json.loads((folder / "_manifest.json").read_bytes())
    return [line for file in manifest["files"] for line in gzip.decompress((folder / file["name"]).read_bytes()).splitlines()]


def test_a_data_interval_is_synced_and_told(sandbox: Sandbox, tmp_path: Path) -> None:
    dag = dag_of("interval", tmp_path, schedule=CronDataIntervalTimetable("@daily", timezone="UTC"), outlets=[ASSET])
    run = run_dag(dag, logical_date=datetime(2026, 6, 2, tzinfo=UTC))
    summary = xcom_of(run, "sync")
    start, end = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)
    assert (summary["window_start"], summary["window_end"]) == ("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z")
    assert sorted(read(summary)) == sorted(sandbox.truth("orders", start, end))
    ((uri, extra),) = asset_events_of(run)
    assert (uri, extra["verdict"], extra["records"]) == ("nexus_orders_for_tests", "proved", summary["records"])
    assert len(json.dumps(summary)) < 2_000


@pytest.mark.parametrize(
    ("options", "conf"),
    [
        ({"window_start": "2026-05-31", "window_end": "{{ '2026-06-01T00:00:00Z' }}"}, {}),
        ({}, {"window_start": "2026-05-31T00:00:00Z", "window_end": "2026-06-01T00:00:00+00:00"}),
    ],
)
def test_windows_from_arguments_and_params(
    sandbox: Sandbox, tmp_path: Path, options: dict[str, Any], conf: dict[str, Any]
) -> None:
    dag = dag_of(f"given_{len(conf)}", tmp_path, **options)
    summary = xcom_of(run_dag(dag, run_conf=conf), "sync")
    assert (summary["window_start"], summary["window_end"]) == ("2026-05-31T00:00:00Z", "2026-06-01T00:00:00Z")
    assert summary["records"] > 10


def test_the_watermark_goes_on_where_the_last_run_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    first = dag_of("first", tmp_path, window_start="2026-05-31", window_end="2026-06-01", outlets=[Asset("nexus_mark")])
    assert run_dag(first).state == "success"
    then = dag_of("then", tmp_path, outlets=[Asset("nexus_mark")])
    summary = xcom_of(run_dag(then), "sync")
    assert (summary["window_start"], summary["window_end"]) == ("2026-06-01T00:00:00Z", "2026-06-02T00:25:00Z")
    again = run_dag(then)
    assert state_of(again, "sync") == "skipped"


def test_without_an_asset_the_watermark_lies_beside_the_data(sandbox: Sandbox, tmp_path: Path) -> None:
    run_dag(dag_of("beside", tmp_path, window_start="2026-05-31", window_end="2026-06-01"))
    stored = json.loads((tmp_path / "sandbox" / "orders" / "_watermark.json").read_bytes())
    assert stored == {"watermark": "2026-06-01T00:00:00Z"}


FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "no form": ({}, "Give window_start (and window_end, else up to now) as an argument of the operator or as a param of the run"),
    "of one field": ({"window_start": None}, "Trigger the DAG again with its param window_start filled in"),
    "of both": (
        {"window_start": None, "window_end": None},
        "Trigger the DAG again with its param window_start (and window_end, else up to now) filled in",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_no_window_at_all_says_what_to_do_and_fails_at_once(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    params, said = FORMS[name]
    dag = dag_of("no_window", tmp_path, params=params, retries=2, retry_delay=timedelta(0))
    run = run_dag(dag)
    (instance,) = run.get_task_instances()
    assert (run.state, instance.try_number) == ("failed", 1)
    assert said in "".join(capfd.readouterr())


def test_a_snapshot_has_no_window(sandbox: Sandbox, tmp_path: Path) -> None:
    summary = xcom_of(run_dag(dag_of("snapshot", tmp_path, resource="balances")), "sync")
    assert (summary["window_start"], summary["verdict"]) == (None, "proved")
    assert sorted(read(summary)) == sorted(sandbox.truth("balances"))
    assert run_dag(dag_of("snapshot_window", tmp_path, resource="balances", window_start="2026-01-01")).state == "failed"


def test_unproved_fails_unless_it_may(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.configure(total_error=1)
    try:
        window = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
        strict = run_dag(dag_of("strict", tmp_path, **window, outlets=[ASSET]))
        assert strict.state == "failed"
        assert asset_events_of(strict) == []
        assert list(tmp_path.rglob("*")) == []
        lenient = run_dag(dag_of("lenient", tmp_path, **window, strict=False))
        assert xcom_of(lenient, "sync")["verdict"] == "unproved"
    finally:
        sandbox.configure(total_error=0)


def test_a_store_that_is_not_this_machines_files(sandbox: Sandbox) -> None:
    files = MemoryFileSystem()
    attach(protocol="memory", fs=files)
    with DAG("memory", schedule=None) as dag:
        NexusToObjectStorageOperator(
            task_id="sync", resource="orders", path="memory://bucket/nexus", window_start="2026-05-31", window_end="2026-06-01"
        )
    summary = xcom_of(run_dag(dag), "sync")
    assert summary["path"].startswith("memory://")
    folder = summary["path"].removeprefix("memory://")
    manifest = json.loads(files.cat_file(f"{folder}/_manifest.json"))
    data = b"".join(gzip.decompress(files.cat_file(f"{folder}/{file['name']}")) for file in manifest["files"])
    window = (datetime(2026, 5, 31, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
    assert sorted(data.splitlines()) == sorted(sandbox.truth("orders", *window))
    assert xcom_of(run_dag(dag), "sync")["changed"] is False


@pytest.mark.parametrize(("options", "words"), [({"file_format": "csv"}, "jsonl"), ({"page_size": 0}, "page_size")])
def test_wrong_arguments_are_named_at_once(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(NexusConfigurationError, match=words):
        NexusToObjectStorageOperator(task_id="sync", resource="orders", path=tmp_path.as_uri(), **options)


def test_the_token_is_seen_nowhere(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In no log, error, XCom or file, when all goes well and when it does not."""
    sandbox.configure(roles={CANARY: frozenset({"read"})})
    window = {"window_start": "2026-05-31", "window_end": "2026-06-01"}
    runs = []
    try:
        with connection(sandbox, password=CANARY):
            runs.append(run_dag(dag_of("canary", tmp_path, **window)))
            sandbox.configure(roles={})
            runs.append(run_dag(dag_of("canary_401", tmp_path / "x", **window)))
        with connection(sandbox, password=CANARY, host="http://127.0.0.1:9"):
            runs.append(run_dag(dag_of("canary_refused", tmp_path / "y", **window)))
    finally:
        sandbox.configure(roles={})
    assert [run.state for run in runs] == ["success", "failed", "failed"]
    said = "".join(capfd.readouterr())
    assert "NexusAuthenticationError" in said, "the log that is searched must be the one that errors are in"
    assert CANARY not in said
    assert not [text for run in runs for text in xcom_texts(run) if CANARY in text]
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert CANARY.encode() not in file.read_bytes()
        assert CANARY.encode() not in (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else b"")


def test_the_log_ends_with_the_verdict_and_folds_the_rest(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = run_dag(dag_of("folded", tmp_path, window_start="2026-05-31", window_end="2026-06-01"))
    before, mark, rest = "".join(capfd.readouterr()).partition("::group::Summary")
    folded, end, _ = rest.partition("::endgroup::")
    assert mark
    assert end
    assert "orders: proved, " in before
    assert f"key_digest: {xcom_of(run, 'sync')['key_digest']}" in folded
