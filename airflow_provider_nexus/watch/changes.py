"""Changes of a collection since a position, found by comparing polls. No sockets: generators yield what to ask for.

Nexus has no "updated since". A :class:`Poll` therefore contains what was seen in one poll: the records that are not settled,
those created lately, and those that have left the unsettled ones since the poll before. :func:`compare` returns what in it
is new to a :class:`Position`, which is all that a watcher has to store. Many watchers can share the snapshots.

No filter and no order of an answer is believed: rows outside of what was asked for are dropped, and only rows that do
descend end a walk early. What an unlucky page hides is still missing at the next poll and then looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from airflow_provider_nexus.api.envelope import Records
from airflow_provider_nexus.api.lifecycles import Lifecycle, Phase
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.api.timestamps import SECOND, normalise, to_wire
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.exceptions import NexusDataError, NexusError, NexusNotFoundError, NexusValidationError
from airflow_provider_nexus.watch.statuses import LIMIT, SeenStatus, StatusReader, StatusReading

_WAYS = ((LIMIT, True), (100, True), (100, False))
"""Page sizes and whether to sort, from the cheapest on; a server that refuses one is asked in the next."""
_WALKS = 3
"""As often is a list read that shrinks meanwhile."""

Clock = Callable[[], datetime | None]
Known = dict[str, SeenStatus]
Polling = Generator[Ask, Any, "Poll"]


@dataclass(frozen=True)
class RecordChange:
    """One change of one record.

    :param id: the same text whenever the same change is reported again
    :param change: ``created``, or ``entered`` for a status that an older record came to
    :param status: what it came to, spelt as in the catalogue
    :param previous: the status it was known to have before; ``None`` when none was known
    :param created: its creation stamp, in UTC
    """

    id: str
    resource: str
    code: str
    change: str
    status: str
    previous: str | None
    created: str


@dataclass(frozen=True)
class Poll:
    """What one poll saw.

    :param now: the server's time when it began
    :param since: records created from here on were all asked for
    :param seen: the latest status seen of each record by code
    """

    now: datetime
    since: datetime
    seen: Known


@dataclass(frozen=True)
class Position:
    """How far a watcher has come.

    :param since: the server's time at the latest poll
    :param known: the records that can still change, and those created lately, as they were last seen
    """

    since: datetime
    known: Known = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        """The position as JSON-able members: ``since``, and ``known`` as status -> code -> creation stamp."""
        known: dict[str, dict[str, str]] = {}
        for code, seen_status in self.known.items():
            known.setdefault(seen_status.status or "", {})[code] = seen_status.created
        return {"since": to_wire(self.since), "known": known}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Position:
        """The position that was dumped.

        :raises ValueError: when it is none
        """
        try:
            known = {code: SeenStatus(s, created=at) for s, codes in stored["known"].items() for code, at in codes.items()}
            return cls(datetime.fromisoformat(stored["since"]), known)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"that is no position of a watcher: {error!r}") from None


class Watch:
    """Polls one collection.

    :param resource: a windowed one
    :param clock: the server's time, by its latest answer
    :param lag: seconds after which a record that was created can surely be seen
    :param with_states: whether statuses count, or only that records are created
    """

    def __init__(self, resource: Resource, clock: Clock, *, lag: float, with_states: bool) -> None:
        self.resource, self.lag = resource, timedelta(seconds=lag)
        self.lifecycle = resource.lifecycle if with_states else None
        self._clock, self._reader = clock, RowReader(resource)
        self._statuses = StatusReader(resource) if with_states else None
        self._way = 0
        self._started: datetime | None = None

    def poll(self, since: datetime | None = None, known: Mapping[str, SeenStatus] | None = None) -> Polling:
        """Ask for all of a snapshot.

        :param since: begin of the records created lately; by default ``lag`` before now
        :param known: records to find again if they have left the unsettled ones
        :raises NexusError: when the server sends no time
        """
        if since is None:
            yield Ask({"page": 1, "limit": 1})
            since = self._now() - self.lag
        self._started = None
        seen = (yield from self._unsettled(self.lifecycle)) if self.lifecycle else {}
        seen |= yield from self._created(since)
        now = self._started or self._now()
        missing = {code: seen_status.created for code, seen_status in (known or {}).items() if self.is_open(seen_status)}
        seen |= yield from self.find({code: at for code, at in missing.items() if code not in seen})
        return Poll(now, since, seen)

    def find(self, wanted: Mapping[str, str]) -> StatusReading:
        """Look for records by code. One that could not be looked at this time is left out.

        :param wanted: code -> creation stamp
        """
        if not wanted or self._statuses is None:
            return {}
        found = yield from self._statuses.read(wanted)
        return {
            code: SeenStatus(
                None if seen.status is None else spelt(self.resource.lifecycle, seen.status),
                created=normalise(seen.created) if seen.created else wanted[code],
            )
            for code, seen in found.items()
        }

    def is_open(self, seen_status: SeenStatus) -> bool:
        """Whether a record can be found among the unsettled ones."""
        return self.lifecycle is not None and self.lifecycle.phase(seen_status.status) in (Phase.IN_FLIGHT, Phase.HELD)

    def _unsettled(self, lifecycle: Lifecycle) -> StatusReading:
        rows = yield from self._walk({"status": "|".join(lifecycle.unsettled)})
        seen = {row.key: self._status_of(row) for row in rows.values()}
        return {code: seen_status for code, seen_status in seen.items() if self.is_open(seen_status)}

    def _created(self, since: datetime) -> StatusReading:
        """One second more is asked for, as it is not documented whether the bound is included."""
        dates = self.resource.created
        bound = {dates.since: to_wire(since - SECOND)} if dates else {}
        edge = f"{since:%FT%T}"
        rows = yield from self._walk(bound, edge)
        return {row.key: self._status_of(row) for row in rows.values() if row.stamp >= edge}

    def _walk(self, query: Mapping[str, str], edge: str = "") -> Generator[Ask, Any, dict[str, Row]]:
        """All rows from a stamp on that match, newest first, so that new ones hide none of the older on later pages."""
        rows: dict[str, Row] = {}
        for _ in range(_WALKS):
            found, shrank = yield from self._pages(query, edge)
            rows |= found
            if not shrank:
                break
        return rows

    def _pages(self, query: Mapping[str, str], edge: str) -> Generator[Ask, Any, tuple[dict[str, Row], bool]]:
        rows: dict[str, Row] = {}
        number, total, shrank = 1, 0, False
        while True:
            page, limit = yield from self._page({**query, "page": number})
            fresh: dict[str, Row] = {}
            for raw in page.raw:
                with suppress(NexusDataError):  # one record that can't be read must not stop the watch over all others
                    row = self._reader.read(raw)
                    fresh[row.key] = row
            is_new = not fresh.keys() <= rows.keys()
            rows |= fresh
            shrank, total = shrank or (page.total or 0) < total, page.total or 0
            is_whole = len(page.raw) < limit and page.total is not None and page.total <= len(rows)
            stamps = [row.stamp for row in fresh.values()]
            descend = all(a >= b for a, b in pairwise(stamps))
            if not is_new or is_whole or (descend and stamps and stamps[-1] < edge):
                return rows, shrank
            number += 1

    def _page(self, query: Mapping[str, Any]) -> Generator[Ask, Any, tuple[Records, int]]:
        while True:
            limit, is_sorted = _WAYS[self._way]
            stamp = self.resource.created.stamp if self.resource.created else ""
            order = {"sortBy": stamp, "sortDirection": "Desc"} if is_sorted else {}
            try:
                page = yield Ask({**query, "limit": limit, **order})
            except (NexusValidationError, NexusNotFoundError) as error:
                if query["page"] > 1:
                    return Records(), limit  # some servers refuse to go beyond the last page
                if self._way + 1 == len(_WAYS) or isinstance(error, NexusNotFoundError):
                    raise
                self._way += 1
                continue
            self._started = self._started or self._now()
            return page, limit

    def _now(self) -> datetime:
        now = self._clock()
        if now is None:
            raise NexusError("the server sends no Date header, so it is not known what now is: changes can't be watched")
        return now.replace(microsecond=0)

    def _status_of(self, row: Row) -> SeenStatus:
        return SeenStatus(spelt(self.resource.lifecycle, self._reader.status(row)), created=row.stamp)


def begin(snapshot: Poll, moment: datetime | None = None) -> Position:
    """A position for which all of a snapshot is known already, or all in it that was created before a moment."""
    known = {code: seen for code, seen in snapshot.seen.items() if moment is None or seen.created < f"{moment:%FT%T}"}
    return Position(snapshot.now, known)


def unseen(watch: Watch, position: Position, snapshot: Poll) -> dict[str, str]:
    """The records that a snapshot does not contain: code -> creation stamp. They are to be looked for."""
    return {code: known.created for code, known in position.known.items() if code not in snapshot.seen and watch.is_open(known)}


def compare(
    watch: Watch, position: Position, snapshot: Poll, states: Collection[str] = ()
) -> tuple[list[RecordChange], Position]:
    """What is new in a snapshot, oldest record first, and the position after it.

    :param states: statuses whose entry counts; without them each record's creation does
    """
    resource, edge = watch.resource, f"{position.since - watch.lag:%FT%T}"
    lifecycle = watch.lifecycle
    wanted = {state.casefold() for state in states}
    changes, known = [], dict(position.known)
    for code, seen in sorted(snapshot.seen.items(), key=lambda item: (item[1].created, item[0])):
        before, status = known.get(code), seen.status
        if status is None:
            known.pop(code, None)
            continue
        if before is None and seen.created < edge and not watch.is_open(seen):
            continue  # an old record at its end, which another watcher asked for
        known[code] = seen
        is_other = before is None or (before.status or "").casefold() != status.casefold()
        if (status.casefold() in wanted and is_other) if wanted else before is None:
            mark = [status.upper()] if lifecycle else ["created"]
            if lifecycle and (lifecycle.reopens or not lifecycle.phase(status).is_settled):
                # it can be entered twice; a poll that is repeated begins at the same position, so the mark is the same
                mark.append(to_wire(position.since))
            change = RecordChange(
                id="|".join((resource.name, code, *mark)),
                resource=resource.name,
                code=code,
                change="created" if before is None and seen.created >= edge else "entered",
                status=status,
                previous=before.status if before else None,
                created=f"{seen.created}Z",
            )
            changes.append(change)
    since = f"{snapshot.now - watch.lag:%FT%T}"
    known = {code: seen for code, seen in known.items() if seen.created >= since or watch.is_open(seen)}
    return changes, Position(snapshot.now, known)


def spelt(lifecycle: Lifecycle | None, status: str) -> str:
    """A status as the catalogue spells it; as it came when the catalogue does not know it."""
    names = {name.casefold(): name for name in lifecycle.statuses} if lifecycle else {}
    return names.get(status.casefold(), status)
