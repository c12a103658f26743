"""What moved between the versions of Airflow that are supported, 3.1 on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 3.1
    from airflow.exceptions import (  # type: ignore[no-redef,attr-defined]
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )

try:
    from airflow.sdk import conf
except ImportError:  # Airflow 3.1
    from airflow.configuration import conf  # type: ignore[assignment]

try:
    from airflow.sdk import NEVER_EXPIRE, ResumableJobMixin  # type: ignore[attr-defined]
except ImportError:  # Airflow 3.1, 3.2
    NEVER_EXPIRE = None

    class ResumableJobMixin:  # type: ignore[no-redef]
        """Submits a job and waits for it. Without a task state store no try can go on with the job of an earlier one.

        :param durable: without effect
        """

        external_id_key = ""

        def __init__(self, *, durable: bool = True, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.durable = durable

        def execute_resumable(self, context: Context) -> Any:
            """Submit, wait, return the result."""
            code = self.submit_job(context)  # type: ignore[attr-defined]
            self.poll_until_complete(code, context)  # type: ignore[attr-defined]
            return self.get_job_result(code, context)  # type: ignore[attr-defined]


try:
    from airflow.sdk.observability import stats
except ImportError:  # Airflow 3.1
    from airflow.stats import Stats as stats  # type: ignore[no-redef]  # noqa: N813 - a class that is used as a module

try:
    from airflow.sdk.lineage import get_hook_lineage_collector
except ImportError:  # Airflow 3.1
    from airflow.lineage.hook import get_hook_lineage_collector  # type: ignore[no-redef,import-not-found]

try:
    from airflow.sdk._shared.secrets_masker import SecretsMasker
except ImportError:  # it has moved
    SecretsMasker = None  # type: ignore[assignment,misc]


@contextmanager
def no_word_of_short_extras() -> Iterator[None]:
    """Read a connection in the block without a warning that a text of its extra, such as ``test``, is too short to be masked.

    Airflow takes each for a secret, and warns once in a process: in a task, on the first line of its log.
    """
    name = "_has_warned_short_secret"
    before = getattr(SecretsMasker, name, None)
    if before is None:
        yield
        return
    setattr(SecretsMasker, name, True)
    try:
        yield
    finally:
        setattr(SecretsMasker, name, before)


def is_dag_test() -> bool:
    """Whether the task runs in the process of ``dag.test()``, whatever the executor."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


HAS_TASK_STATE = NEVER_EXPIRE is not None
"""Whether a task can store values from one try to the next (Airflow 3.3 on)."""

HAS_RETRY_POLICIES = find_spec("airflow.sdk.definitions.retry_policy") is not None
"""Whether a task can state which errors are worth another try (Airflow 3.3 on)."""

__all__ = [
    "HAS_RETRY_POLICIES",
    "HAS_TASK_STATE",
    "NEVER_EXPIRE",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "ResumableJobMixin",
    "conf",
    "get_hook_lineage_collector",
    "is_dag_test",
    "no_word_of_short_extras",
    "stats",
]
