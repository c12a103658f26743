"""Bases of the operators that change something: one record, acted on once, and waited for if that is wanted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.moments import span_of_time
from airflow_provider_nexus.api.records import as_plain, key_text
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.compat import ResumableJobMixin, conf
from airflow_provider_nexus.exceptions import NexusWriteRefusedError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._once import ledger_of, mind_earlier_tries
from airflow_provider_nexus.operators._waiting import OnHeld, StatusWatch, times_of
from airflow_provider_nexus.watch.polling import interval
from airflow_provider_nexus.writes.ledger import Ledger, MemoryLedger
from airflow_provider_nexus.writes.once import Once, Write, choose_reference, reference_of

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


_SEARCH_BACK = timedelta(days=30)
_SEARCH_BACK_IN_RUN = timedelta(hours=1)
"""How long before the run a record is searched by default: with a reference of the user's own, and with that of the run."""
_LONGEST = timedelta(days=3650)
_TIMEOUT_ON_KILL = 10.0


class NexusAction(ResumableJobMixin, NexusBaseOperator):
    """Base of the operators that act on one record, and can wait for what becomes of it.

    :param wait_for_completion: whether to wait until the record is settled
    :param cancel_on_kill: whether to cancel the record when the task is killed while it waits
    :param poll_interval: seconds between two polls at first
    :param max_interval: seconds between two polls at most; they get rarer as the wait ages
    :param wait_timeout: seconds after which the wait is given up
    :param deferrable: whether the triggerer waits, so that no worker is occupied
    :param on_held: what to do about a record that is held, for an operator or by a rule: ``wait`` or ``fail``
    :param max_consecutive_failures: failed polls in a row that end the wait
    :param nexus_conn_id: the connection; it must allow writes (templated)
    """

    looks_up_first = True
    ui_color = "#fdebd0"
    external_id_key = "nexus_code"
    resource = "transactions"
    target_statuses: Sequence[str] = ()

    def __init__(
        self,
        *,
        wait_for_completion: bool = False,
        cancel_on_kill: bool = False,
        poll_interval: float = 30.0,
        max_interval: float = 600.0,
        wait_timeout: float = 7 * 86_400.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        on_held: OnHeld = "wait",
        max_consecutive_failures: int = 5,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.cancel_on_kill = cancel_on_kill
        self.poll_interval = poll_interval
        self.max_interval = max_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable
        self.on_held = on_held
        self.max_consecutive_failures = max_consecutive_failures
        self.nexus_conn_id = rendered(nexus_conn_id)
        self._code = ""
        self._record: dict[str, Any] | None = None
        self.check(NexusAction)

    @cached_property
    def hook(self) -> NexusHook:
        """The hook of the connection."""
        return NexusHook(self.nexus_conn_id)

    def act(self, context: Context) -> dict[str, Any]:
        """Carry the write out once, and return the record."""
        raise NotImplementedError

    def carry_out(self, write: Write, context: Context, ledger: Ledger | None = None) -> dict[str, Any]:
        """Carry a write out that is looked up by the record itself, with a ledger where that does not show all earlier tries."""
        return Once(self.hook.client, ledger or MemoryLedger(), log=self.log).carry_out(write, run_begin(context))

    def execute(self, context: Context) -> Any:
        """Act, and wait if that is wanted.

        :raises NexusAmbiguousWriteError: when it is not known whether Nexus carried it out; another try looks again
        :raises NexusApiError: when Nexus refused it
        :raises NexusWriteRefusedError: when the connection does not allow writes; nothing was looked up
        :raises NexusStatusError: when the wait can't end well any more
        """
        self.refuse_missing()
        if not self.hook.settings.allow_writes:
            raise NexusWriteRefusedError(
                f"this task changes something in Nexus, and the connection {self.nexus_conn_id} does not allow that, so nothing "
                "was sent: switch on 'Allow writes' in the connection, or use one that has it on"
            )
        if self.wait_for_completion and not self.deferrable:
            return self.execute_resumable(context)
        code = self.submit_job(context)
        return self.poll_until_complete(code, context) if self.wait_for_completion else self.get_job_result(code, context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Read the record again and return it, or go on waiting. ``NexusWaitError`` when the triggerer could not go on."""
        event = event or {}
        started, deadline = times_of(event)
        return as_plain(self._wait(event["codes"], started, deadline, event))

    def submit_job(self, context: Context) -> str:
        """Act, and return the code of the record."""
        self._record = self.act(context)
        self._code = key_text(get_resource(self.resource), self._record)
        self.remember(context, self.resource, self._code)
        return self._code

    def get_job_status(self, external_id: Any, context: Context) -> str:
        """The status of the record of an earlier try."""
        self._code = str(external_id)
        self.remember(context, self.resource, self._code)
        self._record = self.hook.get_record(self.resource, self._code)
        return str(self._record.get("status") or "")

    def is_job_active(self, status: str) -> bool:
        """Whether something may still come of it; a status that is not known counts as that."""
        return not self._phase(status).is_settled

    def is_job_succeeded(self, status: str) -> bool:
        """Whether it ended well."""
        return self._phase(status) is Phase.SUCCEEDED and not self.target_statuses

    def poll_until_complete(self, external_id: Any, context: Context) -> Any:
        """Wait, and return the result: with the record of an earlier try, that is what the task returns."""
        created = (self._record or {}).get("created")
        stamp = created.isoformat() if isinstance(created, datetime) else ""
        started = datetime.now(UTC)
        self._record = self._wait({str(external_id): stamp}, started, started + timedelta(seconds=self.wait_timeout))
        return self.get_job_result(external_id, context)

    def get_job_result(self, external_id: Any, context: Context) -> Any:  # noqa: ARG002 - Airflow's signature
        """What the task returns."""
        return as_plain(self._record or self.hook.get_record(self.resource, str(external_id)))

    def on_kill(self) -> None:
        """Cancel the record, if it is known and that is wanted. What goes wrong is logged."""
        if not (self.cancel_on_kill and self._code and get_resource(self.resource).cancel):
            return
        try:
            hook = NexusHook(self.nexus_conn_id, timeout=_TIMEOUT_ON_KILL, retries=1)
            hook.client.session.send(cancel_call(get_resource(self.resource), self._code), envelope.unwrap)
            self.log.info("killed: %s of %s is cancelled", self._code, self.resource)
        except Exception as error:  # noqa: BLE001 - a task that is killed must end
            self.log.error("killed, and %s of %s could not be cancelled: %s", self._code, self.resource, error)  # noqa: TRY400

    def _wait(
        self, codes: Mapping[str, str], started: datetime, deadline: datetime, event: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The record when it is where the wait leads to. Deferred, the task goes on in ``execute_complete``."""
        watch = StatusWatch(self, codes)
        while (pause := watch.look()) is not None:
            if watch.held and self.on_held == "fail":
                raise watch.error(watch.held[0], "and is held")
            if self.deferrable:
                trigger = watch.trigger(
                    started,
                    deadline,
                    event,
                    fire_on_held=self.on_held == "fail",
                    poll_interval=self.poll_interval,
                    cancel_on_kill=self.cancel_on_kill,
                )
                self.defer(trigger=trigger, method_name="execute_complete")
            pause = max(pause, interval((datetime.now(UTC) - started).total_seconds(), self.poll_interval, self.max_interval))
            if datetime.now(UTC) + timedelta(seconds=pause) > deadline:
                raise watch.overdue()
            watch.log_wait(deadline)
            time.sleep(pause)
        return watch.record(next(iter(watch.codes)))

    def _phase(self, status: str) -> Phase:
        lifecycle = get_resource(self.resource).lifecycle
        return lifecycle.phase(status) if lifecycle else Phase.UNKNOWN


class NexusOnceOperator(NexusAction):
    """Base of the actions that make a record, each once, whatever happens on the way.

    The record carries a reference, by which the task finds it before it sends anything: after a failure, a lost worker or
    a manual clear. What was sent is remembered, in the task's state store, and below Airflow 3.3 in a Variable that is deleted
    when the record is made. When it can't be known whether Nexus carried a call out, the task fails with the look-up to make by
    hand, and another try looks first. It does not send again: whether Nexus stores every reference is not documented, so one
    that can't be found is no proof that nothing was made.

    A record that is found is compared with what is asked for. Another one, or more than one, is an error that names them.

    :param reference: what the record is found by (templated). By default made of DAG, run, task and map index. Give one of
        your own, such as an invoice number, where the same payment could come from another run; no other write
        may have it. Tasks that use the same one at the same time see each other by an Airflow Variable
    :param resend_after: ``timedelta`` or seconds after which a call of unknown fate that can't be found is sent again, for those
        who know that their Nexus stores the references; ``None`` never sends it again. The error names what a person can do
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
        self.check(NexusOnceOperator)

    def write(self, reference: str) -> Write:
        """The call with the reference in it, and how its effect is looked up. An error where the arguments make no call."""
        raise NotImplementedError

    def act(self, context: Context) -> dict[str, Any]:
        """Carry the write out once."""
        instance, begin, ledger = context["ti"], run_begin(context), ledger_of(context)
        if is_own := self.is_given("reference"):
            reference, back = str(self.reference), _SEARCH_BACK
        else:  # the same for every try of a task in a run, and for no other
            reference = reference_of(instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
            back = _SEARCH_BACK_IN_RUN
        reference = choose_reference(ledger, reference)
        write = self.write(reference)
        if is_own:
            ledger = ledger_of(context, self.hook.settings.environment.base_url, write.path, reference)
        mind_earlier_tries(ledger, context, begin)
        quiet = None if self.resend_after is None else self.resend_after.total_seconds()
        since = begin - (back if self.search_back is None else self.search_back)
        return Once(self.hook.client, ledger, quiet=quiet, log=self.log).carry_out(write, since)


def run_begin(context: Context) -> datetime:
    """The earliest moment that the run can have begun."""
    run = context["dag_run"]
    moments = [getattr(run, name, None) for name in ("run_after", "start_date")]
    return min(moment for moment in [*moments, context["ti"].start_date] if moment is not None)
