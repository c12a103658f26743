"""HTTP connections that note when a call leaves this machine, bound its answer, and are not logged by HTTP libraries.

Which exception ends a call does not show whether it had left: behind a proxy the same class is for a connection that was
never made and for an answer that was lost after Nexus had carried the call out. So the connection itself notes its first byte.

A socket's timeout begins anew with each byte, so a server that sends one now and then would block a worker for ever. So all that
is read of an answer, its head and a proxy's words before it included, ends at one moment, and after so many bytes.
"""

from __future__ import annotations

import copy
import functools
import io
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from airflow_provider_nexus.client.body import MEGABYTE, OF_THE_CONNECTION, OversizeError


class HeldBackError(Exception):
    """What was to happen before the first byte failed, so none was sent. The cause is the failure."""


@dataclass(frozen=True)
class Bounds:
    """What one answer may take.

    :param seconds: from the beginning of the call
    :param size: bytes of its body
    :param by: what bounds them, and what to do
    """

    seconds: float
    size: int
    by: str = OF_THE_CONNECTION


class Departure:
    """Whether a byte of a call was handed to the network. What a proxy is sent to make a tunnel is not of the call.

    :param before: called right before the first byte; what it raises keeps the call here
    :ivar sock: the socket that it leaves by, once it does
    """

    def __init__(self, before: Callable[[], object] | None = None) -> None:
        self._before = before
        self.has_left = False
        self.sock: socket.socket | None = None

    def leave(self) -> None:
        """The first byte is about to go, or a further one. :class:`HeldBackError` when the call must stay."""
        if self.has_left:
            return
        if self._before:
            try:
                self._before()
            except Exception as error:
                raise HeldBackError from error  # urllib3 would take an OSError for one of its own
        self.has_left = True


_current: ContextVar[tuple[Departure, float, Bounds] | None] = ContextVar("nexus_call", default=None)
"""The call that is made: its departure, when its answer has to end, and what that may take."""


@contextmanager
def departing(bounds: Bounds, before: Callable[[], object] | None = None) -> Iterator[Departure]:
    """The departure, within bounds, of the one call that is made, and whose answer is read, in the block, in this thread."""
    departure = Departure(before)
    token = _current.set((departure, time.monotonic() + bounds.seconds, bounds))
    try:
        yield departure
    finally:
        _current.reset(token)


class _Bounded(io.RawIOBase):
    """What a socket brings, as ``raw`` reads it, until a moment and up to a number of bytes."""

    def __init__(self, sock: socket.socket, raw: Any, deadline: float, bounds: Bounds) -> None:
        self._sock, self._raw, self._deadline, self._bounds = sock, raw, deadline, bounds
        self._patience = sock.gettimeout()
        self._left = bounds.size + MEGABYTE  # some more, for the head and the marks between pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        rest = self._deadline - time.monotonic()
        if rest <= 0:
            raise TimeoutError("the answer has not ended in time")
        self._sock.settimeout(rest if self._patience is None else min(self._patience, rest))
        count: int | None = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise OversizeError(self._bounds.size, self._bounds.by)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An answer, or what a proxy sends before it, that is read within the bounds of its call."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if current := _current.get():
            self.fp: Any = io.BufferedReader(_Bounded(sock, self.fp.detach(), *current[1:]))


class _NotingConnection(HTTPConnection):
    """A connection that notes the first byte of a call, and bounds its answer."""

    response_class: Any = _BoundedResponse
    _is_connecting = False

    def connect(self) -> None:
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        current = _current.get()
        if current and not self._is_connecting:
            current[0].leave()
            current[0].sock = self.sock
        super().send(data)


class _NotingAdapter(HTTPAdapter):
    """The transport of ``requests``, with such connections, direct ones and those through a proxy."""

    _pool: Any = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _make_noting(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return _make_noting(super().proxy_manager_for(proxy, **kwargs))

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """The pool of connections to the one server that a session calls, looked up once."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(request, *args, **kwargs)
        return self._pool

    def close(self) -> None:
        super().close()
        self._pool = None


class _StraightSession(requests.Session):
    """A session of one server, which works out once what is the same for many calls.

    It does not look where a redirect leads: doing so, it would read all of its body, whatever its size.
    """

    _latest: tuple[Any, requests.PreparedRequest] | None = None

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        return None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """The request as it is sent. Of readings of one path, one after another, only the query and the token are new."""
        if request.method != "GET" or request.data or self.cookies or set("?#") & set(request.url):
            return super().prepare_request(request)
        params, auth, request.params, request.auth = request.params, request.auth, {}, None
        key = request.url, request.headers
        if self._latest is None or self._latest[0] != key:
            self._latest = key, super().prepare_request(request)
        prepared = copy.copy(self._latest[1])
        prepared.headers = prepared.headers.copy()
        if query := urlencode(params, doseq=True):
            prepared.url = f"{prepared.url}?{query}"
        auth(prepared)
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ARG002
        """How a request is sent, in which the environment has no part here: it was read when the session was made."""
        return {"proxies": self.proxies, "stream": stream, "verify": self.verify, "cert": self.cert}


def noting_session(proxy: str | None, trusted: str) -> requests.Session:
    """A session whose connections note when a call leaves.

    :param trusted: the file or folder of certificates to trust; empty for those of ``requests``
    """
    session = _StraightSession()
    session.trust_env, session.verify = False, trusted or True
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    for scheme in ("http://", "https://"):
        session.mount(scheme, _NotingAdapter())
    return session


def _make_noting(manager: Any) -> Any:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _noting_pool(pool) for scheme, pool in pools.items()}
    return manager


@functools.cache
def _noting_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """A kind of pool that makes such connections."""
    if issubclass(pool.ConnectionCls, _NotingConnection):
        return pool
    connection = type(pool.ConnectionCls.__name__, (_NotingConnection, pool.ConnectionCls), {})  # errors name it
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


_LOGS = [logging.getLogger(name) for name in ("httpx", "httpcore.http11", "urllib3.connection")]
_OF_HEADERS = "receive_response_headers.complete", "receive_response_headers.failed", "Failed to parse headers"
_calling: ContextVar[bool] = ContextVar("nexus_is_calling", default=False)


def _without_ours(record: logging.LogRecord) -> bool:
    """Leaves out what HTTP libraries log of our calls: whole addresses, codes included, and headers of answers."""
    return not (_calling.get() and (record.name == "httpx" or record.getMessage().startswith(_OF_HEADERS)))


@contextmanager
def unlogged() -> Iterator[None]:
    """Make a call in the block that no HTTP library logs."""
    for log in _LOGS:
        log.addFilter(_without_ours)  # the same filter is added once
    before = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(before)
