"""Sensor that waits for records to reach a status."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_nexus.api.codes import codes_of, texts_of
from airflow_provider_nexus.api.records import as_plain
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import HAS_TASK_STATE, AirflowSensorTimeout, AirflowSkipException, conf
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusWaitTimeoutError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import known_part
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._waiting import OnHeld, StatusWatch, times_of
from airflow_provider_nexus.watch.polling import interval
from airflow_provider_nexus.watch.statuses import goal_of

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


_SO_FAR = "nexus_wait"


class NexusStatusSensor(NexusBaseOperator, BaseSensorOperator):
    """Waits until records are settled, or in a status of your choice.

    All modes give the same answers. A record that ends otherwise fails the task with the record's own reason; a status
    that is not known is never success. Failed polls are tolerated, except for a 401, 403 or 404, and ``Retry-After`` is
    respected. Polls get rarer as the wait ages. Deferred, all waits on one connection and resource share their calls.

    Returns the record, or a list in the order of the codes when several were given.

    .. seealso:: :doc:`waiting`

    :param resource: ``transactions``, ``broker_transactions``, ``orders``, ``transfers``, ``mails``, ``customers`` or
        ``accounts`` (templated)
    :param code: code of the record, or several; a text is one, or the list that a template makes (templated)
    :param target_statuses: status that ends the wait well, or several; by default every one that means success (templated)
    :param on_held: what to do about a record that is held, for an operator or by a rule: ``wait`` or ``fail``
    :param on_held_callback: called once for each record that is held, with the context and in it the record as
        ``nexus_record``: a function or an Airflow notifier; the wait goes on. Rescheduled, "once" needs Airflow 3.3
    :param poke_interval: seconds between two polls at first
    :param max_interval: seconds between two polls at most
    :param timeout: seconds until the task is given up
    :param deferrable: whether the triggerer waits, so that no worker is occupied
    :param max_consecutive_failures: failed polls in a row that fail the task. Rescheduled below Airflow 3.3, the worker is
        occupied from the first of them until a poll is answered
    :param nexus_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = ("resource", "code", "target_statuses", "nexus_conn_id")
    text_fields = template_fields

    def __init__(
        self,
        *,
        resource: str | XComArg,
        code: str | Sequence[str] | XComArg,
        target_statuses: str | Sequence[str] | XComArg | None = None,
        on_held: OnHeld = "wait",
        on_held_callback: Callable[[Context], Any] | None = None,
        max_interval: float = 600.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_consecutive_failures: int = 5,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = rendered(resource)
        self.code = rendered(code)
        self.target_statuses = rendered(target_statuses)
        self.on_held = on_held
        self.on_held_callback = on_held_callback
        self.max_interval = max_interval
        self.deferrable = deferrable
        self.max_consecutive_failures = max_consecutive_failures
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusStatusSensor)
        if isinstance(known := known_part(resource), str):
            statuses = known_part(target_statuses)
            goal_of(get_resource(known), statuses if isinstance(statuses, str | list) else ())

    def execute(self, context: Context) -> Any:
        """Wait.

        :raises NexusStatusError: when a record ended otherwise, or is held and ``on_held`` is ``fail``
        :raises AirflowSensorTimeout: when it took too long
        """
        if self.is_given("target_statuses") and not texts_of(self.target_statuses, "status in target_statuses"):
            raise NexusConfigurationError(
                "target_statuses is empty, so nothing would end the wait: leave it out, or give a status"
            )
        if self._is_one:
            self.remember(context, self.resource, self._codes[0])
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout:  # Airflow's own names no record
                raise AirflowSensorTimeout(str(self._watch.overdue())) from None
        started = datetime.now(UTC)
        with self._skipping():
            return self._done_or_deferred(context, started, started + timedelta(seconds=self.timeout))

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Look once; rescheduled below Airflow 3.3 again after a failure, as the next process would not know of it."""
        with self._skipping():
            self._pause = self._look(context)
            while self.reschedule and not HAS_TASK_STATE and self._watch.patience.failures:
                time.sleep(max(self.poke_interval, self._pause or 0.0))
                self._pause = self._look(context)
        return PokeReturnValue(is_done=True, xcom_value=self._records()) if self._pause is None else False

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> Any:
        """Look again and return the records, or go on waiting. ``NexusWaitError`` when the triggerer could not go on."""
        event = event or {}
        with self._skipping():
            started, deadline = times_of(event)
            self._watch.known_held |= set(event["known_held"])
            self._watch.codes.update(event["codes"])  # with their stamps, so that none is searched for again
            return self._done_or_deferred(context, started, deadline, event)

    _pause: float | None = 0.0

    @cached_property
    def _watch(self) -> StatusWatch:
        return StatusWatch(self, dict.fromkeys(self._codes, ""))

    @cached_property
    def _codes(self) -> tuple[str, ...]:
        codes = codes_of(self.code)
        if not codes:
            raise NexusConfigurationError(f"the sensor has no code to wait for: code is {self.code!r}")
        return codes

    @property
    def _is_one(self) -> bool:
        """Whether one code was given and no list, so that the record itself is returned."""
        return self.code == self._codes[0]

    def _records(self) -> Any:
        records = [as_plain(self._watch.record(code)) for code in self._watch.codes]
        return records[0] if self._is_one else records

    def _look(self, context: Context) -> float | None:
        """Look once: ``None`` when all are there, else the seconds that the server asked to be left alone."""
        watch = self._watch
        store = context.get("task_state_store") if self.reschedule else None  # each look is another process then
        stored = store.get(_SO_FAR) if store else None
        before: dict[str, Any] = stored if isinstance(stored, dict) else {"failures": 0, "known_held": []}
        if store:
            watch.patience.failures = before["failures"]
            watch.known_held |= set(before["known_held"])
        try:
            pause = watch.look()
            for code in watch.held:
                if self.on_held == "fail":
                    raise watch.error(code, "and is held")
                if self.on_held_callback and code not in watch.known_held:
                    self.on_held_callback(cast("Context", {**context, "nexus_record": as_plain(watch.record(code))}))
                watch.known_held.add(code)
            if not self.deferrable:
                watch.log_wait()
        finally:
            after: dict[str, Any] = {"failures": watch.patience.failures, "known_held": sorted(watch.known_held)}
            if store and after != before:
                store.set(_SO_FAR, after)
        return pause

    def _get_next_poke_interval(
        self,
        started_at: datetime | float,  # noqa: ARG002 - Airflow's signature
        run_duration: Callable[[], float],
        poke_count: int,  # noqa: ARG002
    ) -> float:
        return max(interval(run_duration(), self.poke_interval, self.max_interval), self._pause or 0.0)

    def _done_or_deferred(
        self, context: Context, started: datetime, deadline: datetime, event: dict[str, Any] | None = None
    ) -> Any:
        """Look once: the records when all are there; else the triggerer waits."""
        if self._look(context) is None:
            return self._records()
        trigger = self._watch.trigger(
            started,
            deadline,
            event,
            fire_on_held=self.on_held == "fail" or self.on_held_callback is not None,
            poll_interval=self.poke_interval,
        )
        return self.defer(trigger=trigger, method_name="execute_complete")

    @contextmanager
    def _skipping(self) -> Iterator[None]:
        """Turn what ends the wait into what ``soft_fail`` and ``never_fail`` ask for."""
        try:
            yield
        except NexusError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"skipped instead of failed: {error}") from error
            if isinstance(error, NexusWaitTimeoutError):
                raise AirflowSensorTimeout(str(error)) from error
            raise
