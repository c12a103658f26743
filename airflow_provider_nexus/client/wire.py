"""Connections that tell when a call leaves this machine: the one sign by which a call is known as never sent.

Which exception ends a call says little about that: behind a proxy the same class stands for a connection that was never made
and for an answer that was lost after Nexus had carried the call out. So the connection itself notes its first byte.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection


class HeldBackError(Exception):
    """What was to happen before the first byte failed, so none was sent. The cause is the failure."""


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


@contextmanager
def departing(before: Callable[[], object] | None = None) -> Iterator[Departure]:
    """The departure of the one call that is made in the block, in this thread.

    :param before: called right before the first byte
    """
    departure = Departure(before)
    token = _departure.set(departure)
    try:
        yield departure
    finally:
        _departure.reset(token)


class _Telling(HTTPConnection):
    """A connection that notes the first byte of a call."""

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


def telling_session(proxy: str | None, trusted: str | None) -> requests.Session:
    """A session whose calls tell when they leave.

    :param proxy: the address of the proxy that they take
    :param trusted: the file or folder of certificates to trust; by default those of ``requests``
    """
    session = requests.Session()
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
