"""Connections that tell when a call leaves this machine, and that end an answer which has no end.

Which exception ends a call says little about whether it had left: behind a proxy the same class stands for a connection that was
never made and for an answer that was lost after Nexus had carried the call out. So the connection itself notes its first byte.

A socket's timeout begins anew with each byte, so a server that sends one now and then would hold a worker for ever. So all that
is read of an answer, its head and a proxy's words before it included, ends at one moment, and after so many bytes.
"""

from __future__ import annotations

import functools
import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

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
    """Whether a byte of a call was handed to the network. What a proxy is told to make a tunnel is not of the call.

    :param before: called right before the first byte; what it raises keeps the call here
    """

    def __init__(self, before: Callable[[], object] | None = None) -> None:
        self._before = before
        self.has_left = False

    def leave(self) -> None:
        """The first byte is about to go, or a further one.

        :raises HeldBackError: when the call must stay
        """
        if self.has_left:
            return
        if self._before:
            try:
                self._before()
            except Exception as error:
                raise HeldBackError from error  # urllib3 would take an OSError for one of its own
        self.has_left = True


_departure: ContextVar[Departure | None] = ContextVar("nexus_departure", default=None)
_bounds: ContextVar[tuple[float, int] | None] = ContextVar("nexus_bounds", default=None)


@contextmanager
def departing(bounds: Bounds, before: Callable[[], object] | None = None) -> Iterator[Departure]:
    """The departure of the one call that is made, and whose answer is read, in the block, in this thread.

    :param bounds: what its answer may take
    :param before: called right before the first byte
    """
    departure = Departure(before)
    tokens = _departure.set(departure), _bounds.set((time.monotonic() + bounds.seconds, bounds.size))
    try:
        yield departure
    finally:
        _departure.reset(tokens[0])
        _bounds.reset(tokens[1])


class _Bounded(io.RawIOBase):
    """What a socket brings, until a moment and up to a number of bytes.

    :param raw: reads from the socket
    """

    def __init__(self, sock: socket.socket, raw: Any, deadline: float, size: int) -> None:
        self._sock, self._raw, self._deadline, self._size = sock, raw, deadline, size
        self._left, self._patience = size + MEGABYTE, sock.gettimeout()  # some more, for the head and the marks between pieces

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
            raise OversizeError(self._size)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedResponse(HTTPResponse):
    """An answer, or what a proxy says before it, that is read within the bounds of its call."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if bounds := _bounds.get():
            self.fp: Any = io.BufferedReader(_Bounded(sock, self.fp.detach(), *bounds))


class _Telling(HTTPConnection):
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
        departure = _departure.get()
        if departure and not self._is_connecting:
            departure.leave()
        super().send(data)


class TellingAdapter(HTTPAdapter):
    """The transport of ``requests``, with connections that tell when a call leaves."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _make_telling(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Connections through a proxy."""
        return _make_telling(super().proxy_manager_for(proxy, **kwargs))


class _StraightSession(requests.Session):
    """A session that does not look where a redirect leads: doing so, it would read all of its body, whatever its size."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        return None


def telling_session(proxy: str | None, trusted: str | None) -> requests.Session:
    """A session whose calls tell when they leave.

    :param proxy: the address of the proxy that they take
    :param trusted: the file or folder of certificates to trust; by default those of ``requests``
    """
    session = _StraightSession()
    session.trust_env, session.verify = False, trusted or True
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    for scheme in ("http://", "https://"):
        session.mount(scheme, TellingAdapter())
    return session


def _make_telling(manager: Any) -> Any:
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _telling_pool(pool) for scheme, pool in pools.items()}
    return manager


@functools.cache
def _telling_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """A kind of pool, with the connections that it makes telling."""
    if issubclass(pool.ConnectionCls, _Telling):
        return pool
    connection = type(pool.ConnectionCls.__name__, (_Telling, pool.ConnectionCls), {})  # errors name it
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})
