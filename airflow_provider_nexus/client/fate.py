"""What each ending of a call says about the change that it was to make: the one table that decides.

A change counts as not carried out only where that is known: nothing of the call left this machine, or Nexus refused it in so many
words. Everything else that comes after the first byte leaves it open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
)


class Fate(StrEnum):
    """What became of a change."""

    NEVER_SENT = "never sent"
    REFUSED = "not carried out"
    DONE = "carried out"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Ending:
    """One way in which a call ends.

    :param name: what comes back, for a person
    :param fate: what it says about the change
    :param why: the reason
    :param statuses: HTTP statuses that it covers
    """

    name: str
    fate: Fate
    why: str
    statuses: frozenset[int] = frozenset()


_NO = "Nexus, or the gateway before it, read the call and turned it down"
_REFUSALS = frozenset({400, 401, 403, *range(404, 408), *range(410, 418), 421, 422, 426, 428, 429, 431, 451})

ENDINGS = (
    Ending(
        "no byte left: name not resolved, connection refused or timed out, certificate refused, CONNECT refused by the proxy",
        Fate.NEVER_SENT,
        "the connection itself saw that nothing of the call was written",
    ),
    Ending("2xx that can be read, without errors in it", Fate.DONE, "Nexus says so", frozenset(range(200, 300))),
    Ending(
        "2xx with errors in it, unreadable, or empty where the operator knows that a record is due",
        Fate.UNKNOWN,
        "success and failure at once",
    ),
    Ending(", ".join(str(status) for status in sorted(_REFUSALS)), Fate.REFUSED, _NO, _REFUSALS),
    Ending(
        "one of these whose body holds the code of a transaction, order or transfer",
        Fate.UNKNOWN,
        "a refusal does not name what it did not make; POST /orders declares such a 404",
    ),
    Ending("408, 499", Fate.UNKNOWN, "somebody in between gave up waiting, Nexus may go on", frozenset({408, 499})),
    Ending("409", Fate.UNKNOWN, "what is in the way can be this very call, carried out already", frozenset({409})),
    Ending("425 and every other 4xx", Fate.UNKNOWN, "it does not say who answered, and when", frozenset({425})),
    Ending("1xx", Fate.UNKNOWN, "no final answer", frozenset(range(100, 200))),
    Ending(
        "3xx", Fate.UNKNOWN, "a redirect is not followed, and a server can act before it sends one", frozenset(range(300, 400))
    ),
    Ending("5xx", Fate.UNKNOWN, "it can break after the work was done", frozenset(range(500, 600))),
    Ending(
        "no answer, half an answer, one that is no HTTP, too large, too slow or packed otherwise than asked for, or a worker "
        "that ended: anything after the first byte",
        Fate.UNKNOWN,
        "the answer is lost, not the call",
    ),
)
"""Every ending of a call that must not be made twice. ``docs/acting.rst`` shows it, a test walks it."""


def fate_of(error: NexusApiError) -> Fate:
    """What an error says about the change that the call was to make."""
    if isinstance(error, NexusConnectionError):
        return Fate.NEVER_SENT
    is_no = error.status in _REFUSALS and not isinstance(error, NexusResponseError)
    return Fate.REFUSED if is_no else Fate.UNKNOWN


def is_unknown(error: NexusApiError, call: Call) -> bool:
    """Whether Nexus may have carried out a change although the call failed, so that a person or a look-up must tell.

    Of a call that may be repeated, what Nexus complains of stays what it is: a second copy does no harm.
    """
    if not call.is_repeatable:
        return fate_of(error) is Fate.UNKNOWN
    unclear = NexusTimeoutError | NexusInterruptedError | NexusServerError | NexusResponseError
    return call.changes_something and isinstance(error, unclear)
