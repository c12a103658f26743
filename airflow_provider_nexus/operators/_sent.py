"""A call that must not be made twice, made by a task that may be tried twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.compat import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusClaimLostError, NexusError
from airflow_provider_nexus.operators._ledgers import is_first_of_its_series, ledger_of, mind_earlier_tries
from airflow_provider_nexus.writes.ledger import KEYS, Claim, Ledger, known_to, remember

if TYPE_CHECKING:
    from airflow.sdk import Context


T = TypeVar("T")
_DONE = "done"


def send_once(context: Context, call: Call, send: Callable[[Callable[[], object]], Any], finish: Callable[[Any], T]) -> T:
    """The result of a call that a second copy would do harm to.

    A mark that is made right before the first byte leaves tells a later try that the worker died while the call was on its way,
    or before Airflow knew of its success. A task that is cleared after a success makes the call anew, as that is meant then.

    :param send: makes the call, and right before its first byte what it is given
    :param finish: answer -> result; when it fails, the call has been made all the same
    :raises NexusAmbiguousWriteError: when an earlier try sent the call and it is not known what became of it, or when that
        happens now
    """
    ledger, is_cleared = ledger_of(context), is_first_of_its_series(context)
    if is_cleared and known_to(ledger).code:
        _forget(ledger)
    if not is_cleared:
        mind_earlier_tries(ledger, context, datetime.now(UTC))
    claim = Claim(ledger)
    known = claim.take()
    if known.code:
        raise _doubt(call, "an earlier try of this task made it and Nexus took it; what came back was lost with that try")
    if known.sent:
        detail = f"an earlier try of this task sent it at {known.sent}, and it is not known what became of it; only when "
        raise _doubt(call, f"{detail}Nexus did not carry it out, {ledger.way_out}")
    values = _sent(call, claim, send)
    try:
        result = finish(values)
    except (AirflowSkipException, AirflowFailException):
        _settle(ledger)
        raise
    except Exception as error:
        raise _doubt(call, f"Nexus answered, then {type(error).__name__} came while the answer was dealt with") from error
    _settle(ledger)
    return result


def _sent(call: Call, claim: Claim, send: Callable[[Callable[[], object]], Any]) -> Any:
    try:
        return send(lambda: claim.mark(datetime.now(UTC)))
    except (NexusAmbiguousWriteError, NexusClaimLostError):
        raise
    except NexusError:
        claim.clear()
        raise
    except (Exception, AirflowTaskTimeout) as error:
        if not claim.is_marked:
            raise
        raise _doubt(call, f"{type(error).__name__} came before the answer") from error


def _settle(ledger: Ledger) -> None:
    """The call is made, and Airflow may never hear of it."""
    remember(ledger, code=_DONE, sent="")
    ledger.release()


def _forget(ledger: Ledger) -> None:
    for key in KEYS:
        ledger.delete(key)


def _doubt(call: Call, detail: str) -> NexusAmbiguousWriteError:
    return NexusAmbiguousWriteError(call.method, call.label, detail=detail)
