"""Ledgers of writes in Airflow, and calls that are made once by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import Variable

from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.compat import NEVER_EXPIRE, AirflowFailException, AirflowSkipException, AirflowTaskTimeout, conf
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusError
from airflow_provider_nexus.writes.ledger import CLAIM_KEYS, KEYS, LEDGER_KEY, OWNER_KEY, Claim, Known, known_to, settle
from airflow_provider_nexus.writes.once import reference_of

if TYPE_CHECKING:
    from airflow.sdk import Context


T = TypeVar("T")
_DONE = "done"
"""The code of a call that was made and has none; Airflow may never hear of its success."""
_ABOUT = "The provider for Nexus works on a write; see 'Acting in Nexus' in its documentation before you change this"


class AirflowLedger:
    """Stores what is known of a write in a task's state store, in Airflow Variables, or in both.

    A state store (Airflow 3.3) outlives retries and a manual clear, and serves one task. Variables serve all tasks that mean the
    same write, and tasks without a store. They are deleted once the write is carried out and can be found in Nexus. A claim is
    in the Variables alone, where there are some: one that is gone shows its try that another task has ended meanwhile.

    :param store: ``context["task_state_store"]``; ``None`` to use Variables alone
    :param names: what makes the write of the Variables unique; none to use the store alone
    """

    def __init__(self, store: Any, *names: str) -> None:
        self._store, self._id = store, reference_of(*names) if names else ""

    @property
    def way_out(self) -> str:
        """What a person does."""
        steps = [f"set the Airflow Variable {self._name(LEDGER_KEY)!r} to {{}}"] if self._id else []
        steps += [f"delete {LEDGER_KEY!r} in the task's state store"] if self._store is not None else []
        return f"{', '.join(steps)} and clear the task"

    def get(self, key: str) -> Any:
        """The value that all tasks share, else the task's own; ``None`` when there is neither."""
        text = Variable.get(self._name(key), default=None) if self._id else None
        if text is not None:
            return json.loads(text)
        return self._store.get(key) if self._is_in_store(key) else None

    def set(self, key: str, value: Any) -> None:
        """Store a value. It never expires."""
        if self._is_in_store(key):
            self._store.set(key, value, retention=NEVER_EXPIRE)
        if self._id:
            Variable.set(self._name(key), json.dumps(value), description=_ABOUT)

    def release(self) -> None:
        """Delete the Variables, as Nexus knows the write now. What is in the state store serves every later try."""
        for key in KEYS if self._id else ():
            Variable.delete(self._name(key))

    def clear(self) -> None:
        """Delete all that is known, as the write is to be made anew."""
        for key in KEYS if self._store is not None else ():
            self._store.delete(key)
        self.release()

    def _is_in_store(self, key: str) -> bool:
        return self._store is not None and not (self._id and key in CLAIM_KEYS)

    def _name(self, key: str) -> str:
        return f"{key}__{self._id}"


def ledger_of(context: Context, *shared_by: str) -> AirflowLedger:
    """The ledger of a task, which every try of it has, and where others can mean the same write, those that share its names."""
    store, instance = context.get("task_state_store"), context["ti"]
    if store is None and not shared_by:
        shared_by = (instance.dag_id, instance.run_id, instance.task_id, str(instance.map_index))
    return AirflowLedger(store, *shared_by)


def mind_earlier_tries(ledger: AirflowLedger, context: Context, began: datetime) -> None:
    """Where a ledger can be empty although something was sent, take an earlier try to have sent it."""
    is_forgetful = context.get("task_state_store") is None or conf.getboolean("state_store", "clear_on_success", fallback=False)
    is_retry = context["ti"].try_number > 1
    if is_forgetful and is_retry and ledger.get(LEDGER_KEY) is None and ledger.get(OWNER_KEY) is None:
        ledger.set(LEDGER_KEY, vars(Known(first=began.isoformat(), sent=began.isoformat())))


def send_once(context: Context, call: Call, send: Callable[[Callable[[], object]], Any], finish: Callable[[Any], T]) -> T:
    """The result of a call that a second copy would do harm to, and that can't be looked up.

    A mark that is made right before the first byte leaves shows a later try that the worker died while the call was on its way,
    or before Airflow knew of its success. A task that is cleared after a success makes the call anew, as that is meant then.

    :param send: makes the call, and right before its first byte the one that it is given
    :param finish: answer -> result; when it fails, the call has been made all the same
    :raises NexusAmbiguousWriteError: when it is not known what became of the call, which this try or an earlier one sent
    """
    doubt = partial(NexusAmbiguousWriteError, call.method, call.label)
    ledger, instance = ledger_of(context), context["ti"]
    is_retry = instance.try_number > instance.max_tries - (context["task"].retries or 0) + 1
    if is_retry:
        mind_earlier_tries(ledger, context, datetime.now(UTC))
    elif known_to(ledger).code:
        ledger.clear()
    claim = Claim(ledger)
    known = claim.take()
    if known.code:
        raise doubt(detail="an earlier try of this task made it and Nexus took it; what came back was lost with that try")
    if known.sent:
        detail = f"an earlier try of this task sent it at {known.sent}, and it is not known what became of it; only when "
        raise doubt(detail=f"{detail}Nexus did not carry it out, {ledger.way_out}")
    try:
        values = claim.send(send, lambda: datetime.now(UTC))
    except (Exception, AirflowTaskTimeout) as error:
        if isinstance(error, NexusError) or not claim.is_marked:
            raise
        raise doubt(detail=f"{type(error).__name__} came before the answer") from error
    try:
        result = finish(values)
    except (AirflowSkipException, AirflowFailException):
        settle(ledger, _DONE)
        raise
    except Exception as error:
        raise doubt(detail=f"Nexus answered, then {type(error).__name__} came while the answer was dealt with") from error
    settle(ledger, _DONE)
    return result
