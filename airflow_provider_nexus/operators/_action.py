"""What the operators that change something share: the ledger, the connection's leave, waiting and cancelling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.codes import IN_QUOTES
from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.moments import span_of_time
from airflow_provider_nexus.api.records import key_text
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.compat import ResumableJobMixin
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWriteRefusedError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._ledgers import ledger_of, mind_earlier_tries, shared_by
from airflow_provider_nexus.operators._waiting import NexusWaiting
from airflow_provider_nexus.writes.once import Once, Write, choose_reference, reference_of

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


SEARCH_BACK = timedelta(days=30)
"""How long before the run a record with a reference of the user's own is searched, if nothing else is said."""
_LONGEST = timedelta(days=3650)
_SEARCH_BACK_IN_RUN = timedelta(hours=1)
_PATIENCE_ON_KILL = 10.0


class NexusAction(NexusBaseOperator):
    """Base of the operators that change something in Nexus.

    :param nexus_conn_id: the connection; it must allow writes (templated)
    """

    looks_up_first = True
    ui_color = "#fdebd0"

    def __init__(self, *, nexus_conn_id: str | XComArg = NexusHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nexus_conn_id = rendered(nexus_conn_id)

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
    target_statuses: Sequence[str] = ()

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
        self.refuse_missing()
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
        return self._phase(status) is Phase.SUCCEEDED and not self.target_statuses

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
        return self.wait(self.resource, code, target_statuses=self.target_statuses, created=stamp)

    def _known(self, context: Context, code: str) -> None:
        self._code = code
        self.remember(context, self.resource, code)

    def _phase(self, status: str) -> Phase:
        lifecycle = get_resource(self.resource).lifecycle
        return lifecycle.phase(status) if lifecycle else Phase.UNKNOWN


class NexusOnceOperator(NexusWaitingAction):
    """Base of the actions that make a record, each once, whatever happens on the way.

    The record carries a reference, by which the task finds it before it sends anything: after a failure, a lost worker or
    a manual clear. What was sent is remembered, in the task's state store, and below Airflow 3.3 in a Variable that goes when
    the record is made. When it can't be known whether Nexus carried a call out, the task fails with the look-up to make by hand,
    and another try looks first. It does not send again: whether Nexus keeps every reference is not documented, so that one which
    can't be found is no proof that nothing was made.

    A record that is found is compared with what is asked for. One that is another, or more than one, is an error that names
    them.

    :param reference: what the record is found by (templated). By default made of DAG, run, task and map index. Give one of
        your own, such as an invoice number, where the same payment could come from another run; it must tell one write from
        all others. Tasks that have the same one in hand at the same time see each other by an Airflow Variable
    :param resend_after: ``timedelta`` or seconds after which a call of unknown fate that can't be found is sent again, for those
        who know that their Nexus keeps the references; ``None`` never sends it again. The error says how a person does
    :param search_back: how long before the run's begin a record with the reference is searched, as ``timedelta`` or seconds; by
        default 30 days for a reference of your own, and an hour for the one of the run
    """

    def __init__(
        self,
        *,
        reference: str | XComArg | None = None,
        resend_after: timedelta | float | None = None,
        search_back: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reference = rendered(reference)
        self.resend_after = None if resend_after is None else span_of_time(resend_after, "resend_after", longest=_LONGEST)
        self.search_back = None if search_back is None else span_of_time(search_back, "search_back", longest=_LONGEST)
        if isinstance(reference, str) and "{{" not in reference:
            check_reference(reference)

    def write(self, reference: str) -> Write:
        """The call with the reference in it, and how its effect is known.

        :raises NexusConfigurationError: when the arguments make no call
        """
        raise NotImplementedError

    def act(self, context: Context) -> dict[str, Any]:
        """Carry the write out once."""
        own, back = ledger_of(context), _SEARCH_BACK_IN_RUN
        reference, is_own = default_reference(context), self.is_given("reference")
        if is_own:
            reference, back = check_reference(self.reference), SEARCH_BACK
        reference = choose_reference(own, reference)
        write = self.write(reference)
        ledger = shared_by(own, self.hook.settings.environment.base_url, write.path, reference) if is_own else own
        mind_earlier_tries(ledger, context, run_begin(context))
        quiet = None if self.resend_after is None else self.resend_after.total_seconds()
        back = back if self.search_back is None else self.search_back
        return Once(self.hook.client, ledger, quiet=quiet, log=self.log).carry_out(write, run_begin(context) - back)


def check_reference(reference: object) -> str:
    """A reference of the user's own, as it was rendered.

    :raises NexusConfigurationError: for one that would tell no write from another, or that Nexus would give back as another text
    """
    if not isinstance(reference, str):
        raise NexusConfigurationError(
            f"reference is {reference!r}, a {type(reference).__name__}, and a reference is text: {IN_QUOTES}; nothing was sent"
        )
    if reference in ("", "None") or reference != reference.strip() or not reference.isprintable():
        raise NexusConfigurationError(
            f"reference is {reference!r}: give a text that tells this write from all others, without blanks around it; an empty "
            "one, or 'None', is what a template makes of a missing value. Nothing was sent"
        )
    return reference


def default_reference(context: Context) -> str:
    """The same for every try of a task in a run, and for no other."""
    instance = context["ti"]
    return reference_of(instance.dag_id, instance.run_id, instance.task_id, instance.map_index)


def run_begin(context: Context) -> datetime:
    """The earliest moment that the run can have begun."""
    run = context["dag_run"]
    moments = [getattr(run, name, None) for name in ("run_after", "start_date")]
    return min(moment for moment in [*moments, context["ti"].start_date] if moment is not None)
