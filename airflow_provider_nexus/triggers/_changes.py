"""Event source for asset watchers: starts a DAG when records of a collection are created or change their status."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_nexus.api.moments import span_of_time
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from airflow_provider_nexus.extract.request import LONGEST_LAG
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import refuse_wrong
from airflow_provider_nexus.watch.changes import Poll, Position, RecordChange, Watch, begin, compare, unseen
from airflow_provider_nexus.watch.polling import FailureLimit, OutageLog
from airflow_provider_nexus.watch.statuses import SeenStatus, adrive, goal_of

_STORED_WITHIN = 3.0
"""Seconds within which Airflow stores an event; it hands events over every second."""
_JITTER = 0.1
_NAMED = 3
"""Records that are named in a line of the log."""
_LONGEST_INTERVAL = timedelta(days=1)
_ARGUMENTS = ("nexus_conn_id", "resource", "target_statuses", "poll_interval", "max_consecutive_failures", "settle_lag")


class NexusChangeTrigger(BaseEventTrigger):
    """Fires for every change in a collection: each record that is created, or that enters one of some statuses.

    All changes of a poll come in one event, so one poll starts one run. Give an asset one watcher: Airflow (3.3.2) leaves events
    that come within moments of each other to the run that the next event starts.

    Watching begins at the present. From Airflow 3.3 on, the position is stored with the asset, so nothing is missed while the
    triggerer is down. It is stored one poll late, when Airflow has stored the events: a triggerer that is killed reports the
    changes of its last poll again, under the same ``id``, which
    :func:`~airflow_provider_nexus.assets.nexus.fresh_changes` drops. Below 3.3 there is no such place: the trigger starts
    ``settle_lag`` seconds before now, and what changed while it was down is missed.

    Nexus has no "updated since", so changes are found by comparing what is not settled, poll by poll. Statuses that were
    passed through between two polls can't be seen, nor the move of a record from one settled status to another, nor
    statuses that the catalogue does not know once a record is older than ``settle_lag``.

    An event's payload has ``resource`` and ``changes``; each change has ``id``, ``resource``, ``code``, ``change`` (``created``
    or ``entered``), ``status``, ``previous`` and ``created``.

    .. seealso:: :doc:`watching`

    :param nexus_conn_id: the connection
    :param resource: a resource with a window, such as ``transactions``
    :param target_statuses: status whose entry is a change, or several; without them the creation of a record is one
    :param poll_interval: between two polls, as ``timedelta`` or seconds, at least 1
    :param max_consecutive_failures: failed polls in a row after which the trigger fails; 401, 403 and 404 fail it at once
    :param settle_lag: after which a record that was created can surely be seen, as ``timedelta`` or seconds
    :raises NexusUnknownResourceError: when there is no such resource
    :raises NexusConfigurationError: when the resource can't be watched, or has no such status
    """

    def __init__(
        self,
        nexus_conn_id: str = "nexus_default",
        *,
        resource: str,
        target_statuses: str | Sequence[str] | None = None,
        poll_interval: float | timedelta = 60,
        max_consecutive_failures: int = 10,
        settle_lag: float | timedelta = 120,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        statuses = {} if target_statuses is None else {"target_statuses": target_statuses}
        refuse_wrong({"nexus_conn_id": nexus_conn_id, "resource": resource, **statuses})
        refuse_wrong({"max_consecutive_failures": max_consecutive_failures})
        self._entry = get_resource(resource)
        if not self._entry.is_windowed:
            raise NexusConfigurationError(f"{resource} can't be watched: Nexus does not filter it by the time of creation")
        interval = span_of_time(poll_interval, "poll_interval", longest=_LONGEST_INTERVAL).total_seconds()
        lag = span_of_time(settle_lag, "settle_lag", longest=LONGEST_LAG).total_seconds()
        if interval < 1:
            raise NexusConfigurationError(f"poll_interval is {poll_interval!r}: give at least 1 second")
        self.nexus_conn_id, self.resource = nexus_conn_id, resource
        self.target_statuses = None if target_statuses is None else list(goal_of(self._entry, target_statuses).targets)
        self.poll_interval, self.max_consecutive_failures, self.settle_lag = interval, max_consecutive_failures, lag

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The address of the class and the arguments that make it again."""
        return "airflow_provider_nexus.triggers.nexus.NexusChangeTrigger", {name: getattr(self, name) for name in _ARGUMENTS}

    def shared_stream_key(self) -> Hashable | None:
        """What watchers have to have in common to share a poll; their statuses may differ."""
        return ("nexus-changes", *{**self.serialize()[1], "target_statuses": bool(self.target_statuses)}.values())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Poll]:
        """A snapshot for every poll, until Nexus does not take the token, or polls failed too often in a row."""
        trigger = cls(**kwargs)
        patience, last = FailureLimit(trigger.max_consecutive_failures), None
        outage = OutageLog(trigger.resource, trigger.log)
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

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Poll]) -> AsyncIterator[TriggerEvent]:
        """What is new in each snapshot to this trigger's own position."""
        patience = FailureLimit(self.max_consecutive_failures)
        outage = OutageLog(f"what {self.resource} were missed", self.log)
        async with aclosing(self._observer()) as observer:
            stored = _StoredPosition(self)
            position = await stored.load()
            self.log.info(
                "watching %s: each that %s, %s",
                self.resource,
                f"becomes {' or '.join(self.target_statuses)}" if self.target_statuses else "is created",
                f"since {position.since.isoformat()}" if position else "from now on",
            )
            async for snapshot in shared_stream:
                await stored.settle()
                try:
                    changes, position = await self._news(observer, position, snapshot)
                except NexusError as error:
                    outage.failed(error)
                    await asyncio.sleep(patience.failed(error))
                    continue
                patience.answered()
                outage.answered()
                if changes:
                    codes = ", ".join(change.code for change in changes[:_NAMED])
                    self.log.info("%s: %d changes, %s%s", self.resource, len(changes), codes, ", ..." if changes[_NAMED:] else "")
                    # one event for all: Airflow leaves what comes right after an asset's event for the run after the next event
                    payload = {"resource": self.resource, "changes": [asdict(change) for change in changes]}
                    yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
                await stored.move(position, at_once=not changes)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same without sharing, for Airflow below 3.3."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    def _observer(self) -> Observer:
        return Observer(self.nexus_conn_id, self._entry, lag=self.settle_lag, with_states=bool(self.target_statuses))

    async def _news(self, observer: Observer, position: Position | None, snapshot: Poll) -> tuple[list[RecordChange], Position]:
        watch = observer.watch
        if position is None:
            if self.stores():
                return [], begin(snapshot)
            position = begin(snapshot, snapshot.now - watch.lag)
        elif snapshot.now <= position.since:
            return [], position  # taken before this trigger caught up by itself
        if snapshot.since > position.since - watch.lag:
            snapshot = await observer.poll(position.since, position.known)
        found = await observer.find(unseen(watch, position, snapshot))
        return compare(watch, position, Poll(snapshot.now, snapshot.since, found | snapshot.seen), self.target_statuses or ())

    def stores(self) -> list[Any]:
        """Stores of the position: of each asset that is watched with these very arguments; none below Airflow 3.3."""
        accessors = getattr(self, "asset_state_store", None)
        if accessors is None:
            return []
        return list(getattr(accessors, "_by_name", {}).values()) or [accessors]


class Observer:
    """Polls one collection from an event loop, each call with one try. The connection is read at the first of them.

    The arguments are those of :class:`~airflow_provider_nexus.watch.changes.Watch`.
    """

    def __init__(self, nexus_conn_id: str, resource: Resource, *, lag: float, with_states: bool) -> None:
        self._hook = NexusHook(nexus_conn_id)
        self._client: AsyncNexusClient | None = None
        self.watch = Watch(resource, lambda: self._client.server_now if self._client else None, lag=lag, with_states=with_states)

    async def poll(self, since: datetime | None, known: Mapping[str, SeenStatus]) -> Poll:
        """A snapshot that reaches back to ``lag`` before a moment."""
        return await adrive(self.watch.poll(None if since is None else since - self.watch.lag, known), self._answer)

    async def find(self, wanted: Mapping[str, str]) -> dict[str, SeenStatus]:
        """Look for records by code."""
        return await adrive(self.watch.find(wanted), self._answer)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _answer(self, ask: Ask) -> Any:
        if self._client is None:
            self._client = await self._hook.aclient()
        return await self._client.answer(self.watch.resource, ask)


class _StoredPosition:
    """The position of a trigger in its assets' stores, one poll late while Airflow may not have stored the events yet."""

    def __init__(self, trigger: NexusChangeTrigger) -> None:
        self._stores = trigger.stores()
        # watchers of other statuses have another key, as they may have come less far
        names = "|".join((trigger.nexus_conn_id, *sorted(status.casefold() for status in trigger.target_statuses or ())))
        self._key = f"nexus-changes.{trigger.resource}.{hashlib.sha256(names.encode()).hexdigest()[:16]}"
        self._late: tuple[Position, float] | None = None

    async def load(self) -> Position | None:
        """The oldest position that is stored; ``None`` before the first."""
        found = [await store.aget(self._key) for store in self._stores]
        positions = [Position.load(stored) for stored in found if isinstance(stored, Mapping)]
        return min(positions, key=lambda position: position.since, default=None)

    async def move(self, position: Position, *, at_once: bool) -> None:
        """Store a position: at once, where no event has to be stored before."""
        self._late = (position, asyncio.get_running_loop().time() + (0 if at_once else _STORED_WITHIN))
        if at_once:
            await self.settle()

    async def settle(self) -> None:
        """Store the position of the poll before, whose events Airflow has stored by now."""
        if self._late is None:
            return
        position, due = self._late
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        for store in self._stores:
            await store.aset(self._key, position.dump())
        self._late = None
