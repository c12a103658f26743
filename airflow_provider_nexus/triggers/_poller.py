"""One poller per connection and resource, shared by every wait of a triggerer.

Airflow's own shared streams hand each event to every subscriber and know the arguments of one of them only. Here the
poller has to know every code that is waited for, to ask for all of them at once, and wakes only the waits with news.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.watch.polling import FailureLimit, OutageLog, interval
from airflow_provider_nexus.watch.statuses import FEW, Statuses, StatusReader, adrive

_log = logging.getLogger(__name__)
_SLACK = 0.15
"""Share of its interval by which a wait is looked at early, so that those of about one age are asked for together."""


@dataclass(eq=False)
class Wait:
    """One waiting trigger.

    :param codes: code -> creation stamp
    :param age: seconds waited before it came here
    :param shortest: seconds between two looks at first
    :param longest: seconds between two looks at most
    """

    codes: Mapping[str, str]
    age: float
    shortest: float
    longest: float
    patience: FailureLimit
    news: asyncio.Queue[Statuses | BaseException] = field(default_factory=asyncio.Queue)
    joined: float = 0.0
    due: float = 0.0
    seen: Statuses = field(default_factory=dict)

    def plan(self, now: float, pause: float = 0.0) -> None:
        """Set the time of the next look."""
        self.due = now + max(interval(self.age + now - self.joined, self.shortest, self.longest), pause)

    def hear(self, sightings: Statuses) -> None:
        """Take in what was seen, and wake the trigger when something is new."""
        mine = {code: sightings[code] for code in self.codes if code in sightings}
        self.patience.answered()
        if any(self.seen.get(code) != sighting for code, sighting in mine.items()):
            self.seen |= mine
            self.news.put_nowait(dict(self.seen))


class Poller:
    """Looks at the records of all waits that have joined.

    :param nexus_conn_id: the connection, read once when the first wait joins
    :param resource: name of the resource
    """

    def __init__(self, nexus_conn_id: str, resource: str) -> None:
        self._hook, self._lookout = NexusHook(nexus_conn_id), StatusReader(get_resource(resource))
        self._waits: set[Wait] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._quiet_until = 0.0
        self._outage = OutageLog(resource, _log)

    def join(self, wait: Wait) -> None:
        """Look for a wait from now on; its first look is one interval away, as the task looked just before."""
        now = asyncio.get_running_loop().time()
        wait.joined = now
        wait.plan(now)
        self._waits.add(wait)
        self._changed.set()
        if self._task is None or self._task.done():
            self._outage = OutageLog(f"{self._lookout.resource.name} by the connection {self._hook.nexus_conn_id}", _log)
            # a context of its own: it must not log as the trigger that happened to come first
            self._task = asyncio.get_running_loop().create_task(self._run(), context=contextvars.Context())

    def leave(self, wait: Wait) -> None:
        """Look for a wait no longer; the poller ends with the last one."""
        self._waits.discard(wait)
        self._changed.set()

    async def _run(self) -> None:
        client: AsyncNexusClient | None = None
        try:
            while await self._sleep():
                client = client or await self._hook.aclient()
                await self._poll(client)
        except Exception as error:  # noqa: BLE001 - every wait gets it, whatever it is
            self._fail(self._waits, error)
        finally:
            self._task = None  # before anything is awaited: who joins meanwhile begins anew, and is not left unseen
            if client is not None:
                await client.aclose()

    async def _sleep(self) -> bool:
        """Sleep until a wait is due.

        :return: whether there is one left
        """
        loop = asyncio.get_running_loop()
        while self._waits:
            pause = max(min(wait.due for wait in self._waits), self._quiet_until) - loop.time()
            if pause <= 0:
                return True
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
        return False

    async def _poll(self, client: AsyncNexusClient) -> None:
        now = asyncio.get_running_loop().time()
        due = [wait for wait in self._waits if wait.due - now <= wait.shortest * _SLACK]
        if sum(len(wait.codes) for wait in due) > FEW:
            due = list(self._waits)  # one list answers for all, so that the others need not ask again soon
        wanted = {code: created for wait in due for code, created in wait.codes.items()}
        try:
            sightings = await adrive(self._lookout.read(wanted), partial(client.answer, self._lookout.resource))
        except NexusError as error:
            self._outage.failed(error)
            now = asyncio.get_running_loop().time()
            for wait in due:
                try:
                    pause = wait.patience.failed(error)
                except NexusError:
                    self._fail([wait], error)
                else:
                    wait.plan(now, pause)
                    self._quiet_until = max(self._quiet_until, now + pause)
            return
        self._outage.answered()
        for wait in due:
            wait.plan(now)
            wait.hear(sightings)

    def _fail(self, waits: Iterable[Wait], error: BaseException) -> None:
        for wait in list(waits):
            wait.news.put_nowait(error)
            self._waits.discard(wait)


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Poller]] = WeakKeyDictionary()


def poller_of(nexus_conn_id: str, resource: str) -> Poller:
    """The poller of a connection and a resource in this event loop."""
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    key = (nexus_conn_id, resource)
    if key not in pollers:
        pollers[key] = Poller(nexus_conn_id, resource)
    return pollers[key]
