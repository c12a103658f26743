"""When a call is sent again, after how long, and what its ending means for the change that it was to make.

Built on tenacity: exponential back-off with jitter and a cap, ``Retry-After`` in both of its forms, a number of attempts and a
total deadline, whichever ends first.

A change counts as not carried out only where that is known: nothing of the call left this machine, or Nexus refused it in so
many words. Everything else that comes after the first byte leaves it open, and such a call is not sent again here:
``airflow_provider_nexus.writes`` looks the record up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
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


class WriteOutcome(StrEnum):
    """What became of a change."""

    NEVER_SENT = "never sent"
    REFUSED = "not carried out"
    DONE = "carried out"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Ending:
    """One way in which a call ends, and why its outcome is what it means for the change.

    :param name: what comes back, for a person
    :param statuses: HTTP statuses that it covers
    """

    name: str
    why: str
    statuses: frozenset[int] = frozenset()
    outcome: WriteOutcome = WriteOutcome.UNKNOWN


_REFUSALS = frozenset({400, 401, 403, *range(404, 408), *range(410, 418), 421, 422, 426, 428, 429, 431, 451})

ENDINGS = (
    Ending(
        "no byte left: name not resolved, connection refused or timed out, certificate refused, CONNECT refused by the proxy",
        "the connection itself saw that nothing of the call was written",
        outcome=WriteOutcome.NEVER_SENT,
    ),
    Ending("2xx that can be read, without errors in it", "Nexus confirms it", frozenset(range(200, 300)), WriteOutcome.DONE),
    Ending(
        "2xx with errors in it, unreadable, or empty where the operator knows that a record is due", "success and failure at once"
    ),
    Ending(
        ", ".join(map(str, sorted(_REFUSALS))),
        "Nexus, or the gateway before it, read the call and turned it down",
        _REFUSALS,
        WriteOutcome.REFUSED,
    ),
    Ending(
        "one of these whose body has the code of a transaction, order or transfer",
        "a refusal does not name what it did not make; POST /orders declares such a 404",
    ),
    Ending("408, 499", "somebody in between gave up waiting, Nexus may go on", frozenset({408, 499})),
    Ending("409", "what is in the way can be this very call, carried out already", frozenset({409})),
    Ending("425 and every other 4xx", "it does not show who answered, and when", frozenset({425})),
    Ending("1xx", "no final answer", frozenset(range(100, 200))),
    Ending("3xx", "a redirect is not followed, and a server can act before it sends one", frozenset(range(300, 400))),
    Ending("5xx", "it can break after the work was done", frozenset(range(500, 600))),
    Ending(
        "no answer, half an answer, one that is no HTTP, too large, too slow or packed otherwise than asked for, or a worker "
        "that ended: anything after the first byte",
        "the answer is lost, not the call",
    ),
)
"""Every ending of a call that must not be made twice. ``docs/acting.rst`` shows it, a test walks it."""


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a client is.

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
        drawn = wait_exponential(self.base, self.cap) + wait_random_exponential(self.base, self.cap)
        error = state.outcome.exception() if state.outcome else None
        return max(drawn(state), error.pause if isinstance(error, NexusApiError) else 0.0)


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
    began = time.monotonic()
    try:
        return attempt()
    except NexusApiError as error:
        failed = [error]  # what goes on from here costs as much as all else of a call that needs none of it

    def again() -> T:
        if failed:
            raise failed.pop()
        return attempt()

    retrying = Retrying(
        retry=retry_if_exception(lambda error: may_repeat(error, call)),
        wait=policy.wait,
        stop=stop_any(stop_after_attempt(1 + policy.retries), stop_before_delay(policy.deadline - (time.monotonic() - began))),
        before_sleep=lambda state: _report(state, call, log),
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(again)
    except NexusApiError as error:
        settled = settle(error, call)
        if settled is error:
            raise
        raise settled from error


def settle(error: NexusApiError, call: Call) -> NexusApiError:
    """The error that a call ends in: its own, or the one for a change that nobody knows of whether it was made."""
    return ambiguous(error) if is_unknown(error, call) else error


def ambiguous(error: NexusApiError, lookup: str = "") -> NexusAmbiguousWriteError:
    """The error for a change that may have been made, from the one that its call ended in, with the look-up to make by hand."""
    known = {name: getattr(error, name) for name in ("status", "codes", "request_id", "excerpt", "retry_after")}
    detail = error.detail or type(error).__name__
    return NexusAmbiguousWriteError(error.method, error.path, detail=detail, lookup=lookup, **known)


def is_unknown(error: NexusApiError, call: Call) -> bool:
    """Whether Nexus may have carried out a change although the call failed, so that a person or a look-up must find out.

    Of a call that may be repeated, what Nexus complains of stays what it is: a second copy does no harm.
    """
    if not call.is_repeatable:
        is_no = error.status in _REFUSALS and not isinstance(error, NexusResponseError)
        return not isinstance(error, NexusConnectionError) and not is_no
    unclear = NexusTimeoutError | NexusInterruptedError | NexusServerError | NexusResponseError
    return call.changes_something and isinstance(error, unclear)


def _report(state: RetryCallState, call: Call, log: Log) -> None:
    error = state.outcome.exception() if state.outcome else None
    status = getattr(error, "status", None) or type(error).__name__
    wait = state.next_action.sleep if state.next_action else 0.0
    asked = getattr(error, "retry_after", None) or 0.0
    but = f"; it asks for {asked:.0f} s" if asked > wait else ""
    log.warning("%s %s: %s, attempt %d, next in %.1f s%s", call.method, call.label, status, state.attempt_number, wait, but)
