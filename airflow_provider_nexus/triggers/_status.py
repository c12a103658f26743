"""Trigger that waits for records to reach a status, and the poller that all such waits of a triggerer share.

There is one poller per connection and resource. Airflow's own shared streams hand each event to every subscriber and know the
arguments of one of them only. Here the poller has to know every code that is waited for, to ask for all of them at once, and
wakes only the waits with news.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_nexus.api.codes import texts_of
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import CHECKS, refuse_wrong
from airflow_provider_nexus.watch.polling import FailureLimit, OutageLog, interval
from airflow_provider_nexus.watch.statuses import FEW, Statuses, StatusReader, WaitLog, WaitState, adrive, goal_of

_log = logging.getLogger(__name__)
_SLACK = 0.15
"""Share of its interval by which a wait is looked at early, so that those of about one age are asked for together."""
_LOGGED_EVERY = 1800.0
"""Seconds after which a wait is logged again when nothing has changed."""
_PASSED_ON = ("resource", "codes", "target_statuses", "started", "deadline", "known_held")
"""What the task needs to go on. It travels in the event, since arguments of ``defer`` are lost under ``dag.test()``."""


@dataclass(eq=False)
class Wait:
    """One waiting trigger.

    :param codes: code -> creation stamp
    :param began: when it began, by the clock of the event loop
    :param shortest: seconds between two looks at first
    :param longest: seconds between two looks at most
    """

    codes: Mapping[str, str]
    began: float
    shortest: float
    longest: float
    patience: FailureLimit
    news: asyncio.Queue[Statuses | BaseException] = field(default_factory=asyncio.Queue)
    due: float = 0.0
    seen: Statuses = field(default_factory=dict)
    looked: datetime = field(default_factory=partial(datetime.now, UTC))

    def plan(self, now: float, pause: float = 0.0) -> None:
        """Set the time of the next look."""
        self.due = now + max(interval(now - self.began, self.shortest, self.longest), pause)

    def hear(self, seen: Statuses) -> None:
        """Take in what was seen, and wake the trigger when something is new."""
        self.patience.answered()
        self.looked = datetime.now(UTC)
        known = self.seen | {code: seen[code] for code in self.codes if code in seen}
        if known != self.seen:
            self.seen = known
            self.news.put_nowait(known)


class Poller:
    """Looks at the records of all waits that have joined. The connection is read once when the first wait joins."""

    def __init__(self, nexus_conn_id: str, resource: str) -> None:
        self._hook, self._reader = NexusHook(nexus_conn_id), StatusReader(get_resource(resource))
        self._waits: set[Wait] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._quiet_until = 0.0

    def join(self, wait: Wait) -> None:
        """Look for a wait from now on; its first look is one interval away, as the task looked just before."""
        wait.plan(asyncio.get_running_loop().time())
        self._waits.add(wait)
        self._changed.set()
        if self._task is None or self._task.done():
            # a context of its own: it must not log as the trigger that happened to come first
            self._task = asyncio.get_running_loop().create_task(self._run(), context=contextvars.Context())

    def leave(self, wait: Wait) -> None:
        """Look for a wait no longer; the poller ends with the last one."""
        self._waits.discard(wait)
        self._changed.set()

    async def _run(self) -> None:
        client: AsyncNexusClient | None = None
        outage = OutageLog(f"{self._reader.resource.name} by the connection {self._hook.nexus_conn_id}", _log)
        try:
            while await self._sleep():
                client = client or await self._hook.aclient()
                await self._poll(client, outage)
        except Exception as error:  # noqa: BLE001 - every wait gets it, whatever it is
            self._fail(self._waits, error)
        finally:
            self._task = None  # before anything is awaited: who joins meanwhile begins anew, and is not left unseen
            if client is not None:
                await client.aclose()

    async def _sleep(self) -> bool:
        """Sleep until a wait is due, and return whether there is one left."""
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

    async def _poll(self, client: AsyncNexusClient, outage: OutageLog) -> None:
        now = asyncio.get_running_loop().time()
        due = [wait for wait in self._waits if wait.due - now <= wait.shortest * _SLACK]
        if sum(len(wait.codes) for wait in due) > FEW:
            due = list(self._waits)  # one list answers for all, so that the others need not ask again soon
        wanted = {code: created for wait in due for code, created in wait.codes.items()}
        try:
            seen = await adrive(self._reader.read(wanted), partial(client.answer, self._reader.resource))
        except NexusError as error:
            outage.failed(error)
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
        outage.answered()
        for wait in due:
            wait.plan(now)
            wait.hear(seen)

    def _fail(self, waits: Iterable[Wait], error: BaseException) -> None:
        for wait in list(waits):
            wait.news.put_nowait(error)
            self._waits.discard(wait)


_POLLERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Poller]] = WeakKeyDictionary()
"""The pollers of each event loop, by connection and resource."""


class NexusStatusTrigger(BaseTrigger):
    """Fires when all records are where the wait leads to, or one of them can't get there any more.

    All such triggers of one triggerer share their calls. The event has the reason why it fired, and what the next trigger
    needs to go on; it has no record, as the task reads the truth itself when it resumes.

    .. seealso:: :doc:`waiting`

    :param resource: name of a resource with statuses
    :param codes: code -> creation stamp in ISO 8601, empty where it is not known
    :param started: when the wait began, ISO 8601 in UTC; looks get rarer as it ages
    :param deadline: when it is given up, likewise
    :param target_statuses: status that ends the wait well, or several; by default every one that means success
    :param fire_on_held: whether the trigger fires for a record that is held
    :param known_held: codes of records that are known to be held, which it does not fire for
    :param poll_interval: seconds between two looks at first
    :param max_interval: seconds between two looks at most
    :param max_consecutive_failures: failed looks in a row that end the wait; a 401, 403 or 404 ends it at once
    :param cancel_on_kill: whether the records are cancelled in Nexus when a person kills the waiting task (Airflow 3.3)
    :param nexus_conn_id: the connection
    """

    def __init__(
        self,
        *,
        resource: str,
        codes: Mapping[str, str],
        started: str,
        deadline: str,
        target_statuses: str | Sequence[str] = (),
        fire_on_held: bool = False,
        known_held: Sequence[str] = (),
        poll_interval: float = 30.0,
        max_interval: float = 600.0,
        max_consecutive_failures: int = 5,
        cancel_on_kill: bool = False,
        nexus_conn_id: str = NexusHook.default_conn_name,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in ("self", "__class__")}  # all arguments
        super().__init__()  # type: ignore[no-untyped-call]
        left_out = () if target_statuses else ("target_statuses",)
        refuse_wrong({name: value for name, value in given.items() if name in CHECKS and name not in left_out})
        self._goal = goal_of(get_resource(resource), target_statuses)
        self._started, self._deadline = moment(started, "started"), moment(deadline, "deadline")
        held = list(texts_of(known_held, "code in known_held"))
        self._kwargs = given | {"codes": dict(codes), "target_statuses": list(self._goal.targets), "known_held": held}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return "airflow_provider_nexus.triggers.nexus.NexusStatusTrigger", dict(self._kwargs)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        given, loop = self._kwargs, asyncio.get_running_loop()
        began = loop.time() - (datetime.now(UTC) - self._started).total_seconds()
        patience = FailureLimit(given["max_consecutive_failures"])
        wait = Wait(given["codes"], began, given["poll_interval"], given["max_interval"], patience)
        key = given["nexus_conn_id"], given["resource"]
        poller = _POLLERS.setdefault(loop, {}).setdefault(key, Poller(*key))
        poller.join(wait)
        wait_log = WaitLog(given["resource"], self._goal, given["codes"], self.log)
        try:
            async with asyncio.timeout((self._deadline - datetime.now(UTC)).total_seconds()):
                while True:
                    try:
                        async with asyncio.timeout(_LOGGED_EVERY):
                            news = await wait.news.get()
                    except TimeoutError:
                        wait_log.log(wait.seen, wait.looked, self._deadline, again=True)
                        continue
                    if isinstance(news, BaseException):
                        raise news
                    wait_log.log(news, wait.looked, self._deadline)
                    if reason := self._news(news):
                        why = {"why": reason}
                        break
        except TimeoutError:
            why = {"why": "deadline"}
        except NexusError as error:
            why = {"why": "error", "error": type(error).__name__, "message": str(error)}
        finally:
            poller.leave(wait)
        yield TriggerEvent({**why, **{name: given[name] for name in _PASSED_ON}})  # type: ignore[no-untyped-call]

    def _news(self, seen: Statuses) -> str:
        """The reason to fire; empty when there is none."""
        verdicts = {
            code: WaitState.MISSED if each.status is None else self._goal.judge(each.status, ended=each.ended)
            for code, each in seen.items()
        }
        if WaitState.MISSED in verdicts.values():
            return "missed"
        held = {code for code, verdict in verdicts.items() if verdict is WaitState.HELD}
        if self._kwargs["fire_on_held"] and held - set(self._kwargs["known_held"]):
            return "held"
        is_done = all(verdicts.get(code) is WaitState.REACHED for code in self._kwargs["codes"])
        return "reached" if is_done else ""

    async def on_kill(self) -> None:
        """Cancel the records in Nexus, when that was asked for. Airflow calls this when a person ends the waiting task."""
        if not self._kwargs["cancel_on_kill"]:
            return
        async with aclosing(await NexusHook(self._kwargs["nexus_conn_id"]).aclient()) as client:
            for code in self._kwargs["codes"]:
                try:
                    await client.send(cancel_call(get_resource(self._kwargs["resource"]), code), bytes)
                except NexusError as error:
                    self.log.warning("could not cancel: %s", error)
