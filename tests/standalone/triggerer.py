"""A real `airflow triggerer` with many deferred tasks, made straight in its database.

The internals of Airflow that this needs are in this file alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def triggerer(log: Path, capacity: int) -> Iterator[subprocess.Popen[bytes]]:
    """A triggerer of the Airflow that the environment names, for as long as the block lasts."""
    command = [str(Path(sys.executable).with_name("airflow")), "triggerer", "--capacity", str(capacity), "--skip-serve-logs"]
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a process and its children have used so far."""
    used = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if os.getsid(int(stat.parent.name)) == process.pid:
            used += (int(fields[11]) + int(fields[12])) / _TICKS
    return used


def defer_all(dag_id: str, triggers: Sequence[Any]) -> None:
    """Deferred task instances, one for each trigger."""
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState

    with create_session() as session:
        instances = _mapped_instances(dag_id, len(triggers), session)
        rows = [Trigger.from_object(trigger) for trigger in triggers]
        session.add_all(rows)
        session.flush()
        for instance, row in zip(instances, rows, strict=True):
            instance.trigger_id, instance.state, instance.next_method = row.id, TaskInstanceState.DEFERRED, "execute_complete"
            instance.next_kwargs, instance.try_number = {}, 1


def _mapped_instances(dag_id: str, count: int, session: Any) -> list[Any]:
    """Task instances of a mapped task, waiting for nothing but a trigger."""
    import pendulum
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.sdk import DAG
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
    from tests.airflow.running import _store

    with DAG(dag_id, schedule=None, start_date=pendulum.datetime(2026, 1, 1)) as dag:
        NexusStatusSensor.partial(task_id="wait", resource="transactions").expand(code=[f"C{number}" for number in range(count)])
    _store(dag)
    stored = SerializedDagModel.get(dag_id, session=session)
    assert stored is not None
    now = pendulum.now("UTC")
    run = stored.dag.create_dagrun(
        run_id="waits",
        logical_date=None,
        run_after=now,
        run_type=DagRunType.MANUAL,
        state=DagRunState.RUNNING,
        triggered_by=DagRunTriggeredByType.TEST,
        session=session,
    )
    run.dag = stored.dag
    run.task_instance_scheduling_decisions(session=session)
    session.flush()
    found = sorted(run.get_task_instances(session=session), key=lambda instance: instance.map_index)
    assert len(found) == count
    return found


def states(dag_id: str) -> dict[int, tuple[str, datetime]]:
    """State and time of the last change of each task instance, by map index."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    query = select(TaskInstance.map_index, TaskInstance.state, TaskInstance.updated_at).where(TaskInstance.dag_id == dag_id)
    with create_session() as session:
        return {index: (str(state), updated) for index, state, updated in session.execute(query) if updated}


def wait_until(what: str, look: Any, seconds: float = 240) -> None:
    """Return once a look is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return
        time.sleep(0.5)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")
