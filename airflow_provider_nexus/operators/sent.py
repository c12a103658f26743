"""A call that must not be made twice, made by a task that may be tried twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.compat import NEVER_EXPIRE, AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusDataError, NexusError

if TYPE_CHECKING:
    from airflow.sdk import Context

T = TypeVar("T")
SENT_KEY = "nexus_sent"
"""The key in the task's state store that stands there from before a call leaves until its end is known."""


def send_once(context: Context, call: Call, send: Callable[[], Any], finish: Callable[[Any], T]) -> T:
    """The result of a call that a second copy would do harm to.

    From Airflow 3.3 on a mark in the task's state store tells a later try that the worker died while the call was on its
    way; below, only the failures that the worker itself sees are caught.

    :param send: makes the call
    :param finish: answer -> result; when it fails, the call has been made all the same
    :raises NexusAmbiguousWriteError: when an earlier try sent the call and it is not known what became of it, or when that
        happens now
    """
    mark = _Mark(context, call)
    mark.leave()
    values = _sent(mark, send)
    try:
        result = finish(values)
    except (AirflowSkipException, AirflowFailException):
        mark.clear()
        raise
    except Exception as error:
        raise mark.doubt(f"Nexus answered, then {type(error).__name__} came while the answer was dealt with") from error
    mark.clear()
    return result


def _sent(mark: _Mark, send: Callable[[], Any]) -> Any:
    try:
        return send()
    except (NexusAmbiguousWriteError, NexusDataError):
        raise
    except NexusError:
        mark.clear()
        raise
    except (Exception, AirflowTaskTimeout) as error:
        raise mark.doubt(f"{type(error).__name__} came before the answer") from error


class _Mark:
    def __init__(self, context: Context, call: Call) -> None:
        self._store: Any = context.get("task_state_store")
        self._call, self._try = call, getattr(context.get("ti"), "try_number", 0)

    def leave(self) -> None:
        if self._store is None:
            return
        left = self._store.get(SENT_KEY)
        if left:
            raise self.doubt(
                f"try {left['try']} of this task sent it at {left['at']}, and it is not known what became of it; only when "
                f"Nexus did not carry it out, delete {SENT_KEY!r} in the task's state store and clear the task"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._store.set(SENT_KEY, {"try": self._try, "at": now}, retention=NEVER_EXPIRE)

    def clear(self) -> None:
        if self._store is not None:
            self._store.delete(SENT_KEY)

    def doubt(self, detail: str) -> NexusAmbiguousWriteError:
        return NexusAmbiguousWriteError(self._call.method, self._call.label, detail=detail)
