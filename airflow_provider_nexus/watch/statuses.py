"""Statuses of many records, read with few calls, and whether they end a wait. No sockets: generators yield what to ask for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from airflow_provider_nexus.api.codes import did_you_mean, texts_of
from airflow_provider_nexus.api.envelope import Records
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.api.timestamps import to_pendulum, to_wire
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusNotFoundError, NexusValidationError


class WaitState(StrEnum):
    """The state of a wait for one record."""

    PENDING = "pending"
    HELD = "held"
    REACHED = "reached"
    MISSED = "missed"


@dataclass(frozen=True)
class Goal:
    """The statuses that a wait is for: the targets end it well, by default every one that means success."""

    lifecycle: Lifecycle
    targets: tuple[str, ...] = ()

    def judge(self, status: str | None, *, ended: bool = False) -> WaitState:
        """The state of the wait when the record has a status. A status that is not known is never success.

        :param ended: whether the record carries the time of its end, so that nothing more is to be expected
        """
        if (status or "").strip().casefold() in {target.casefold() for target in self.targets}:
            return WaitState.REACHED
        phase = self.lifecycle.phase(status)
        if phase is Phase.SUCCEEDED:
            if not self.targets:
                return WaitState.REACHED
            return WaitState.PENDING if self.lifecycle.reopens else WaitState.MISSED
        if phase is Phase.FAILED or (phase is Phase.UNKNOWN and ended):
            return WaitState.MISSED
        return WaitState.HELD if phase is Phase.HELD else WaitState.PENDING


def goal_of(resource: Resource, targets: str | Sequence[str] = ()) -> Goal:
    """The statuses to wait for with a resource's records.

    :param targets: one status or several; by default every one that means success
    :raises NexusConfigurationError: when the resource has no statuses, or a target is none of them. For broker
        transactions no source lists all statuses (docs/api_facts.rst, Broker lifecycle), so any is taken
    """
    lifecycle = resource.lifecycle
    if lifecycle is None:
        raise NexusConfigurationError(f"records of {resource.name} have no status that could be waited for")
    known, wanted = {status.casefold() for status in lifecycle.statuses}, texts_of(targets, "status")
    for target in wanted:
        if target.casefold() not in known and lifecycle.is_complete:
            raise NexusConfigurationError(
                f"{target!r} is no status of {resource.name}: {did_you_mean(target, lifecycle.statuses)}"
            )
    return Goal(lifecycle, wanted)


@dataclass(frozen=True)
class SeenStatus:
    """The status of a record when it was read.

    :param status: as Nexus wrote it; ``None`` when there is no such record
    :param ended: whether it carries the time of its end
    :param created: its creation stamp, as it came
    """

    status: str | None
    ended: bool = False
    created: str = ""


_NAMED = 3
"""Records that are named in a line of the log."""


class WaitLog:
    """Logs what a wait is for, until when, and what was seen last: once, and again when that changes.

    :param codes: of the records that are waited for
    """

    def __init__(self, resource: str, goal: Goal, codes: Collection[str], log: Log) -> None:
        self._resource, self._goal, self._codes, self._log = resource, goal, codes, log
        self._logged: object = None

    def log(self, seen: Mapping[str, SeenStatus], looked: datetime, until: datetime | None, *, again: bool = False) -> None:
        """Log a line, unless the last one had the same in it or nothing is waited for any more.

        :param looked: when the records were seen so
        :param until: when the wait is given up; ``None`` where only Airflow knows
        :param again: whether a line is due anyway
        """
        reached = {code for code, each in seen.items() if self._goal.judge(each.status, ended=each.ended) is WaitState.REACHED}
        waiting = [code for code in self._codes if code not in reached]
        statuses = Counter(seen[code].status or "none" for code in waiting if code in seen)
        if not waiting or (self._logged == (waiting, statuses) and not again):
            return
        self._logged = waiting, statuses
        named = ", ".join(waiting[:_NAMED]) + (f" and {len(waiting) - _NAMED:,} more" if len(waiting) > _NAMED else "")
        is_one = len(self._codes) == 1
        # what was seen comes first, as Airflow's page cuts lines off at about a hundred characters
        self._log.info(
            "waiting for %s: %s, to be %s%s%s",
            named if is_one else f"{len(waiting):,} of {len(self._codes):,} {self._resource}",
            ", ".join(status if is_one else f"{count:,} {status}" for status, count in statuses.most_common())
            + f" at {looked.astimezone(UTC):%H:%M}"
            if statuses
            else "not seen yet",
            " or ".join(self._goal.targets or self._goal.lifecycle.succeeded),
            f" until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "",
            "" if is_one else f" ({named})",
        )


T = TypeVar("T")
_CAUGHT = (NexusNotFoundError, NexusValidationError)
FEW = 3
"""As many records are read one by one."""
LIMIT = 2000
"""Records asked for in one list; a server may give fewer."""
MOST = 50
"""As many single records are read at once; the others have their turn the next time."""
_SECOND = timedelta(seconds=1)

Statuses = dict[str, SeenStatus]
StatusReading = Generator[Ask, Any, Statuses]


class StatusReader:
    """Reads the statuses of records of one resource, again and again.

    :param resource: one with a lifecycle
    :raises NexusConfigurationError: when it has none
    """

    def __init__(self, resource: Resource) -> None:
        if resource.lifecycle is None:
            raise NexusConfigurationError(f"records of {resource.name} have no status")
        self.resource, self._lifecycle = resource, resource.lifecycle
        self._reader = RowReader(resource)
        self._lists = True
        self._turn = 0

    def read(self, wanted: Mapping[str, str]) -> StatusReading:
        """Ask for the status of records. A code that could not be looked at this time is left out.

        :param wanted: code -> creation stamp, empty where it is not known
        """
        seen: Statuses = {}
        for statuses in (self._lifecycle.unsettled, (*self._lifecycle.succeeded, *self._lifecycle.failed)):
            missing = {code: created for code, created in wanted.items() if code not in seen}
            if len(missing) > FEW and self._lists:
                seen |= yield from self._list(statuses, missing)
        codes = sorted(wanted.keys() - seen.keys())
        start = self._turn % len(codes) if len(codes) > MOST else 0
        self._turn += MOST
        for code in (codes[start:] + codes[:start])[:MOST]:
            if not self.resource.member_path:
                page: Records = yield Ask({**self._bounds({code: wanted[code]}), "page": 1, "limit": LIMIT})
                seen |= {found: status for found, status in self._in_page(page) if found == code}
                continue
            try:
                seen[code] = self.status_in((yield Ask(code=code)))
            except NexusNotFoundError:
                seen[code] = SeenStatus(None)
        return seen

    def _list(self, statuses: Iterable[str], wanted: Mapping[str, str]) -> StatusReading:
        """The wanted ones among the records of some statuses; given up when the pages would cost more than single reads."""
        seen: Statuses = {}
        number, pages = 1, 1
        while number <= pages:
            try:
                page: Records = yield Ask({"status": "|".join(statuses), **self._bounds(wanted), "page": number, "limit": LIMIT})
            except _CAUGHT:
                self._lists = number > 1  # the list is not offered here, or not with this filter
                return seen
            seen |= {code: seen_status for code, seen_status in self._in_page(page) if code in wanted}
            pages = math.ceil((page.total or 0) / len(page.raw)) if number == 1 and page.raw else pages
            if not page.raw or pages > len(wanted):
                return seen
            number += 1
        return seen

    def _bounds(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """From the oldest to the newest that is wanted, one second wider, so that it does not matter what a bound includes."""
        dates = self.resource.created
        if dates is None or not all(wanted.values()):
            return {}
        moments = [to_pendulum(stamp) for stamp in wanted.values()]
        return {dates.since: to_wire(min(moments) - _SECOND), dates.until: to_wire(max(moments) + 2 * _SECOND)}

    def status_in(self, record: Mapping[str, Any]) -> SeenStatus:
        """The status of a whole record."""
        folded = {name.lower(): value for name, value in record.items()}
        status, created = folded.get(self._lifecycle.status_field.lower()), folded.get("created")
        return SeenStatus(
            str(status or ""),
            ended=bool(folded.get("finished")),
            created=created.isoformat() if isinstance(created, datetime) else str(created or ""),
        )

    def _in_page(self, page: Records) -> Iterable[tuple[str, SeenStatus]]:
        for raw in page.raw:
            try:
                row = self._reader.read(raw)
            except NexusDataError:
                continue  # read one by one, its error names what is wrong
            status = self._reader.status(row)
            is_odd = self._lifecycle.phase(status) is Phase.UNKNOWN
            yield row.key, self.status_in(self._reader.record(row)) if is_odd else SeenStatus(status, created=row.stamp)


def drive(asking: Generator[Ask, Any, T], answer: Callable[[Ask], Any]) -> T:
    """Run a generator to its result, with a function that answers what it asks.

    :raises NexusApiError: what the function raises, where the generator does not catch it
    """
    try:
        ask = next(asking)
        while True:
            try:
                value = answer(ask)
            except _CAUGHT as error:
                ask = asking.throw(error)
            else:
                ask = asking.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def adrive(asking: Generator[Ask, Any, T], answer: Callable[[Ask], Awaitable[Any]]) -> T:
    """The same in an event loop."""
    try:
        ask = next(asking)
        while True:
            try:
                value = await answer(ask)
            except _CAUGHT as error:
                ask = asking.throw(error)
            else:
                ask = asking.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
