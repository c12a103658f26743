"""What somebody waits for, and what a status means for that."""

from __future__ import annotations

import difflib
import math
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from airflow_provider_nexus.api.codes import texts_of
from airflow_provider_nexus.api.envelope import Records, decode
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.api.timestamps import to_pendulum, to_wire
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusNotFoundError, NexusValidationError


class Verdict(StrEnum):
    """Where a wait stands."""

    PENDING = "pending"
    HELD = "held"
    REACHED = "reached"
    MISSED = "missed"


@dataclass(frozen=True)
class Aim:
    """What to wait for.

    :param lifecycle: statuses of the kind of record
    :param targets: statuses that end the wait well; by default every one that means success
    """

    lifecycle: Lifecycle
    targets: tuple[str, ...] = ()

    def judge(self, status: str | None, *, ended: bool = False) -> Verdict:
        """Where a wait stands when the record has a status. A status that is not known is never success.

        :param ended: whether the record carries the time of its end, so that nothing more is to be expected
        """
        if (status or "").strip().casefold() in {target.casefold() for target in self.targets}:
            return Verdict.REACHED
        phase = self.lifecycle.phase(status)
        if phase is Phase.SUCCEEDED:
            if not self.targets:
                return Verdict.REACHED
            return Verdict.PENDING if self.lifecycle.reopens else Verdict.MISSED
        if phase is Phase.FAILED or (phase is Phase.UNKNOWN and ended):
            return Verdict.MISSED
        return Verdict.HELD if phase is Phase.HELD else Verdict.PENDING


def aim_at(resource: Resource, targets: str | Sequence[str] = ()) -> Aim:
    """What to wait for with a resource's records.

    :param targets: one status or several; by default every one that means success
    :raises NexusConfigurationError: when the resource has no statuses, or a target is none of them. For broker
        transactions no source lists all statuses (docs/api_facts.rst, Broker lifecycle), so any is taken
    """
    lifecycle = resource.lifecycle
    if lifecycle is None:
        raise NexusConfigurationError(f"records of {resource.name} have no status that could be waited for")
    known, wanted = {status.casefold(): status for status in lifecycle.statuses}, texts_of(targets, "status")
    for target in wanted:
        if target.casefold() not in known and lifecycle.is_complete:
            nearest = difflib.get_close_matches(target.casefold(), known, n=1, cutoff=0.5)
            hint = f"did you mean {known[nearest[0]]!r}?" if nearest else f"known are {', '.join(lifecycle.statuses)}"
            raise NexusConfigurationError(f"{target!r} is no status of {resource.name}: {hint}")
    return Aim(lifecycle, wanted)


T = TypeVar("T")
_COPED_WITH = (NexusNotFoundError, NexusValidationError)
FEW = 3
"""As many records are read one by one."""
LIMIT = 2000
"""Records asked for in one list; a server may give fewer."""
MOST = 50
"""As many single records are read in one look; the others have their turn in the next."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Sighting:
    """What a record was seen at.

    :param status: as Nexus wrote it; ``None`` when there is no such record
    :param ended: whether it carries the time of its end
    :param created: its creation stamp, as it came
    """

    status: str | None
    ended: bool = False
    created: str = ""


Sightings = dict[str, Sighting]
Looking = Generator[Ask, Any, Sightings]


class Lookout:
    """Looks at records of one resource, again and again.

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

    def look(self, wanted: Mapping[str, str]) -> Looking:
        """Ask for the status of records. A code that could not be looked at this time is left out.

        :param wanted: code -> creation stamp, empty where it is not known
        """
        seen: Sightings = {}
        for statuses in (self._lifecycle.unsettled, (*self._lifecycle.succeeded, *self._lifecycle.failed)):
            missing = _missing(wanted, seen)
            if len(missing) > FEW and self._lists:
                seen |= yield from self._list(statuses, missing)
        for code in self._in_turn(_missing(wanted, seen)):
            sighting = yield from self._one(code, wanted[code])
            if sighting is not None:
                seen[code] = sighting
        return seen

    def _in_turn(self, missing: Mapping[str, str]) -> list[str]:
        codes = sorted(missing)
        start = self._turn % len(codes) if len(codes) > MOST else 0
        self._turn += MOST
        return (codes[start:] + codes[:start])[:MOST]

    def _list(self, statuses: Iterable[str], wanted: Mapping[str, str]) -> Looking:
        """The wanted ones among the records of some statuses; given up when the pages would cost more than single reads."""
        seen: Sightings = {}
        number, pages = 1, 1
        while number <= pages:
            try:
                page: Records = yield Ask({"status": "|".join(statuses), **self._bounds(wanted), "page": number, "limit": LIMIT})
            except _COPED_WITH:
                self._lists = number > 1  # the list is not offered here, or not with this filter
                return seen
            seen |= {code: sighting for code, sighting in self._sightings(page) if code in wanted}
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

    def _one(self, code: str, created: str) -> Generator[Ask, Any, Sighting | None]:
        if not self.resource.member_path:
            page: Records = yield Ask({**self._bounds({code: created}), "page": 1, "limit": LIMIT})
            return dict(self._sightings(page)).get(code)
        try:
            return self.sighting((yield Ask(code=code)))
        except NexusNotFoundError:
            return Sighting(None)

    def sighting(self, record: Mapping[str, Any]) -> Sighting:
        """What a whole record is seen at."""
        folded = {name.lower(): value for name, value in record.items()}
        status, created = folded.get(self._lifecycle.status_field.lower()), folded.get("created")
        return Sighting(
            str(status or ""),
            ended=bool(folded.get("finished")),
            created=created.isoformat() if isinstance(created, datetime) else str(created or ""),
        )

    def _sightings(self, page: Records) -> Iterable[tuple[str, Sighting]]:
        for raw in page.raw:
            try:
                row = self._reader.read(raw)
            except NexusDataError:
                continue  # read one by one, it says what is wrong with it
            status = self._reader.status(row)
            is_odd = self._lifecycle.phase(status) is Phase.UNKNOWN
            yield row.key, self.sighting(decode(raw)) if is_odd else Sighting(status, created=row.stamp)


def drive(asking: Generator[Ask, Any, T], answer: Callable[[Ask], Any]) -> T:
    """Carry out what asks, with a function that answers.

    :raises NexusApiError: what the function raises, where the asking does not cope with it
    """
    try:
        ask = next(asking)
        while True:
            try:
                value = answer(ask)
            except _COPED_WITH as error:
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
            except _COPED_WITH as error:
                ask = asking.throw(error)
            else:
                ask = asking.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def _missing(wanted: Mapping[str, str], seen: Sightings) -> dict[str, str]:
    return {code: created for code, created in wanted.items() if code not in seen}
