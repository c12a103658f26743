"""Trigger that waits for records to reach a status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import cancel_call
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.triggers._poller import Wait, poller_of
from airflow_provider_nexus.watch.polling import FailureLimit
from airflow_provider_nexus.watch.statuses import Statuses, WaitState, goal_of

_PASSED_ON = ("resource", "codes", "target_statuses", "started", "deadline", "known_held")
"""What the task needs to go on. It travels in the event, since arguments of ``defer`` are lost under ``dag.test()``."""


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
        super().__init__()  # type: ignore[no-untyped-call]
        self._aim = goal_of(get_resource(resource), target_statuses)
        self._started, self._deadline = datetime.fromisoformat(started), datetime.fromisoformat(deadline)
        self._kwargs: dict[str, Any] = {
            "resource": resource,
            "codes": dict(codes),
            "started": started,
            "deadline": deadline,
            "target_statuses": list(self._aim.targets),
            "fire_on_held": fire_on_held,
            "known_held": list(known_held),
            "poll_interval": poll_interval,
            "max_interval": max_interval,
            "max_consecutive_failures": max_consecutive_failures,
            "cancel_on_kill": cancel_on_kill,
            "nexus_conn_id": nexus_conn_id,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow stores them."""
        return "airflow_provider_nexus.triggers.nexus.NexusStatusTrigger", dict(self._kwargs)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        given = self._kwargs
        age = (datetime.now(UTC) - self._started).total_seconds()
        patience = FailureLimit(given["max_consecutive_failures"])
        wait = Wait(given["codes"], age, given["poll_interval"], given["max_interval"], patience)
        poller = poller_of(given["nexus_conn_id"], given["resource"])
        poller.join(wait)
        try:
            async with asyncio.timeout((self._deadline - datetime.now(UTC)).total_seconds()):
                while True:
                    news = await wait.news.get()
                    if isinstance(news, BaseException):
                        raise news
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
            code: WaitState.MISSED if sighting.status is None else self._aim.judge(sighting.status, ended=sighting.ended)
            for code, sighting in seen.items()
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
        client = await NexusHook(self._kwargs["nexus_conn_id"]).aclient()
        try:
            for code in self._kwargs["codes"]:
                try:
                    await client.send(cancel_call(get_resource(self._kwargs["resource"]), code), bytes)
                except NexusError as error:
                    self.log.warning("could not cancel: %s", error)
        finally:
            await client.aclose()
