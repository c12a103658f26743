"""Places on the disk of one worker where tasks run on several machines: warned of, or refused where tasks have to share them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.operators._machines import look_at_place
from airflow_provider_nexus.operators.compliance import NexusScreenCustomersOperator
from airflow_provider_nexus.operators.documents import NexusDownloadOperator, NexusUploadOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag
from tests.airflow.transfers.copies import sql_connection

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
DAYS = [("2026-05-30", "2026-05-31"), ("2026-05-31", "2026-06-01")]
CELERY = "airflow.providers.celery.executors.celery_executor.CeleryExecutor"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=100, days=3, clock_speed=0, now=NOW) as running, connection(running):
        yield running


@pytest.fixture
def celery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")


def said(capfd: pytest.CaptureFixture[str]) -> str:
    return "".join(capfd.readouterr())


def looked_at(capfd: pytest.CaptureFixture[str], place: Any, executor: str | None = None) -> str:
    look_at_place(NexusOperator(task_id="call", endpoint="/prices", executor=executor), "path", place)
    return said(capfd)


EXECUTORS = {
    "LocalExecutor": "",
    "SequentialExecutor": "",
    "airflow.executors.local_executor.LocalExecutor": "",
    "mine:LocalExecutor": "",
    "LocalExecutor,CeleryExecutor": "",
    " LocalExecutor , CeleryExecutor": "",
    "CeleryExecutor": "CeleryExecutor",
    "CeleryExecutor,LocalExecutor": "CeleryExecutor",
    CELERY: "CeleryExecutor",
    f"mine:{CELERY}": "CeleryExecutor",
    "KubernetesExecutor": "KubernetesExecutor",
    "my.company.FleetExecutor": "FleetExecutor",
    "LocalExecutor;team1=CeleryExecutor": "",
    "=LocalExecutor": "",
}


@pytest.mark.parametrize("configured", EXECUTORS)
def test_the_executor_decides(configured: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", configured)
    text, executor = looked_at(capfd, "/data/nexus"), EXECUTORS[configured]
    assert (f"path is /data/nexus, a place on this worker's own disk, and {executor} runs" in text) == bool(executor)
    assert bool(text) == bool(executor)


@pytest.mark.parametrize(
    ("asked", "warned"),
    [
        ("LocalExecutor", False),
        ("here", False),
        ("CeleryExecutor", True),
        ("far", True),
        (CELERY, True),
        ("EdgeExecutor", True),
    ],
)
def test_that_of_the_task_wins(
    asked: str, warned: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for order in ("here:LocalExecutor,far:" + CELERY, f"far:{CELERY},here:LocalExecutor"):
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", order)
        assert bool(looked_at(capfd, "/data/nexus", asked)) == warned


def test_a_team_may_have_an_executor_of_its_own(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor;team1=KubernetesExecutor")
    assert not looked_at(capfd, "/data/nexus")
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    assert "KubernetesExecutor" in looked_at(capfd, "/data/nexus")


@pytest.mark.parametrize("variable", ["AIRFLOW_IS_K8S_EXECUTOR_POD", "AIRFLOW_IS_EXECUTOR_CONTAINER"])
def test_a_container_is_a_machine_whatever_is_configured_in_it(
    variable: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "True")
    assert "gives each task a container" in looked_at(capfd, "/data/nexus")


@pytest.mark.parametrize(
    ("place", "warned"),
    [
        ("/data/nexus", True),
        ("file:///data/nexus", True),
        ("local:///data/nexus", True),
        (Path("/data/nexus"), True),
        ("/mnt/shared/nexus", False),
        ("file:///mnt/shared/nexus", False),
        ("/mnt/shared", False),
        ("/mnt/sharedness", True),
        ("/mnt/shared/../own", True),
        ("/data/../mnt/shared/x", False),
        ("/mnt/also", False),
        ("s3://lake/nexus", False),
        ("memory://nexus", False),
    ],
)
@pytest.mark.usefixtures("celery")
def test_so_do_the_place_and_what_is_shared(
    place: Any, warned: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__NEXUS__SHARED_PATHS", " /mnt/shared/ , file:///mnt/also,")
    assert bool(looked_at(capfd, place)) == warned


@pytest.mark.parametrize("given", ["mnt/shared", "s3://lake", "/mnt/shared,data"])
@pytest.mark.usefixtures("celery")
def test_a_setting_that_is_no_list_of_folders(
    given: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__NEXUS__SHARED_PATHS", given)
    with pytest.raises(NexusConfigurationError, match=r"\[nexus\] shared_paths has '.+' in it: it is a list of folders"):
        looked_at(capfd, "/data/nexus")


def on_a_worker(operator: Any, map_index: int = -1) -> Any:
    """Execute a task as a worker does, not as `dag.test()`."""
    ti = SimpleNamespace(map_index=map_index, try_number=1, xcom_push=lambda **_: None)
    return operator.execute({"ti": ti, "run_id": "a", "dag_run": SimpleNamespace(run_id="a")})


def file_sync(folder: Path, day: tuple[str, str] = DAYS[0], **options: Any) -> NexusToObjectStorageOperator:
    given = {"resource": "orders", "path": str(folder), "window_start": day[0], "window_end": day[1], **options}
    return NexusToObjectStorageOperator(task_id="sync", **given)


@pytest.mark.usefixtures("celery")
def test_a_backfill_on_two_disks_is_refused_on_each(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disks = [tmp_path / "one", tmp_path / "other"]
    for index, (disk, day) in enumerate(zip(disks, DAYS, strict=True)):
        with pytest.raises(NexusConfigurationError, match=r"path is .*, where tasks that are mapped store one copy together"):
            on_a_worker(file_sync(disk, day), index)
        assert not disk.exists(), "nothing is read or stored"
    monkeypatch.setenv("AIRFLOW__NEXUS__SHARED_PATHS", str(tmp_path))
    for index, day in enumerate(DAYS):
        on_a_worker(file_sync(disks[0], day), index)
    assert len(list(disks[0].rglob("_manifest.json"))) == 2


@pytest.mark.usefixtures("celery")
def test_changes_are_refused_and_a_window_by_itself_is_warned_of(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NexusConfigurationError, match="where changes are merged into what earlier runs have stored"):
        on_a_worker(file_sync(tmp_path / "changes", file_format="parquet", capture="changes"))
    assert not (tmp_path / "changes").exists()
    on_a_worker(file_sync(tmp_path / "window", report_path=str(tmp_path / "report.html")))
    warned = said(capfd)
    assert re.search(r"warning +\] path is ", warned)
    assert "report_path is " in warned
    assert (tmp_path / "report.html").is_file()


@pytest.mark.usefixtures("celery")
def test_a_file_of_sqlite_is_such_a_place(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    window = {"window_start": DAYS[0][0], "window_end": DAYS[0][1]}
    with sql_connection(f"sqlite:///{tmp_path / 'warehouse.db'}"):
        given: dict[str, Any] = {"task_id": "sync", "resource": "orders", "sql_conn_id": "warehouse", "table": "orders", **window}
        with pytest.raises(NexusConfigurationError, match=r"the database of sql_conn_id is .*where changes are merged"):
            on_a_worker(NexusToSqlOperator(**given, capture="changes"))
        with pytest.raises(NexusConfigurationError, match=r"the database of sql_conn_id is .*where tasks that are mapped"):
            on_a_worker(NexusToSqlOperator(**given), 0)
        with pytest.raises(NexusConfigurationError, match=r"the database of sql_conn_id is .*store and read one evidence"):
            on_a_worker(NexusScreenCustomersOperator(task_id="screen", sql_conn_id="warehouse", round_id="one"))
        on_a_worker(NexusToSqlOperator(**given, staging_path=str(tmp_path / "staging")))
    warned = said(capfd)
    assert re.search(r"warning .*the database of sql_conn_id is ", warned)
    assert re.search(r"warning .*staging_path is ", warned)


@pytest.mark.usefixtures("celery")
def test_so_are_files_that_are_fetched_or_sent(sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for made in (
        NexusDownloadOperator(task_id="fetch", endpoint="/nothing/there", target=str(tmp_path / "a.pdf")),
        NexusUploadOperator(task_id="send", source=str(tmp_path / "a.pdf"), fields={"filePath": "a.pdf"}),
        NexusReconcileOperator(
            task_id="compare",
            copies={"transactions": str(tmp_path)},
            results_path=str(tmp_path / "results"),
            report_path=str(tmp_path / "report.html"),
        ),
    ):
        with pytest.raises(Exception, match=r".+"):  # there is nothing to fetch, to send or to compare
            on_a_worker(made)
    warned = said(capfd)
    for name in ("target", "source", "results_path", "report_path"):
        assert f"{name} is {tmp_path}" in warned


@pytest.mark.usefixtures("celery")
def test_dag_test_runs_on_one_machine_whatever_is_configured(
    sandbox: Sandbox, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with DAG("on_one_machine", schedule=None) as dag:
        given: dict[str, Any] = {"resource": "orders", "path": str(tmp_path), "file_format": "parquet", "capture": "changes"}
        NexusToObjectStorageOperator(task_id="sync", window_start=DAYS[0][0], window_end=DAYS[0][1], **given)
    assert run_dag(dag).state == "success"
    assert "own disk" not in "".join(capfd.readouterr())
