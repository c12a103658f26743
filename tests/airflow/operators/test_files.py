from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES, AirflowFailException
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.operators.files import NexusListFilesOperator
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.extract.serving import client_of
from tests.load.storing import hours_of, put

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
FAILURES = (NexusConfigurationError, AirflowFailException)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of transactions in Parquet."""
    made = tmp_path_factory.mktemp("lake")
    with Sandbox(customers=20, transactions=200, days=3, clock_speed=0, now=NOW) as sandbox:
        for start, until in ((24, 12), (12, 0)):
            put(client_of(sandbox), made, "transactions", hours_of(sandbox, start=start, until=until), "parquet")
    return made


def listing(dag_id: str, root: Path, **arguments: Any) -> DAG:
    with DAG(dag_id, schedule=None, params={"none": None, "until": None}) as dag:
        files = NexusListFilesOperator(task_id="files", **{"path": root.as_uri(), "resource": "transactions", **arguments})

        @task
        def load(part: Any) -> Any:
            return part

        load.expand(part=files.output)
    return dag


def paths(root: Path) -> list[str]:
    return [str(path) for path in sorted(root.rglob("part-*"))]


def test_a_loading_task_is_mapped_over_the_list(root: Path) -> None:
    run = run_dag(listing("mapped_over_files", root))
    assert run.state == "success"
    assert xcom_of(run, "files") == paths(root)


def test_a_load_without_files_is_skipped(root: Path) -> None:
    run = run_dag(listing("no_files", root, changed_since="2100-01-01"))
    assert (state_of(run, "files"), state_of(run, "load"), xcom_of(run, "files")) == ("success", "skipped", [])


def test_templates_are_rendered_and_a_missing_moment_is_no_limit(root: Path) -> None:
    dag = listing(
        "templated_files",
        root,
        resource="{{ 'transactions' }}",
        window_start="{{ params.none }}",
        window_end="{{ params.until }}",
        changed_since="{{ prev_start_date_success }}",
    )
    assert xcom_of(run_dag(dag, run_conf={"until": "2026-06-01T11:00:00Z"}), "files") == paths(root)[:1]


@pytest.mark.parametrize("form", ["list", "json", "snowflake", "databricks"])
def test_a_list_in_a_file_is_handed_on_by_its_path(form: str, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "lists" / "today.txt"
    run = run_dag(listing(f"in_a_file_{form}", root, form=form, output_path=target.as_uri()))
    assert xcom_of(run, "files") == [str(target)]
    text = target.read_text()
    assert text.startswith({"list": "/", "json": "[", "snowflake": "FILES = (", "databricks": "FILES = ("}[form])
    assert text.count("part-00000") == 2
    if form == "list":
        assert text.splitlines() == paths(root)


def test_a_list_that_is_too_long_for_an_xcom_is_refused_or_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_nexus.operators.files.LARGEST_XCOM", 40)
    operator = NexusListFilesOperator(task_id="files", path=root.as_uri(), resource="transactions")
    with pytest.raises(FAILURES, match="give output_path, a file to write it into"):
        operator.execute({})
    target = tmp_path / "list.txt"
    operator = NexusListFilesOperator(task_id="f", path=root.as_uri(), resource="transactions", output_path=str(target))
    assert operator.execute({}) == [str(target)]


def test_the_limit_of_an_xcom_counts_what_is_stored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(json.dumps(paths(root)))
    for limit in (size, size - 1):
        monkeypatch.setattr("airflow_provider_nexus.operators.files.LARGEST_XCOM", limit)
        operator = NexusListFilesOperator(task_id="files", path=root.as_uri(), resource="transactions")
        if limit == size:
            assert operator.execute({}) == paths(root)
        else:
            with pytest.raises(FAILURES):
                operator.execute({})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"form": "csv"}, "form is 'csv': give one of list, json, redshift"),
        ({"form": "{{ params.form }}"}, "Airflow renders no template in it"),
        ({"form": "redshift"}, "give output_path"),
        ({"relative_to": "s3://lake"}, "leave out relative_to"),
        ({"path": "lake"}, "begins at no known folder"),
        ({"path": ""}, "path is empty"),
        ({"resource": "transaction"}, "transactions"),
        ({"changed_since": "yesterday"}, "is no ISO 8601 moment"),
        ({"window_start": "2026-01-02", "window_end": "2026-01-01"}, "not after its start"),
        ({"strict": 1}, "give True or False"),
        ({"output_path": "x.txt"}, "begins at no known folder"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_refused_where_the_dag_is_parsed(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((NexusConfigurationError, NexusWindowError, LookupError), match=said):
        NexusListFilesOperator(task_id="files", **{"path": "s3://lake/nexus", "resource": "transactions", **arguments})


@pytest.mark.parametrize("name", ["path", "resource", "output_path"])
def test_a_place_that_a_template_makes_of_nothing_is_refused(name: str, root: Path) -> None:
    run = run_dag(listing(f"nothing_{name}", root, **{name: "{{ params.none }}"}))
    assert state_of(run, "files") == "failed"


@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow 3.3 on; below, errors are turned into others")
def test_a_local_folder_is_none_of_redshift(root: Path, tmp_path: Path) -> None:
    operator = NexusListFilesOperator(
        task_id="files", path=root.as_uri(), resource="transactions", form="redshift", output_path=str(tmp_path / "m.json")
    )
    with pytest.raises(NexusConfigurationError, match="can't be loaded by Redshift"):
        operator.execute({})
    assert not (tmp_path / "m.json").exists()


def test_the_list_is_of_windows_alone(root: Path) -> None:
    operator = NexusListFilesOperator(task_id="files", path=root.as_uri(), resource="transactions", form="json")
    windows: Any = operator.execute({})
    manifests = [json.loads(path.read_bytes()) for path in sorted(root.rglob(NAME))]
    assert [(each["start"], each["end"]) for each in windows] == [
        (each["window"]["start"], each["window"]["end"]) for each in manifests
    ]
    assert [[file["sha256"] for file in each["files"]] for each in windows] == [
        [file["sha256"] for file in each["files"]] for each in manifests
    ]


def test_the_disk_of_one_worker_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    operator = NexusListFilesOperator(task_id="files", path=root.as_uri(), resource="transactions")
    with pytest.raises(FAILURES, match="a place on this worker's own disk"):
        operator.execute({})
    monkeypatch.setenv("AIRFLOW__NEXUS__SHARED_PATHS", str(root))
    assert operator.execute({}) == paths(root)


def test_a_list_on_the_disk_of_one_worker_is_warned_of(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__NEXUS__SHARED_PATHS", str(root))
    target = str(tmp_path / "list.txt")
    NexusListFilesOperator(task_id="files", path=root.as_uri(), resource="transactions", output_path=target).execute({})
    assert f"output_path is {target}, a place on this worker's own disk" in "".join(capfd.readouterr())


@pytest.mark.parametrize("since", [None, "2100-01-01"])
def test_a_list_does_not_replace_a_manifest(root: Path, since: str | None) -> None:
    manifest = next(root.rglob(NAME))
    before = manifest.read_bytes()
    operator = NexusListFilesOperator(
        task_id="files", path=root.as_uri(), resource="transactions", output_path=str(manifest), changed_since=since
    )
    with pytest.raises(FAILURES, match="lies in the copy itself"):
        operator.execute({})
    assert manifest.read_bytes() == before


def test_an_older_list_does_not_outlive_one_without_files(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "list.txt"
    target.write_text("old\n")
    operator = NexusListFilesOperator(
        task_id="files", path=root.as_uri(), resource="transactions", output_path=str(target), changed_since="2100-01-01"
    )
    assert operator.execute({}) == []
    assert target.read_text() == ""
