"""Where Airflow keeps what a task knows of its write: the task state store, and Variables where that can't do it.

A Variable keeps what has to be seen by more than one task, and what a task keeps below Airflow 3.3, which has no such store. It
is deleted once the write is carried out and can be found in Nexus.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable

from airflow_provider_nexus.compat import NEVER_EXPIRE, conf
from airflow_provider_nexus.writes.ledger import KEYS, LEDGER_KEY, OWNER_KEY, Known
from airflow_provider_nexus.writes.once import reference_of

if TYPE_CHECKING:
    from airflow.sdk import Context


_ABOUT = "The provider for Nexus has a write in hand; see 'Acting in Nexus' in its documentation before you change this"


class TaskLedger:
    """Keeps values in Airflow's task state store: they survive retries and a manual clear, and never expire.

    :param store: ``context["task_state_store"]``
    """

    way_out = f"delete {LEDGER_KEY!r} in the task's state store and clear the task"

    def __init__(self, store: Any) -> None:
        self._store = store

    @property
    def forgets(self) -> bool:
        """Whether it may be empty although an earlier try sent something."""
        return conf.getboolean("state_store", "clear_on_success", fallback=False)

    def get(self, key: str) -> Any:
        """What was kept; ``None`` when nothing was."""
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._store.set(key, value, retention=NEVER_EXPIRE)

    def delete(self, key: str) -> None:
        """Forget a value."""
        self._store.delete(key)

    def release(self) -> None:
        """Nothing: what became of the write serves every later try."""


class VariableLedger:
    """Keeps values in Airflow Variables, for all tasks that ask for the same.

    :param names: what the write is told from all others by
    """

    forgets = True

    def __init__(self, *names: str) -> None:
        self._id = reference_of(*names)

    @property
    def way_out(self) -> str:
        """What a person does."""
        return f"set the Airflow Variable {self._name(LEDGER_KEY)!r} to {{}} and clear the task"

    def get(self, key: str) -> Any:
        """What was kept; ``None`` when nothing was."""
        text = Variable.get(self._name(key), default=None)
        return None if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        Variable.set(self._name(key), json.dumps(value), description=_ABOUT)

    def delete(self, key: str) -> None:
        """Forget a value."""
        Variable.delete(self._name(key))

    def release(self) -> None:
        """Forget all: Nexus knows it now."""
        for key in KEYS:
            self.delete(key)

    def _name(self, key: str) -> str:
        return f"{key}__{self._id}"


class SharedLedger:
    """What the task itself knows, and what it shares with all that mean the same write.

    :param own: outlives the shared one, which goes when the write is carried out
    """

    def __init__(self, own: TaskLedger, shared: VariableLedger) -> None:
        self._own, self._shared = own, shared

    @property
    def forgets(self) -> bool:
        """Whether it may be empty although an earlier try sent something."""
        return self._own.forgets

    @property
    def way_out(self) -> str:
        """What a person does."""
        return f"{self._shared.way_out.removesuffix(' and clear the task')}, {self._own.way_out}"

    def get(self, key: str) -> Any:
        """What is shared; where nothing is, what the task knows."""
        shared = self._shared.get(key)
        return self._own.get(key) if shared is None else shared

    def set(self, key: str, value: Any) -> None:
        """Keep a value in both."""
        self._own.set(key, value)
        self._shared.set(key, value)

    def delete(self, key: str) -> None:
        """Forget a value in both."""
        self._own.delete(key)
        self._shared.delete(key)

    def release(self) -> None:
        """Forget what is shared."""
        self._shared.release()


def ledger_of(context: Context) -> TaskLedger | VariableLedger:
    """The task's own ledger, which every try of it has."""
    store = context.get("task_state_store")
    if store is not None:
        return TaskLedger(store)
    instance = context["ti"]
    return VariableLedger(instance.dag_id, instance.run_id, instance.task_id, str(instance.map_index))


def shared_by(own: TaskLedger | VariableLedger, *names: str) -> SharedLedger | VariableLedger:
    """A ledger that every task has which means the same write.

    :param own: the task's own
    :param names: what the write is told from all others by
    """
    shared = VariableLedger(*names)
    return SharedLedger(own, shared) if isinstance(own, TaskLedger) else shared


def is_first_of_its_series(context: Context) -> bool:
    """Whether no try before this one was its retry: the first of a run, or the first after somebody cleared the task."""
    instance, retries = context["ti"], context["task"].retries or 0
    return bool(instance.try_number <= instance.max_tries - retries + 1)


def mind_earlier_tries(ledger: TaskLedger | VariableLedger | SharedLedger, context: Context, began: datetime) -> None:
    """Where a ledger can be empty although something was sent, take an earlier try to have sent it."""
    if not ledger.forgets or context["ti"].try_number == 1:
        return
    if ledger.get(LEDGER_KEY) is None and ledger.get(OWNER_KEY) is None:
        ledger.set(LEDGER_KEY, vars(Known(first=began.isoformat(), sent=began.isoformat())))
