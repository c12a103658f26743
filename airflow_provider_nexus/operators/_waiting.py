"""Waits for records to reach a status, as operators and the sensor do it: one look, then a trigger or the next look."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.exceptions import (
    NexusError,
    NexusNotFoundError,
    NexusStatusError,
    NexusWaitError,
    NexusWaitTimeoutError,
)
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.watch.polling import FailureLimit, OutageLog
from airflow_provider_nexus.watch.statuses import Statuses, StatusReader, WaitLog, WaitState, drive, goal_of

if TYPE_CHECKING:
    from airflow_provider_nexus.operators._action import NexusAction
    from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
    from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger

OnHeld = Literal["wait", "fail"]


class StatusWatch:
    """Looks from a worker at the records that an operator waits for.

    :param codes: code -> creation stamp, empty where it is not known
    """

    def __init__(self, operator: NexusAction | NexusStatusSensor, codes: Mapping[str, str]) -> None:
        self.resource = get_resource(operator.resource)
        self.codes = dict(codes)
        self.verdicts: dict[str, WaitState] = {}
        self.known_held: set[str] = set()
        self.patience = FailureLimit(operator.max_consecutive_failures)
        self._operator, self._log = operator, operator.log
        self._records: dict[str, dict[str, Any]] = {}
        self._hook = NexusHook(operator.nexus_conn_id, retries=0)  # the next look is the retry
        self._goal, self._reader = goal_of(self.resource, operator.target_statuses or ()), StatusReader(self.resource)
        self._seen: Statuses = {}
        self._wait_log = WaitLog(operator.resource, self._goal, self.codes, self._log)

    def look(self) -> float | None:
        """Look at all that are not there yet: ``None`` when all are, else the seconds that the server asked to be left alone.

        A failure that can pass is put up with, and logged once, until there are too many. A record that is missing, or can't get
        there any more, ends the wait with its error.
        """
        outage = OutageLog(self.resource.name, self._log, self.patience.failures)
        try:
            unknown = {code for code, created in self.codes.items() if not created}
            if unknown and not self.resource.member_path:  # such can only be asked for by the time of their creation
                self._records |= self._found(unknown)
                self.codes |= {code: self._reader.status_in(self._records[code]).created for code in unknown}
            waiting = self._waiting()
            self._records = {code: record for code, record in self._records.items() if code not in waiting}
            seen = drive(self._reader.read({code: self.codes[code] for code in waiting}), self._answer)
            self._seen |= seen
            for code, seen_status in seen.items():
                if seen_status.status is None:
                    raise NexusNotFoundError("GET", self.resource.member_path, status=404, detail=f"there is no {code!r}")
                self.codes[code] = self.codes[code] or seen_status.created
                self.verdicts[code] = self._goal.judge(seen_status.status, ended=seen_status.ended)
                if self.verdicts[code] is WaitState.MISSED:
                    raise self.error(code, "and can't reach the status that the task waits for")
        except NexusError as error:
            outage.failed(error)
            return self.patience.failed(error)
        outage.answered()
        self.patience.answered()
        return 0.0 if self._waiting() else None

    @property
    def held(self) -> list[str]:
        """Codes of records that are held."""
        return [code for code, verdict in self.verdicts.items() if verdict is WaitState.HELD]

    def record(self, code: str) -> dict[str, Any]:
        """A whole record: the one of the latest look where that read it, else read now."""
        if code not in self._records:
            if self.resource.member_path:
                self._records[code] = self._hook.get_record(self.resource.name, code)
            else:
                self._records |= self._found([code], moment(self.codes[code], "created"))
        return self._records[code]

    def error(self, code: str, what: str) -> NexusStatusError:
        """The error that names the status of a record, and the reason in the record."""
        record = self.record(code)
        reasons = [record.get(name) for name in ("reason", "comment", "latestComplianceHistoryReason")]
        reasons += [item.get("text") if isinstance(item, Mapping) else item for item in record.get("comments") or []]
        reason = "; ".join(str(text) for text in reasons if text)
        return NexusStatusError(self.resource.name, code, self._reader.status_in(record).status or "", what, reason)

    def overdue(self) -> NexusWaitTimeoutError:
        """The error for a wait past its deadline."""
        waiting = self._waiting()
        return NexusWaitTimeoutError(
            f"{len(waiting)} of {len(self.codes)} {self.resource.name} did not reach the status that the task waits for in time, "
            f"{waiting[0]!r} among them: look at them in Nexus, or give the task more time"
        )

    def log_wait(self, deadline: datetime | None = None) -> None:
        """Log what is still waited for, and until when if that is known, unless the last line of this kind had the same in it."""
        self._wait_log.log(self._seen, datetime.now(UTC), deadline)

    def trigger(
        self, started: datetime, deadline: datetime, event: Mapping[str, Any] | None, **arguments: Any
    ) -> NexusStatusTrigger:
        """The trigger that goes on with the wait. An error where the event of the one before is the end of it."""
        from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger

        why = (event or {}).get("why")
        if why == "deadline":
            raise self.overdue()
        if why == "error":
            raise NexusWaitError(f"the triggerer gave the wait up: {(event or {}).get('message')}")
        self.log_wait(deadline)
        return NexusStatusTrigger(
            resource=self.resource.name,
            codes=self.codes,
            target_statuses=self._goal.targets,
            started=started.isoformat(),
            deadline=deadline.isoformat(),
            known_held=sorted(self.known_held),
            max_interval=self._operator.max_interval,
            max_consecutive_failures=self.patience.most,
            nexus_conn_id=self._hook.nexus_conn_id,
            **arguments,
        )

    def _waiting(self) -> list[str]:
        return [code for code in self.codes if self.verdicts.get(code) is not WaitState.REACHED]

    def _found(self, codes: Collection[str], since: datetime | None = None) -> dict[str, dict[str, Any]]:
        from airflow_provider_nexus.extract.find import find_by_codes

        return find_by_codes(self._hook.client, self.resource.name, codes, since)

    def _answer(self, ask: Ask) -> Any:
        if not ask.code:
            return self._hook.client.fetch(self.resource, params=ask.params).value
        self._records[ask.code] = self._hook.get_record(self.resource.name, ask.code)
        return self._records[ask.code]


def times_of(event: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When the wait of an event began and when it is given up. A lost event is an error, as it must not look like success."""
    try:
        return datetime.fromisoformat(event["started"]), datetime.fromisoformat(event["deadline"])
    except (KeyError, TypeError, ValueError):
        raise NexusWaitError("the wait ended with an event that names no times: clear the task to look again") from None
