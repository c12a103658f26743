"""When a call is sent again, and after how long. One classification for every client of the provider.

Built on tenacity: exponential back-off with jitter and a cap, ``Retry-After`` in both of its forms, a number of attempts and a
total deadline, whichever ends first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_exponential,
    wait_random_exponential,
)

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.dates import moment
from airflow_provider_nexus.client.fate import is_unknown
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
)

T = TypeVar("T")
_PASSING = frozenset({500, 502, 503, 504})
_LONGEST = timedelta.max.total_seconds()


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a client is.

    :param retries: attempts after the first
    :param base: seconds that the first wait is at least, doubled with each further one
    :param cap: seconds that this grows to. Each wait is longer by chance, by as much again at most, or as long as the server asks
    :param deadline: seconds after which no further attempt is begun
    """

    retries: int = 5
    base: float = 0.5
    cap: float = 60.0
    deadline: float = 600.0

    def wait(self, state: RetryCallState) -> float:
        """Seconds to wait before the next attempt: never none, or what the server asked for if that is longer."""
        least = wait_exponential(multiplier=self.base, max=self.cap)(state)
        drawn = wait_random_exponential(multiplier=self.base, max=self.cap)(state)
        error = state.outcome.exception() if state.outcome else None
        return max(least + drawn, error.pause if isinstance(error, NexusApiError) else 0.0)


def may_repeat(error: BaseException, call: Call) -> bool:
    """Whether a call that ended in this error may be sent again without asking."""
    if isinstance(error, NexusConnectionError):
        return True
    if not call.is_repeatable:
        return False
    if isinstance(error, NexusResponseError):
        return error.status == 200
    if isinstance(error, NexusServerError):
        return error.status in _PASSING
    return isinstance(error, NexusTimeoutError | NexusInterruptedError | NexusRateLimitError)


def run(policy: RetryPolicy, call: Call, attempt: Callable[[], T], log: Log, sleep: Callable[[float], None] = time.sleep) -> T:
    """The result of a call, sent again while that is safe and the policy allows.

    :param attempt: sends the call once; raises :class:`NexusApiError`
    :raises NexusAmbiguousWriteError: when a change may or may not have happened
    :raises NexusApiError: the last error otherwise
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda error: may_repeat(error, call)),
        wait=policy.wait,
        stop=stop_any(stop_after_attempt(1 + policy.retries), stop_before_delay(policy.deadline)),
        before_sleep=lambda state: _report(state, call, log),
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except NexusApiError as error:
        settled = settle(error, call)
        if settled is error:
            raise
        raise settled from error


def settle(error: NexusApiError, call: Call) -> NexusApiError:
    """The error that a call ends in: its own, or the one that says that nobody knows whether a change was made."""
    if not is_unknown(error, call):
        return error
    return NexusAmbiguousWriteError(
        error.method,
        error.path,
        status=error.status,
        codes=error.codes,
        detail=error.detail or type(error).__name__,
        request_id=error.request_id,
        excerpt=error.excerpt,
        retry_after=error.retry_after,
    )


def retry_after(header: str | None, server_date: datetime | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, given as seconds or as a date; ``None`` for nonsense.

    They are what was asked for, and may be years; who heeds them goes by :attr:`NexusApiError.pause`.

    :param server_date: the answer's own ``Date``, so that the clocks need not agree
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    until = moment(text)
    return max(0.0, (until - (server_date or datetime.now(UTC))).total_seconds()) if until else None


def _report(state: RetryCallState, call: Call, log: Log) -> None:
    error = state.outcome.exception() if state.outcome else None
    status = getattr(error, "status", None) or type(error).__name__
    wait = state.next_action.sleep if state.next_action else 0.0
    asked = getattr(error, "retry_after", None) or 0.0
    but = f"; it asks for {asked:.0f} s" if asked > wait else ""
    log.warning("%s %s: %s, attempt %d, next in %.1f s%s", call.method, call.label, status, state.attempt_number, wait, but)
