"""Calls from an event loop, for triggers: one try each, the same answers and typed errors as the blocking session.

Who waits for hours tries again at the next poll, so nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import join
from airflow_provider_nexus.api.records import typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client import reply
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import collection_call, record_call, whole_record
from airflow_provider_nexus.client.governor import Governor
from airflow_provider_nexus.client.look import Ask
from airflow_provider_nexus.client.reply import Answer
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusTimeoutError,
)

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_CONNECTIONS = 4
_calling: ContextVar[bool] = ContextVar("nexus_is_calling", default=False)


class _Unseen(logging.Filter):
    """httpx logs the whole address of every call, with the codes in it. Ours are left out; those of others are theirs."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - Python's signature
        return not _calling.get()


_UNSEEN = _Unseen()


class AsyncNexusClient:
    """Calls Nexus from an event loop.

    :param settings: the connection
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._http: httpx.AsyncClient | None = None
        self._clock = reply.ServerClock()
        self._governor = Governor(settings)
        self.environment = settings.environment
        self.calls = 0

    @property
    def server_now(self) -> datetime | None:
        """The time by the server's clock, from the latest answer's ``Date``; ``None`` before the first."""
        return self._clock.now

    async def fetch(self, resource: Resource, params: Mapping[str, Any] | None = None) -> Answer[envelope.Records]:
        """One answer of a collection: its records raw.

        :raises NexusApiError: one class per cause, after one try
        """
        return await self.send(collection_call(resource, params=params), lambda body: envelope.records(resource, body))

    async def get_record(self, resource: str, code: str) -> dict[str, Any]:
        """One record: times as pendulum in UTC, money as ``Decimal``.

        :raises NexusNotFoundError: when there is none
        :raises NexusConfigurationError: when the resource has no call for one record
        """
        entry = get_resource(resource)
        return typed(entry, (await self.send(record_call(entry, code), whole_record)).value)

    async def answer(self, resource: Resource, ask: Ask) -> Any:
        """What somebody asks who looks at a resource's records: one record typed, or a page raw."""
        if ask.code:
            return await self.get_record(resource.name, ask.code)
        return (await self.fetch(resource, ask.params)).value

    async def send(self, call: Call, decode: Callable[[bytes], T]) -> Answer[T]:
        """Send a call once and decode its answer.

        :raises NexusWriteRefusedError: when it would change something and the connection does not allow that
        :raises NexusApiError: one class per cause
        """
        reply.refuse_change(self._settings, call)
        if wait := self._governor.reserve():
            await asyncio.sleep(wait)
        self.calls += 1
        failure: NexusApiError | None = None
        try:
            # Not wait_for, which loses a cancellation on Python 3.11 when it comes together with the answer.
            async with asyncio.timeout(self._settings.timeout * 2):
                response = await self._request(call)
        except TimeoutError:
            failure = NexusTimeoutError(call.method, call.label, detail="no whole answer came in time")
        except _http_errors() as error:
            failure = _typed(call, error)
        if failure:
            raise failure  # out here, so that it does not hold on to the original, whose request holds the token
        self._clock.set_by(response.headers)
        with self._governor.heeding():
            return reply.read(call, response.status_code, response.headers, response.content, self._settings.token, decode)

    async def aclose(self) -> None:
        """Give the connections back."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _request(self, call: Call) -> httpx.Response:
        body = call.body
        with _unlogged():
            return await self._session().request(
                call.method,
                join(self.environment.base_url, call.path),
                params={name: value for name, value in (call.params or {}).items() if value is not None} or None,
                content=body,
                headers={"api_version": call.version, **({"Content-Type": "application/json"} if body else {})},
            )

    def _session(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            self._http = httpx.AsyncClient(
                headers={**reply.HEADERS, "Authorization": f"Bearer {self._settings.token}"},
                timeout=httpx.Timeout(self._settings.timeout, connect=min(reply.CONNECT_TIMEOUT, self._settings.timeout)),
                limits=httpx.Limits(max_connections=_CONNECTIONS),
                follow_redirects=False,
            )
        return self._http


@contextmanager
def _unlogged() -> Iterator[None]:
    logging.getLogger("httpx").addFilter(_UNSEEN)  # the same filter is added once
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)


def _http_errors() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.HTTPError, httpx.StreamError)


def _typed(call: Call, error: Exception) -> NexusApiError:
    """The cause as one of ours; the original's own text is not used, as it can hold the full URL."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.ProxyError | httpx.PoolTimeout) or _never_left(error):
        return reply.no_answer(NexusConnectionError, call, error)
    kind = NexusTimeoutError if isinstance(error, httpx.TimeoutException) else NexusInterruptedError
    return reply.no_answer(kind, call, error)


def _never_left(error: Exception) -> bool:
    import httpx

    cause = error.__cause__ or error.__context__
    return isinstance(error, httpx.ConnectError) or isinstance(cause, ssl.SSLCertVerificationError)
