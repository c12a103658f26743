"""Waiting for records to reach a status, as operators and sensors do it: one look, then a trigger or the next look."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.sdk import BaseOperator

from airflow_provider_nexus.api.plain import as_plain
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.compat import conf
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusError,
    NexusNotFoundError,
    NexusStatusError,
    NexusWaitError,
    NexusWaitTimeoutError,
)
from airflow_provider_nexus.extract.find import FAR_BACK, find_by_codes
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger
from airflow_provider_nexus.watch.patience import Outage, Patience, interval
from airflow_provider_nexus.watch.statuses import Lookout, Sighting, Verdict, aim_at, drive

if TYPE_CHECKING:
    from airflow.sdk import Context


OnHeld = Literal["wait", "fail"]


class StatusWatch:
    """Looks at records from a worker.

    :param hook: makes the calls; it should not retry, as the next look does
    :param resource: name of a resource with statuses
    :param codes: code -> creation stamp, empty where it is not known
    :param target_statuses: statuses that end the wait well; by default every one that means success
    """

    def __init__(
        self, hook: NexusHook, resource: str, codes: Mapping[str, str], target_statuses: str | Sequence[str] = ()
    ) -> None:
        self.resource = get_resource(resource)
        self.codes = dict(codes)
        self.verdicts: dict[str, Verdict] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._hook, self._aim, self._lookout = hook, aim_at(self.resource, target_statuses), Lookout(self.resource)

    def look(self) -> bool:
        """Look at all that have not got there.

        :return: whether all have
        :raises NexusStatusError: when one can't get there any more
        :raises NexusNotFoundError: when there is no such record
        """
        self._find()
        wanted = {code: created for code, created in self.codes.items() if self.verdicts.get(code) is not Verdict.REACHED}
        self._records = {code: record for code, record in self._records.items() if code not in wanted}
        for code, sighting in drive(self._lookout.look(wanted), self._answer).items():
            self._judge(code, sighting)
        return all(self.verdicts.get(code) is Verdict.REACHED for code in self.codes)

    @property
    def held(self) -> list[str]:
        """Codes of records that are held."""
        return [code for code, verdict in self.verdicts.items() if verdict is Verdict.HELD]

    def record(self, code: str) -> dict[str, Any]:
        """A whole record: the one of the latest look where that read it, else read now."""
        if code not in self._records:
            self._records[code] = self._read(code)
        return self._records[code]

    def trouble(self, code: str, what: str) -> NexusStatusError:
        """The error that says how a record stands, in its own words."""
        record = self.record(code)
        status = self._lookout.sighting(record).status
        return NexusStatusError(self.resource.name, code, status or "", what, _reason(record))

    def _judge(self, code: str, sighting: Sighting) -> None:
        if sighting.status is None:
            raise NexusNotFoundError("GET", self.resource.member_path, status=404, detail=f"there is no {code!r}")
        self.codes[code] = self.codes[code] or sighting.created
        self.verdicts[code] = self._aim.judge(sighting.status, ended=sighting.ended)
        if self.verdicts[code] is Verdict.MISSED:
            raise self.trouble(code, "and can't reach the status that the task waits for")

    def _answer(self, ask: Ask) -> Any:
        if not ask.code:
            return self._hook.client.fetch(self.resource, params=ask.params).value
        self._records[ask.code] = self._hook.get_record(self.resource.name, ask.code)
        return self._records[ask.code]

    def _find(self) -> None:
        """Search for records that can only be asked for by their time, once."""
        lost = {code for code, created in self.codes.items() if not created}
        if self.resource.member_path or not lost:
            return
        self._records |= self._search(lost, datetime.now(UTC) - FAR_BACK)
        for code in lost & self._records.keys():
            self.codes[code] = self._lookout.sighting(self._records[code]).created
        if missing := sorted(lost - self._records.keys()):
            detail = f"none of the last {FAR_BACK.days} days has the code {missing[0]!r}"
            raise NexusNotFoundError("GET", self.resource.path, detail=detail)

    def _read(self, code: str) -> dict[str, Any]:
        if self.resource.member_path:
            return self._hook.get_record(self.resource.name, code)
        created = datetime.fromisoformat(self.codes[code])
        return self._search({code}, created if created.tzinfo else created.replace(tzinfo=UTC))[code]

    def _search(self, codes: Collection[str], start: datetime) -> dict[str, dict[str, Any]]:
        return find_by_codes(self._hook.client, self.resource.name, codes, start)

    def trigger(self, started: datetime, deadline: datetime, **manners: Any) -> NexusStatusTrigger:
        """The trigger that goes on with the wait.

        :param manners: its further arguments
        """
        return NexusStatusTrigger(
            resource=self.resource.name,
            codes=self.codes,
            target_statuses=self._aim.targets,
            started=started.isoformat(),
            deadline=deadline.isoformat(),
            nexus_conn_id=self._hook.nexus_conn_id,
            **manners,
        )


def _reason(record: Mapping[str, Any]) -> str:
    """What the record itself says of why it stands where it does."""
    said = [record.get(name) for name in ("reason", "comment", "latestComplianceHistoryReason")]
    comments = record.get("comments") or []
    said += [item.get("text") if isinstance(item, Mapping) else item for item in comments]
    return "; ".join(str(text) for text in said if text)


class NexusWaiting(BaseOperator):
    """Waits for one record on behalf of an operator, which it comes first among the bases of.

    :param poll_interval: seconds between two looks at first
    :param max_interval: seconds between two looks at most; they get rarer as the wait ages
    :param wait_timeout: seconds after which the wait is given up
    :param deferrable: whether the wait is the triggerer's, so that it holds no worker
    :param on_held: what to do about a record that is held, for an operator or by a rule
    :param max_consecutive_failures: failed looks in a row that end the wait
    """

    nexus_conn_id: str
    cancel_on_kill: bool = False

    def __init__(
        self,
        *,
        poll_interval: float = 30.0,
        max_interval: float = 600.0,
        wait_timeout: float = 7 * 86_400.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        on_held: OnHeld = "wait",
        max_consecutive_failures: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_manners(on_held, poll_interval=poll_interval, max_interval=max_interval, wait_timeout=wait_timeout)
        self.poll_interval = poll_interval
        self.max_interval = max_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable
        self.on_held = on_held
        self.max_consecutive_failures = max_consecutive_failures

    def wait(
        self, resource: str, code: str, *, target_statuses: Sequence[str] = (), created: str | None = None
    ) -> dict[str, Any]:
        """The record once it is where the wait leads to. Deferring, it does not come back here but in ``execute_complete``.

        :param target_statuses: statuses that end the wait well; by default every one that means success
        :param created: its creation stamp, if it is known
        :raises NexusStatusError: when it ended otherwise, or is held and that shall fail
        :raises NexusWaitTimeoutError: when it took too long
        """
        started = datetime.now(UTC)
        deadline = started + timedelta(seconds=self.wait_timeout)
        watch = self._watch(resource, {code: created or ""}, target_statuses)
        if not self.deferrable:
            return self._wait_here(watch, started, deadline)
        if not self._is_there(watch):
            self._hand_over(watch, started, deadline)
        return watch.record(code)

    def execute_complete(self, context: Context, event: dict[str, Any] | None) -> Any:  # noqa: ARG002 - Airflow's signature
        """Read the records again and return what they are, or go on waiting.

        :raises NexusWaitError: when the triggerer could not go on
        """
        started, deadline = check_event(event)
        given = event or {}
        watch = self._watch(given["resource"], given["codes"], given["target_statuses"])
        if not self._is_there(watch):
            go_on_or_raise(event, watch)
            self._hand_over(watch, started, deadline)
        return self.result(watch.record(next(iter(watch.codes))))

    def result(self, record: dict[str, Any]) -> Any:
        """What the task returns."""
        return as_plain(record)

    def _watch(self, resource: str, codes: Mapping[str, str], target_statuses: Sequence[str]) -> StatusWatch:
        return StatusWatch(NexusHook(self.nexus_conn_id, retries=0), resource, codes, target_statuses)

    def _is_there(self, watch: StatusWatch) -> bool:
        pause = look_patiently(watch, Patience(self.max_consecutive_failures), self.log)
        self._mind_held(watch)
        return pause is None

    def _mind_held(self, watch: StatusWatch) -> None:
        if watch.held and self.on_held == "fail":
            raise watch.trouble(watch.held[0], "and is held")

    def _wait_here(self, watch: StatusWatch, started: datetime, deadline: datetime) -> dict[str, Any]:
        patience = Patience(self.max_consecutive_failures)
        while True:
            pause = look_patiently(watch, patience, self.log)
            if pause is None:
                return watch.record(next(iter(watch.codes)))
            self._mind_held(watch)
            pause = max(pause, interval((datetime.now(UTC) - started).total_seconds(), self.poll_interval, self.max_interval))
            if datetime.now(UTC) + timedelta(seconds=pause) > deadline:
                raise overdue(watch)
            time.sleep(pause)

    def _hand_over(self, watch: StatusWatch, started: datetime, deadline: datetime) -> NoReturn:
        self.defer(
            trigger=watch.trigger(
                started,
                deadline,
                fire_on_held=self.on_held == "fail",
                known_held=watch.held,
                poll_interval=self.poll_interval,
                max_interval=self.max_interval,
                max_consecutive_failures=self.max_consecutive_failures,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name="execute_complete",
        )


def check_manners(on_held: object, **spans: object) -> None:
    """Refuse ways of waiting that there are not.

    :param spans: lengths of time in seconds
    :raises NexusConfigurationError: names the argument
    """
    for name, value in spans.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise NexusConfigurationError(f"{name} is {value!r}: give seconds, a number above zero")
    if on_held not in ("wait", "fail"):
        raise NexusConfigurationError(f"on_held is {on_held!r}: give 'wait' or 'fail'")


def look_patiently(watch: StatusWatch, patience: Patience, log: Log) -> float | None:
    """Look once, putting up with failures.

    :param log: is told of the first that failed in a row, and when looks work again
    :return: ``None`` when all are there, else seconds that the server asked to be left alone for
    :raises NexusError: when a failure can't pass or was one too many
    """
    outage = Outage(watch.resource.name, log, patience.failures)
    try:
        is_there = watch.look()
    except NexusError as error:
        outage.failed(error)
        return patience.failed(error)
    outage.answered()
    patience.answered()
    return None if is_there else 0.0


def overdue(watch: StatusWatch) -> NexusWaitTimeoutError:
    """The error for a wait past its deadline."""
    waiting = [code for code in watch.codes if watch.verdicts.get(code) is not Verdict.REACHED]
    return NexusWaitTimeoutError(
        f"{len(waiting)} of {len(watch.codes)} {watch.resource.name} did not reach the status that the task waits for in time, "
        f"{waiting[0]!r} among them: look at them in Nexus, or give the task more time"
    )


def check_event(event: Mapping[str, Any] | None) -> tuple[datetime, datetime]:
    """When the wait of an event began and when it is given up.

    :raises NexusWaitError: when it is not the event of a status trigger: a lost one must not look like success
    """
    try:
        return datetime.fromisoformat((event or {})["started"]), datetime.fromisoformat((event or {})["deadline"])
    except (KeyError, TypeError, ValueError):
        raise NexusWaitError("the wait ended with an event that says nothing: clear the task to look again") from None


def go_on_or_raise(event: Mapping[str, Any] | None, watch: StatusWatch) -> None:
    """Return when waiting on makes sense after an event.

    :raises NexusWaitTimeoutError: past the deadline
    :raises NexusWaitError: when the triggerer could not go on
    """
    why = (event or {}).get("why")
    if why == "deadline":
        raise overdue(watch)
    if why == "error":
        raise NexusWaitError(f"the triggerer gave the wait up: {(event or {}).get('message')}")
