"""Event-loop client, for triggers: one try for each call, the same answers and typed errors as the blocking client.

A wait of hours tries again at its next poll, so nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import join
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.body import Body, Received
from airflow_provider_nexus.client.call import Ask, Call, Options
from airflow_provider_nexus.client.client import collection_call, record_call, typed_answer
from airflow_provider_nexus.client.core import HEADERS, ClientCore, unanswered
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.network import distrust, proxy_for, trusted
from airflow_provider_nexus.client.reply import Answer, read
from airflow_provider_nexus.client.retry import settle
from airflow_provider_nexus.client.secret import bare
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.values import method_of
from airflow_provider_nexus.client.wire import Departure, unlogged
from airflow_provider_nexus.exceptions import NexusApiError, NexusAuthenticationError, NexusError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_CONNECTIONS = 4


class AsyncNexusClient(ClientCore):
    """Calls Nexus from an event loop. Settings, log and refresh are those of :class:`NexusSession`."""

    def __init__(
        self, settings: ClientSettings, *, log: Log | None = None, refresh: Callable[[], Awaitable[ClientSettings]] | None = None
    ) -> None:
        super().__init__(settings, log)
        self._refresh, self._renewing = refresh, asyncio.Lock()
        self._http: httpx.AsyncClient | None = None

    async def run(self, method: str, path: str, **options: Unpack[Options]) -> Any:
        """Any call, once: values, arguments and errors are those of :meth:`NexusClient.run`."""
        call = Call(method_of(method), path, **options)
        return typed_answer(call, (await self.send(call, envelope.unwrap)).value)

    async def fetch(self, resource: Resource, params: Mapping[str, Any] | None = None) -> Answer[envelope.Records]:
        """One answer of a collection: its records raw."""
        return await self.send(collection_call(resource, params=params), lambda body: envelope.records(resource, body))

    async def get_record(self, resource: str, code: str) -> dict[str, Any]:
        """One record, as :meth:`NexusClient.get_record` gives it."""
        return (await self.send(*record_call(get_resource(resource), code))).value

    async def answer(self, resource: Resource, ask: Ask) -> Any:
        """What :mod:`airflow_provider_nexus.watch` asks for: one record typed, or a page raw."""
        if ask.code:
            return await self.get_record(resource.name, ask.code)
        return (await self.fetch(resource, ask.params)).value

    async def send(self, call: Call, decode: Callable[[bytes], T]) -> Answer[T]:
        """Send a call once and decode its answer; once more when the token is refused and the connection has another by now.

        Errors are those of :meth:`NexusSession.send`.
        """
        used = self.settings
        try:
            return await self._settled(call, decode)
        except NexusAuthenticationError:
            async with self._renewing:
                if self.settings is used and self._refresh:
                    with self._reading_settings():
                        self._renew(await self._refresh())
            if self.settings is used:
                raise
        return await self._settled(call, decode)

    async def _settled(self, call: Call, decode: Callable[[bytes], T]) -> Answer[T]:
        self._refuse_change(call)
        failure: BaseException
        try:
            return await self._send(call, decode)
        except NexusApiError as error:
            failure = bare(settle(error, call))
        except Exception:
            raise  # of how this machine is set up
        except BaseException as error:  # noqa: BLE001 - a call that is cancelled ends as such
            failure = bare(error)
        finally:
            self._warn_of_expiry()
        raise failure

    async def _send(self, call: Call, decode: Callable[[bytes], T]) -> Answer[T]:
        if wait := await self._limiter.areserve():
            await asyncio.sleep(wait)
        self.calls += 1
        departure, failure = Departure(), None
        try:
            # Not wait_for, which loses a cancellation on Python 3.11 when it comes together with the answer.
            async with asyncio.timeout(self._bounds.seconds):
                received = await self._request(call, departure)
        except NexusError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: what counts is whether the call had left
            failure = _typed(call, error, has_left=departure.has_left)
        if failure:
            raise failure  # out here, so that it has no reference to the original, whose request has the token
        self._clock.set_by(received.headers)
        try:
            return read(call, received, self.settings, decode)
        except NexusApiError as error:
            await self._limiter.apause(error.pause)
            raise

    async def aclose(self) -> None:
        """Give the connections back."""
        self._limiter.close()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _request(self, call: Call, departure: Departure) -> Received:
        import httpx

        body, query, url = call.body, call.query, httpx.URL(join(self.environment.base_url, call.path))

        async def trace(event: str, info: Mapping[str, Any]) -> None:
            """Called by httpcore at each step; what it sends to make a tunnel is not of the call."""
            if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
                departure.leave()

        headers = {**call.own_headers, "Authorization": f"Bearer {self.settings.token.reveal()}"}
        with unlogged():
            async with self._session().stream(
                call.method,
                url.copy_merge_params(query) if query else url,
                content=body,
                headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],  # httpx: ASCII
                extensions={"trace": trace},
            ) as response:
                received = Body(response.headers, self._bounds.size)
                async for piece in response.aiter_raw():  # httpx itself would unpack whatever it is sent, whatever its size
                    if not received.take(piece):
                        break
                return Received(response.status_code, response.headers, received)

    def _session(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            place, proxy, (connect, timeout) = trusted()[1], proxy_for(self.environment.base_url), self._timeouts
            is_folder = bool(place) and Path(place).is_dir()
            context = (
                ssl.create_default_context(cafile=None if is_folder else place, capath=place if is_folder else None)
                if place
                else httpx.create_ssl_context(trust_env=False)
            )
            self._http = httpx.AsyncClient(
                headers=HEADERS,
                timeout=httpx.Timeout(timeout, connect=connect),
                limits=httpx.Limits(max_connections=_CONNECTIONS),
                follow_redirects=False,
                verify=context,
                trust_env=False,
                proxy=httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None) if proxy else None,
            )
        return self._http


def _typed(call: Call, error: Exception, *, has_left: bool) -> NexusError:
    """The cause as one of ours; the original's own text is not used, as it can contain the full URL."""
    import httpx

    is_distrust = isinstance(error.__cause__ or error.__context__, ssl.SSLError) and bool(distrust())
    is_of_network = isinstance(error, httpx.TransportError | TimeoutError) and not isinstance(error, httpx.UnsupportedProtocol)
    is_late = isinstance(error, httpx.TimeoutException | TimeoutError)
    return unanswered(call, error, has_left=has_left, is_late=is_late, is_of_network=is_of_network and not is_distrust)
