"""Waits for records to reach a status, as operators and the sensor do it: one look, then a trigger or the next look."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.client.log import Log
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
    from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger

OnHeld = Literal["wait", "fail"]


class StatusWatch:
    """Looks at records from a worker.

    :param nexus_conn_id: the connection
    :param resource: name of a resource with statuses
    :param codes: code -> creation stamp, empty where it is not known
    :param target_statuses: statuses that end the wait well; by default every one that means success
    :param max_consecutive_failures: failed looks in a row that end the wait
    """

    def __init__(
        self,
        nexus_conn_id: str,
        resource: str,
        codes: Mapping[str, str],
        target_statuses: str | Sequence[str],
        max_consecutive_failures: int,
        log: Log,
    ) -> None:
        self.resource = get_resource(resource)
        self.codes = dict(codes)
        self.verdicts: dict[str, WaitState] = {}
        self.patience = FailureLimit(max_consecutive_failures)
        self._records: dict[str, dict[str, Any]] = {}
        self._hook = NexusHook(nexus_conn_id, retries=0)  # the next look is the retry
        self._goal, self._reader, self._log = goal_of(self.resource, target_statuses), StatusReader(self.resource), log
        self._seen: Statuses = {}
        self._wait_log = WaitLog(resource, self._goal, self.codes, log)

    def look(self) -> float | None:
        """Look at all that are not there yet. A failure that can pass is put up with, and logged once.

        :return: ``None`` when all are there, else the seconds that the server asked to be left alone
        :raises NexusStatusError: when one can't get there any more
        :raises NexusNotFoundError: when there is no such record
        :raises NexusError: when a failure can't pass, or was one too many
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
                created = datetime.fromisoformat(self.codes[code])
                since = created if created.tzinfo else created.replace(tzinfo=UTC)
                self._records |= self._found([code], since)
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
        """Log what is still waited for, if the last line of this kind did not have the same in it.

        :param deadline: when the wait is given up, if that is known
        """
        self._wait_log.log(self._seen, datetime.now(UTC), deadline)

    def trigger(self, started: datetime, deadline: datetime, **arguments: Any) -> NexusStatusTrigger:
        """The trigger that goes on with the wait.

        :param arguments: its further arguments
        """
        from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger

        self.log_wait(deadline)
        return NexusStatusTrigger(
            resource=self.resource.name,
            codes=self.codes,
            target_statuses=self._goal.targets,
            started=started.isoformat(),
            deadline=deadline.isoformat(),
            max_consecutive_failures=self.patience.most,
            nexus_conn_id=self._hook.nexus_conn_id,
            **arguments,
        )

    def go_on_or_raise(self, event: Mapping[str, Any] | None) -> None:
        """Return when waiting on makes sense after an event.

        :raises NexusWaitTimeoutError: past the deadline
        :raises NexusWaitError: when the triggerer could not go on
        """
        why = (event or {}).get("why")
        if why == "deadline":
            raise self.overdue()
        if why == "error":
            raise NexusWaitError(f"the triggerer gave the wait up: {(event or {}).get('message')}")

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


def times_of(event: Mapping[str, Any] | None) -> tuple[datetime, datetime]:
    """When the wait of an event began and when it is given up.

    :raises NexusWaitError: when it is not the event of a status trigger: a lost one must not look like success
    """
    try:
        return datetime.fromisoformat((event or {})["started"]), datetime.fromisoformat((event or {})["deadline"])
    except (KeyError, TypeError, ValueError):
        raise NexusWaitError("the wait ended with an event that names no times: clear the task to look again") from None
