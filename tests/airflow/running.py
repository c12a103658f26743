"""Run a DAG for real, and read what it left behind. Airflow's internals that the tests need are in this file alone."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG

_BUNDLE = "dags-folder"


def run_dag(dag: DAG, **options: Any) -> DagRun:
    """Run every task of a DAG in this process, deferred ones included.

    :param options: handed to ``dag.test``, such as ``run_conf`` or ``logical_date``
    """
    _store(dag)
    with _errors_for_callbacks():
        run: DagRun = dag.test(**options)
    return run


@contextmanager
def _errors_for_callbacks() -> Iterator[None]:
    """Give callbacks the error, as every worker does; Airflow 3.1's ``dag.test`` forgets it."""
    from airflow.sdk.execution_time import task_runner

    finalize = task_runner.finalize

    def finalize_with_error(ti: Any, state: Any, context: Any, log: Any, error: BaseException | None = None) -> None:
        if context.get("exception") is None:
            context["exception"] = error
        finalize(ti, state, context, log, error)

    task_runner.finalize = finalize_with_error
    try:
        yield
    finally:
        task_runner.finalize = finalize


def share_api_server() -> None:
    """Have every run of this process use one in-process API server, as from Airflow 3.3 on; making it takes a second or more."""
    from airflow.sdk.execution_time import supervisor

    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


def stored_form(dag: DAG) -> dict[str, Any]:
    """A DAG as Airflow stores it."""
    from airflow.serialization import serialized_objects

    try:
        to_dict = serialized_objects.DagSerialization.to_dict
    except AttributeError:  # Airflow 3.1
        to_dict = serialized_objects.SerializedDAG.to_dict  # type: ignore[attr-defined]
    return dict(to_dict(dag))


def _store(dag: DAG) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization import serialized_objects
    from airflow.utils.session import create_session

    try:
        from airflow.serialization.definitions.dag import SerializedDAG
    except ImportError:  # Airflow 3.1
        SerializedDAG = serialized_objects.SerializedDAG  # type: ignore[attr-defined,misc]  # noqa: N806

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)  # type: ignore[no-untyped-call]
        session.flush()
        serialized = serialized_objects.LazyDeserializedDAG(data=stored_form(dag))
        SerializedDAG.bulk_write_to_db(_BUNDLE, None, [serialized], session=session)
        SerializedDagModel.write_dag(serialized, _BUNDLE, session=session)


def state_of(run: DagRun, task_id: str) -> str:
    """The state that a task of the run ended in."""
    instance = run.get_task_instance(task_id)
    assert instance is not None, f"the run has no task {task_id}"
    return str(instance.state)


def xcom_of(run: DagRun, task_id: str, key: str = "return_value") -> Any:
    """What a task of the run pushed; ``None`` when it pushed nothing."""
    instance = run.get_task_instance(task_id)
    assert instance is not None, f"the run has no task {task_id}"
    return instance.xcom_pull(task_ids=task_id, key=key)


def xcom_texts(run: DagRun) -> list[str]:
    """Everything that the run pushed, as text that was stored; for checks that something is not in there."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id))
        return [f"{row.task_id} {row.key} {row.value}" for row in rows]


def asset_events_of(run: DagRun) -> list[tuple[str, dict[str, Any]]]:
    """The asset events that the run's tasks caused, each as the asset's URI and the event's extra, oldest first."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = (
        select(AssetModel.uri, AssetEvent.extra)
        .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        .where(AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id)
        .order_by(AssetEvent.id)
    )
    with create_session() as session:
        return [(uri, dict(extra or {})) for uri, extra in session.execute(query)]


def airflow_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The answer of Airflow's command line, run as a process of its own."""
    command = Path(sys.executable).with_name("airflow")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, timeout=120)


@contextmanager
def hook_for(conn_type: str, hook: type) -> Iterator[None]:
    """Have Airflow know a hook for a type of connection, as if a provider that is installed brought it."""
    try:
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as Manager
    except ImportError:  # Airflow 3.1
        from airflow.providers_manager import ProvidersManager as Manager  # type: ignore[assignment]
    from airflow.providers_manager import HookInfo

    hooks: Any = Manager().hooks  # type: ignore[no-untyped-call]
    before = hooks.get(conn_type)
    path = f"{hook.__module__}.{hook.__qualname__}"
    hooks[conn_type] = HookInfo(path, "conn_id", "tests", hook.__name__, conn_type, False)
    try:
        yield
    finally:
        if before is None:
            del hooks[conn_type]
        else:
            hooks[conn_type] = before
