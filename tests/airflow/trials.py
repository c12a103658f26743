"""One try of a task in a process of its own, which can be killed: a real operator, Airflow's own accessors, and a supervisor that
keeps what it is told in a file, as Airflow's database would."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import structlog
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner

from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.operators import customers, nexus, orders, transactions, transfers
from airflow_provider_nexus.writes.once import Once

_OPERATORS = {name: each for module in (customers, nexus, orders, transactions, transfers) for name, each in vars(module).items()}
MEMORIES = ("store", "variables") if HAS_TASK_STATE else ("variables",)
"""Where a task keeps what it knows: Airflow's task state store, and what there is below Airflow 3.3."""


@dataclass(frozen=True)
class Trial:
    """One try.

    :param operator: name of the operator's class
    :param arguments: its arguments
    :param run: id of the DAG run
    :param began: when the run began
    :param number: of the try
    :param memory: one of :data:`MEMORIES`
    :param folder: where the supervisor's file lies
    :param connection: the connection to Nexus as JSON
    :param dies_at: the message to the supervisor at which it is killed, counted from 1; 0 for none
    :param dies_after: whether the supervisor has heard the message then
    :param max_tries: as Airflow counts them, for a task of 99 retries: every try after the first is a retry, and one more of them
        for each time that it was cleared
    """

    operator: str
    arguments: dict[str, Any]
    run: str
    began: datetime
    number: int
    memory: str
    folder: Path
    connection: str
    dies_at: int = 0
    dies_after: bool = False
    max_tries: int = 99
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def result(self) -> Path:
        """Where it tells how it ended; not there when it was killed."""
        return self.folder / f"{self.run}-{self.number}.json"


class Supervisor:
    """Stands where Airflow's own does, between a task and the database."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._heard = trial, 0

    def send(self, message: Any) -> Any:
        """Hear a message, and answer it; kill the task when its time has come."""
        if type(message).__name__ == "MaskSecret":
            return None
        self._heard += 1
        if self._heard == self._trial.dies_at and not self._trial.dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = self._answer(message)
        if self._heard == self._trial.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    def _answer(self, message: Any) -> Any:
        kind, scope = type(message).__name__, f"{self._trial.run} " if "TaskState" in type(message).__name__ else ""
        key = f"{scope}{getattr(message, 'key', '')}"
        with closing(open_kept(self._trial.folder)) as kept, kept:
            if kind in ("PutVariable", "SetTaskStateStore"):
                kept.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, json.dumps(message.value)))
            elif kind in ("DeleteVariable", "DeleteTaskStateStore"):
                kept.execute("DELETE FROM kept WHERE name = ?", (key,))
            elif kind in ("GetVariable", "GetTaskStateStore"):
                row = kept.execute("SELECT value FROM kept WHERE name = ?", (key,)).fetchone()
                return _given(kind, message.key, row)
        return None


def _given(kind: str, key: str, row: tuple[str] | None) -> Any:
    if row is None:
        error = ErrorType.VARIABLE_NOT_FOUND if kind == "GetVariable" else ErrorType.TASK_STORE_NOT_FOUND
        return comms.ErrorResponse(error=error)
    if kind == "GetVariable":
        return comms.VariableResult(key=key, value=json.loads(row[0]))
    return comms.TaskStateStoreResult(value=json.loads(row[0]))


def open_kept(folder: Path) -> sqlite3.Connection:
    """The file of what supervisors were told."""
    kept = sqlite3.connect(folder / "kept.sqlite", timeout=120)
    kept.execute("PRAGMA synchronous = OFF")
    kept.execute("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT)")
    return kept


def make_try(trial: Trial) -> None:
    """Run the operator, and write down how that ended."""
    os.environ.update(trial.environment, AIRFLOW_CONN_NEXUS_DEFAULT=trial.connection)
    task_runner.SUPERVISOR_COMMS = Supervisor(trial)  # type: ignore[assignment]
    logging.disable()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    (Once.__init__.__kwdefaults__ or {})["pauses"] = (0.0,)  # nobody waits here for what shows late
    ended: dict[str, Any] = {}
    try:
        operator = _OPERATORS[trial.operator](task_id="act", **trial.arguments)
        ended = {"ended": "success", "value": operator.execute(_context(trial))}
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to see it
        cause = error if type(error).__module__.startswith("airflow_provider_nexus") else error.__cause__ or error
        ended = {"ended": type(cause).__name__, "value": str(cause)}
    trial.result.with_suffix(".part").write_text(json.dumps(ended))
    trial.result.with_suffix(".part").rename(trial.result)


def _context(trial: Trial) -> Any:
    instance = SimpleNamespace(
        dag_id="trials",
        run_id=trial.run,
        task_id="act",
        map_index=-1,
        try_number=trial.number,
        max_tries=trial.max_tries,
        start_date=trial.began,
        xcom_push=lambda **_: None,
    )
    task = SimpleNamespace(retries=99)
    context: dict[str, Any] = {
        "ti": instance,
        "task": task,
        "run_id": trial.run,
        "dag_run": SimpleNamespace(run_after=trial.began, start_date=trial.began),
    }
    if trial.memory == "store":
        from uuid import uuid4

        from airflow.sdk._shared.state import TaskScope
        from airflow.sdk.execution_time.context import TaskStateStoreAccessor

        scope = TaskScope(dag_id="trials", run_id=trial.run, task_id="act", map_index=-1)
        context["task_state_store"] = TaskStateStoreAccessor(ti_id=uuid4(), scope=scope)
    return context


def workers() -> ForkServerContext:
    """Processes that begin with everything imported, and with no thread of the tests' own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def begin(context: ForkServerContext, trial: Trial) -> ForkServerProcess:
    """A try under way."""
    process = context.Process(target=make_try, args=(trial,), daemon=True)
    process.start()
    return process


def how_it_ended(process: ForkServerProcess, trial: Trial) -> tuple[str, Any]:
    """What a try ended in: ``success``, ``killed`` or the class of its error, and its result or the error's text."""
    process.join(60)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"a try hangs: {trial}")
    if not trial.result.exists():
        assert process.exitcode == -signal.SIGKILL, f"exit code {process.exitcode}: {trial}"
        return "killed", None
    ended = json.loads(trial.result.read_text())
    return ended["ended"], ended["value"]
