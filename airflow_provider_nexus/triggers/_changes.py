"""The event source for asset watchers: a DAG starts by itself when something changes in Nexus."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from airflow_provider_nexus.triggers._observer import Observer
from airflow_provider_nexus.watch.changes import Change, Position, Snapshot, begin, compare, unseen
from airflow_provider_nexus.watch.patience import Outage, Patience
from airflow_provider_nexus.watch.statuses import aim_at

_STORED_WITHIN = 3.0
"""Seconds in which Airflow has stored an event that was given to it; it hands them over every second."""
_JITTER = 0.1


class NexusChangeTrigger(BaseEventTrigger):
    """Tells every change in a collection: each record that is created, or that enters one of some statuses.

    All changes of a poll come in one event, so one poll starts one run. Give an asset one watcher: Airflow (3.3.2) leaves events
    that come within moments of each other to the run that the next event starts.

    Watching begins at the present. From Airflow 3.3 on, the position is kept with the asset, so nothing is missed while the
    triggerer is down. It is kept one poll late, when Airflow has stored the events: a triggerer that is killed tells the
    changes of its last poll again, under the same ``id``, which
    :func:`~airflow_provider_nexus.assets.nexus.fresh_changes` drops. Below 3.3 there is no such place: the trigger starts
    ``lag`` seconds before now, and what changed while it was down is missed.

    Nexus has no "updated since", so changes are found by comparing what is not settled, poll by poll. Statuses that were
    passed through between two polls can't be seen, nor the move of a record from one settled status to another, nor
    statuses that the catalogue does not know once a record is older than ``lag``.

    An event's payload holds ``resource`` and ``changes``; each change has ``id``, ``resource``, ``code``, ``change`` (``created``
    or ``entered``), ``status``, ``previous`` and ``created``.

    .. seealso:: :doc:`watching`

    :param nexus_conn_id: the connection
    :param resource: a resource with a window, such as ``transactions``
    :param states: status or several, in any case; without them the creation of a record counts
    :param poll_interval: seconds between two polls, at least 1
    :param max_consecutive_failures: failed polls in a row after which the trigger fails; 401, 403 and 404 fail it at once
    :param lag: seconds after which a record that was created can surely be seen
    :raises NexusUnknownResourceError: when there is no such resource
    :raises NexusConfigurationError: when the resource can't be watched, or a state is none of its statuses
    """

    def __init__(
        self,
        nexus_conn_id: str = "nexus_default",
        *,
        resource: str,
        states: str | Sequence[str] | None = None,
        poll_interval: float = 60,
        max_consecutive_failures: int = 10,
        lag: float = 120,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._entry = _watchable(resource)
        wanted = aim_at(self._entry, states or ()).targets if states else ()
        if poll_interval < 1 or max_consecutive_failures < 1 or lag < 0:
            raise NexusConfigurationError("poll_interval and max_consecutive_failures are at least 1, and lag is not negative")
        self.nexus_conn_id, self.resource = nexus_conn_id, resource
        self.states = list(wanted) or None
        self.poll_interval, self.max_consecutive_failures, self.lag = poll_interval, max_consecutive_failures, lag

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The address of the class and the arguments that make it again."""
        return (
            "airflow_provider_nexus.triggers.nexus.NexusChangeTrigger",
            {
                "nexus_conn_id": self.nexus_conn_id,
                "resource": self.resource,
                "states": self.states,
                "poll_interval": self.poll_interval,
                "max_consecutive_failures": self.max_consecutive_failures,
                "lag": self.lag,
            },
        )

    def shared_stream_key(self) -> Hashable | None:
        """What watchers have to have in common to share a poll; their states may differ."""
        return (
            "nexus-changes",
            self.nexus_conn_id,
            self.resource,
            self.poll_interval,
            bool(self.states),
            self.max_consecutive_failures,
            self.lag,
        )

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Snapshot]:
        """A snapshot for every poll.

        :raises NexusError: when Nexus does not take the token, or polls failed too often in a row
        """
        trigger = cls(**kwargs)
        patience, last = Patience(trigger.max_consecutive_failures), None
        outage = Outage(trigger.resource, trigger.log)
        async with aclosing(trigger._observer()) as observer:
            while True:
                pause = 0.0
                try:
                    last = await observer.poll(last.now if last else None, last.seen if last else {})
                except NexusError as error:
                    outage.failed(error)
                    pause = patience.failed(error)
                else:
                    patience.answered()
                    outage.answered()
                    yield last
                await asyncio.sleep(max(trigger.poll_interval * (1 + random.random() * _JITTER), pause))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Snapshot]) -> AsyncIterator[TriggerEvent]:
        """What is new in each snapshot to this trigger's own position."""
        patience = Patience(self.max_consecutive_failures)
        outage = Outage(f"what {self.resource} were missed", self.log)
        async with aclosing(self._observer()) as observer:
            place = _Place(self)
            position = await place.load()
            async for snapshot in shared_stream:
                await place.settle()
                try:
                    changes, position = await self._news(observer, position, snapshot)
                except NexusError as error:
                    outage.failed(error)
                    await asyncio.sleep(patience.failed(error))
                    continue
                patience.answered()
                outage.answered()
                if changes:
                    # one event for all: Airflow leaves what comes right after an asset's event for the run after the next event
                    told = {"resource": self.resource, "changes": [change.payload() for change in changes]}
                    yield TriggerEvent(told)  # type: ignore[no-untyped-call]
                await place.move(position, is_told=not changes)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same without sharing, for Airflow below 3.3."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _observer(self) -> Observer:
        return Observer(self.nexus_conn_id, self._entry, lag=self.lag, with_states=bool(self.states))

    async def _news(self, observer: Observer, position: Position | None, snapshot: Snapshot) -> tuple[list[Change], Position]:
        watch, states = observer.watch, self.states or ()
        if position is None:
            if self.stores():
                return [], begin(snapshot)
            position = begin(snapshot, snapshot.now - watch.lag)
        elif snapshot.now <= position.since:
            return [], position  # taken before this trigger caught up by itself
        if snapshot.since > position.since - watch.lag:
            snapshot = await observer.poll(position.since, position.known)
        found = await observer.find(unseen(watch, position, snapshot))
        return compare(watch, position, Snapshot(snapshot.now, snapshot.since, found | snapshot.seen), states)

    def stores(self) -> list[Any]:
        """Where the position is kept: with each asset that is watched with these very arguments; none below Airflow 3.3."""
        accessors = getattr(self, "asset_state_store", None)
        if accessors is None:
            return []
        return list(getattr(accessors, "_by_name", {}).values()) or [accessors]

    @property
    def store_key(self) -> str:
        """The key of the position. Watchers of other states have another, as they may have come less far."""
        told = "|".join((self.nexus_conn_id, *sorted(state.casefold() for state in self.states or ())))
        return f"nexus-changes.{self.resource}.{hashlib.sha256(told.encode()).hexdigest()[:16]}"


class _Place:
    """Where a trigger keeps its position, one poll late while there are events that Airflow may not have stored yet."""

    def __init__(self, trigger: NexusChangeTrigger) -> None:
        self._trigger, self._stores = trigger, trigger.stores()
        self._late: tuple[Position, float] | None = None

    async def load(self) -> Position | None:
        """The oldest position that is kept; ``None`` before the first."""
        found = [await store.aget(self._trigger.store_key) for store in self._stores]
        positions = [Position.load(stored) for stored in found if isinstance(stored, Mapping)]
        return min(positions, key=lambda position: position.since, default=None)

    async def move(self, position: Position, *, is_told: bool) -> None:
        """Keep a position.

        :param is_told: whether no event has to be stored before
        """
        self._late = (position, asyncio.get_running_loop().time() + (0 if is_told else _STORED_WITHIN))
        if is_told:
            await self.settle()

    async def settle(self) -> None:
        """Keep the position of the poll before, whose events Airflow has stored by now."""
        if self._late is None:
            return
        position, due = self._late
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        for store in self._stores:
            await store.aset(self._trigger.store_key, position.dump())
        self._late = None


def _watchable(name: str) -> Resource:
    entry = get_resource(name)
    if not entry.is_windowed:
        raise NexusConfigurationError(f"{name} can't be watched: Nexus does not filter it by the time of creation")
    return entry
