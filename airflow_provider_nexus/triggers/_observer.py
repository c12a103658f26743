"""A watch over one collection, carried out from an event loop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.watch.changes import Snapshot, Watch
from airflow_provider_nexus.watch.statuses import Sighting, adrive


class Observer:
    """Asks what a watch wants to know. The connection is read at the first call.

    :param nexus_conn_id: the connection
    :param resource: what is watched
    :param lag: seconds, see :class:`~airflow_provider_nexus.watch.changes.Watch`
    :param with_states: likewise
    """

    def __init__(self, nexus_conn_id: str, resource: Resource, *, lag: float, with_states: bool) -> None:
        self.watch = Watch(resource, self._now, lag=lag, with_states=with_states)
        self._hook = NexusHook(nexus_conn_id)
        self._client: AsyncNexusClient | None = None

    async def poll(self, since: datetime | None, known: Mapping[str, Sighting]) -> Snapshot:
        """A snapshot that reaches back to ``lag`` before a moment.

        :raises NexusApiError: one class per cause, after one try
        """
        return await adrive(self.watch.poll(None if since is None else since - self.watch.lag, known), self._answer)

    async def find(self, wanted: Mapping[str, str]) -> dict[str, Sighting]:
        """Look for records by code.

        :raises NexusApiError: one class per cause, after one try
        """
        return await adrive(self.watch.find(wanted), self._answer)

    async def aclose(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            await self._client.aclose()

    def _now(self) -> datetime | None:
        return self._client.server_now if self._client else None

    async def _answer(self, ask: Ask) -> Any:
        if self._client is None:
            self._client = await self._hook.aclient()
        return await self._client.answer(self.watch.resource, ask)
