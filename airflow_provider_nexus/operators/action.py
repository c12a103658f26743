"""What the operators that change something share: the ledger, the connection's leave, waiting and cancelling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.records import key_text
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.client.once import (
    LEDGER_KEY,
    Known,
    Ledger,
    MemoryLedger,
    Once,
    Write,
    choose_reference,
    reference_of,
)
from airflow_provider_nexus.compat import HAS_TASK_STATE, NEVER_EXPIRE, ResumableJobMixin
from airflow_provider_nexus.exceptions import NexusWriteRefusedError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.base import NexusBaseOperator
from airflow_provider_nexus.operators.waiting import NexusWaiting

if TYPE_CHECKING:
    from airflow.sdk import Context

_SEARCH_BACK = 3600.0
_PATIENCE_ON_KILL = 10.0


class TaskLedger:
    """Keeps values in Airflow's task state store: they survive retries and a manual clear, and never expire.

    :param store: ``context["task_state_store"]``
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def get(self, key: str) -> Any:
        """What was kept; ``None`` when nothing was."""
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self._store.set(key, value, retention=NEVER_EXPIRE)


class NexusAction(NexusBaseOperator):
    """Base of the operators that change something in Nexus.

    :param nexus_conn_id: the connection; it must allow writes (templated)
    """

    looks_up_first = HAS_TASK_STATE
    ui_color = "#fdebd0"

    def __init__(self, *, nexus_conn_id: str = NexusHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nexus_conn_id = nexus_conn_id

    @cached_property
    def hook(self) -> NexusHook:
        """The hook of the connection."""
        return NexusHook(self.nexus_conn_id)

    def refuse_without_leave(self) -> None:
        """Refuse to begin, look-ups included, where the connection does not allow writes.

        :raises NexusWriteRefusedError: when it does not
        """
        if not self.hook.settings.allow_writes:
            raise NexusWriteRefusedError(
                f"this task changes something in Nexus, and the connection {self.nexus_conn_id} does not allow that, so nothing "
                "was sent: switch on 'Allow writes' in the connection, or use one that has it on"
            )


class NexusWaitingAction(NexusWaiting, ResumableJobMixin, NexusAction):
    """Base of the actions that deal with one record and can wait for what becomes of it.

    :param wait_for_completion: whether to wait until the record is settled
    :param cancel_on_kill: whether to cancel the record when the task is killed while it waits
    """

    external_id_key = "nexus_code"
    targets: Sequence[str] = ()

    def __init__(self, *, wait_for_completion: bool = False, cancel_on_kill: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.cancel_on_kill = cancel_on_kill
        self._code = ""
        self._record: dict[str, Any] | None = None

    @property
    def resource(self) -> str:
        """Name of the resource that the record is of."""
        return "transactions"

    def act(self, context: Context) -> dict[str, Any]:
        """Carry the write out once, and give the record."""
        raise NotImplementedError

    def read(self, code: str) -> dict[str, Any]:
        """The record of a code."""
        return self.hook.get_record(self.resource, code)

    def execute(self, context: Context) -> Any:
        """Act, and wait if that is wanted.

        :raises NexusAmbiguousWriteError: when it is not known whether Nexus carried it out; another try looks again
        :raises NexusApiError: when Nexus refused it
        :raises NexusWriteRefusedError: when the connection does not allow writes
        :raises NexusStatusError: when the wait can't end well any more
        """
        self.refuse_without_leave()
        if self.wait_for_completion and not self.deferrable:
            return self.execute_resumable(context)
        code = self.submit_job(context)
        if self.wait_for_completion:
            self._record = self._await(code)
        return self.get_job_result(code, context)

    def submit_job(self, context: Context) -> str:
        """Act, and say which record it is."""
        self._record = self.act(context)
        self._known(context, key_text(get_resource(self.resource), self._record))
        return self._code

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """The status of the record of an earlier try."""
        self._known(context, str(external_id))
        self._record = self.read(self._code)
        return str(self._record.get("status") or "")

    def is_job_active(self, status: str) -> bool:
        """Whether something may still come of it; a status that is not known counts as that."""
        return not self._phase(status).is_settled

    def is_job_succeeded(self, status: str) -> bool:
        """Whether it ended well."""
        return self._phase(status) is Phase.SUCCEEDED and not self.targets

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        """Wait, and give the result, as that is what the task returns when it goes on with an earlier try's record."""
        self._record = self._await(str(external_id))
        return self.get_job_result(external_id, context)

    def get_job_result(self, external_id: Any, context: Context) -> Any:  # noqa: ARG002 - Airflow's signature
        """What the task returns."""
        return self.result(self._record or self.read(str(external_id)))

    def on_kill(self) -> None:
        """Cancel the record, if it is known and that is wanted. What goes wrong is logged."""
        if not (self.cancel_on_kill and self._code and get_resource(self.resource).cancel):
            return
        try:
            hook = NexusHook(self.nexus_conn_id, timeout=_PATIENCE_ON_KILL, retries=1)
            hook.client.session.send(cancel_call(get_resource(self.resource), self._code), envelope.unwrap)
            self.log.info("killed: %s of %s is cancelled", self._code, self.resource)
        except Exception as error:  # noqa: BLE001 - a task that is killed must end
            self.log.error("killed, and %s of %s could not be cancelled: %s", self._code, self.resource, error)  # noqa: TRY400

    def _await(self, code: str) -> dict[str, Any]:
        created = (self._record or {}).get("created")
        stamp = created.isoformat() if isinstance(created, datetime) else None
        return self.wait(self.resource, code, targets=self.targets, created=stamp)

    def _known(self, context: Context, code: str) -> None:
        self._code = code
        self.remember(context, self.resource, code)

    def _phase(self, status: str) -> Phase:
        lifecycle = get_resource(self.resource).lifecycle
        return lifecycle.phase(status) if lifecycle else Phase.UNKNOWN


class NexusOnceOperator(NexusWaitingAction):
    """Base of the actions that make a record, each once, whatever happens on the way.

    The record carries a reference, by which the task finds it before it sends anything: after a failure, a lost worker or
    a manual clear. On Airflow 3.3 and later the task also remembers what it sent. When it can't be known whether Nexus
    carried a call out, the task fails with the look-up to make by hand, and another try looks first. It does not send again:
    whether Nexus keeps every reference is not documented, so that one which can't be found is no proof that nothing was made.
    Below Airflow 3.3 such a task is not tried again by itself.

    :param reference: what the record is found by (templated). By default made of DAG, run, task and map index. Give one of
        your own, such as an invoice number, where the same payment could come from another run; it must tell one write from
        all others
    :param resend_after: seconds after which a call of unknown fate that can't be found is sent again, for those who know that
        their Nexus keeps the references; ``None`` never sends it again. A person can,
        by deleting ``nexus_write`` in the task's state store and clearing the task
    :param search_back: seconds before the run's begin from which on the record is searched
    """

    def __init__(
        self,
        *,
        reference: str | None = None,
        resend_after: float | None = None,
        search_back: float = _SEARCH_BACK,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reference = reference
        self.resend_after = resend_after
        self.search_back = search_back

    def write(self, reference: str) -> Write:
        """The call with the reference in it, and how its effect is known.

        :raises NexusConfigurationError: when the arguments make no call
        """
        raise NotImplementedError

    def act(self, context: Context) -> dict[str, Any]:
        """Carry the write out once."""
        ledger = ledger_of(context)
        write = self.write(choose_reference(ledger, self.reference or default_reference(context)))
        if not (write.find and write.is_proof) and isinstance(ledger, MemoryLedger):
            _mind_earlier_tries(ledger, context)
        since = run_begin(context) - timedelta(seconds=self.search_back)
        once = Once(self.hook.client, ledger, quiet=self.resend_after, log=self.log)
        return once.carry_out(write, since)


def ledger_of(context: Context) -> Ledger:
    """The task's ledger; one that lasts for this try alone where Airflow keeps none."""
    store = context.get("task_state_store")
    return MemoryLedger() if store is None else TaskLedger(store)


def default_reference(context: Context) -> str:
    """The same for every try of a task in a run, and for no other."""
    instance = context["ti"]
    return reference_of(instance.dag_id, instance.run_id, instance.task_id, instance.map_index)


def run_begin(context: Context) -> datetime:
    """The earliest moment that the run can have begun."""
    run = context["dag_run"]
    moments = [getattr(run, name, None) for name in ("run_after", "start_date")]
    return min(moment for moment in [*moments, context["ti"].start_date] if moment is not None)


def _mind_earlier_tries(ledger: Ledger, context: Context) -> None:
    """Without a ledger that lasts, an earlier try must be taken to have sent what can't be looked up."""
    if context["ti"].try_number > 1:
        began = run_begin(context).isoformat()
        ledger.set(LEDGER_KEY, vars(Known(first=began, sent=began)))
