"""Blocking client: calls over one kept-alive ``requests.Session``, with time-outs, typed errors, retries, and no redirects."""

from __future__ import annotations

import copy
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from functools import cached_property, partial
from io import BytesIO
from typing import TypeVar

import requests
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import join
from airflow_provider_nexus.client import retry
from airflow_provider_nexus.client.body import MEGABYTE, PIECE, Body, OversizeError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.core import HEADERS, ClientCore, unanswered
from airflow_provider_nexus.client.download import FOUND, SpooledFile, read_file
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.network import distrust, proxy_for, trusted
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.reply import Answer, bad_body, read
from airflow_provider_nexus.client.secret import bare
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import Bounds, Departure, HeldBackError, departing, noting_session, unlogged
from airflow_provider_nexus.exceptions import NexusApiError, NexusAuthenticationError, NexusError

T = TypeVar("T")
_NUMBER = re.compile(r"\[Errno -?\d+\] ")
"""What this machine calls a failure of its network, before what that is."""
_OF_THE_CALL = "max_mb lets a file have: raise it"


class AbortedError(Exception):
    """A call was broken off by :meth:`NexusSession.abort`."""


class NexusSession(ClientCore):
    """Sends calls to one Nexus with one token.

    :param policy: when to try again; by default the connection's number of retries
    :param log: where retries are reported, and a key that is near its end
    :param refresh: reads the connection again, after its token was refused
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        policy: retry.RetryPolicy | None = None,
        log: Log | None = None,
        refresh: Callable[[], ClientSettings] | None = None,
    ) -> None:
        super().__init__(settings, log)
        self._policy, self._refresh = policy or retry.RetryPolicy(retries=settings.retries), refresh
        self._sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds)
        self._departure: Departure | None = None
        self._is_aborted = False

    @cached_property
    def _http(self) -> requests.Session:
        session = noting_session(proxy_for(self.environment.base_url), trusted()[1])
        session.headers.update(HEADERS)
        return session

    def send(self, call: Call, decode: Callable[[bytes], T], *, before: Callable[[], object] | None = None) -> Answer[T]:
        """Send a call, again while that is safe, and decode its answer.

        A call whose token is refused goes out once more when the connection has another token by now.

        :param decode: bytes of a 2xx body -> value; an answer that it can't read counts as cut and is asked for again
        :param before: called right before the first byte of each attempt, once it is sure that one can go; what it raises keeps
            the call here
        :raises NexusWriteRefusedError: when it would change something and the connection does not allow that
        :raises NexusAmbiguousWriteError: when a change may or may not have happened
        :raises NexusConfigurationError: when this machine can't send it as it is set up
        :raises NexusApiError: one class per cause
        """
        bounds = self._bounds
        if call.form:  # the time of an answer begins with the call, so there is a second more for each million bytes
            bounds = replace(bounds, seconds=bounds.seconds + len(call.form.content) / MEGABYTE)

        def once() -> Answer[T]:
            received = self._exchange(call, bounds, lambda head: Body(head.headers, bounds.size), before)
            return read(call, received, self.settings, decode)

        return self._run(call, once)

    def fetch(self, call: Call, file: SpooledFile, megabytes: int) -> str:
        """Fetch a file, again while it has not come whole.

        :param file: takes its bytes; after an error it has a part of them, or none
        :param megabytes: million bytes that it may have, packed and unpacked; there is a second more for each
        :return: the kind that the server states, such as ``application/pdf``; empty when it states none
        :raises NexusApiError: one class per cause
        """
        bounds = Bounds(self._bounds.seconds + megabytes, megabytes * MEGABYTE, _OF_THE_CALL)

        def body_of(head: requests.Response) -> Body:
            is_file = head.status_code == FOUND
            return Body(head.headers, bounds.size, file.write, bounds.by) if is_file else Body(head.headers, self._bounds.size)

        def once() -> str:
            file.clear()
            received = self._exchange(call, bounds, body_of, accept="*/*")
            return read_file(call, received, self.settings, file)

        return self._run(call, once)

    def twins(
        self, number: int, sleep: Callable[[float], None], ask: Callable[[Callable[[], ClientSettings]], ClientSettings]
    ) -> list[NexusSession]:
        """Sessions for other threads, each with its own way to the server; rate limit, pauses, clock and log are one for all.

        :param sleep: waits before a call
        :param ask: calls a function in the one thread that may read the connection again
        """
        limiter, refresh, found = RateLimiter(self.settings, is_alone=False), self._refresh, []
        for _ in range(number):
            twin = copy.copy(self)
            twin.__dict__.pop("_http", None)
            twin.calls, twin._limiter, twin._sleep = 0, limiter, sleep
            twin._refresh = partial(ask, refresh) if refresh else None
            found.append(twin)
        return found

    def abort(self) -> None:
        """Break off the call that another thread makes, where :class:`AbortedError` is raised then; nothing is sent again."""
        self._is_aborted = True
        if self._departure and self._departure.sock:
            with suppress(OSError):  # it may have ended
                socket.socket.shutdown(getattr(self._departure.sock, "socket", self._departure.sock), socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        if "_http" in self.__dict__:
            self._http.close()
        self._limiter.close()

    def _run(self, call: Call, once: Callable[[], T]) -> T:
        """Make a call, and once more when the token was refused and the connection has another one by now."""
        used = self.settings
        try:
            return self._retried(call, once)
        except NexusAuthenticationError:
            if self.settings is used and self._refresh:
                with self._reading_settings():
                    self._renew(self._refresh())
            if self.settings is used:
                raise
        return self._retried(call, once)

    def _retried(self, call: Call, once: Callable[[], T]) -> T:
        self._refuse_change(call)
        try:
            return retry.run(self._policy, call, lambda: self._bared(once), self._log, self._sleep)
        finally:
            self._warn_of_expiry()

    def _bared(self, once: Callable[[], T]) -> T:
        """The result of an attempt; its error can pause all, and goes without its frames, whose locals have the token."""
        failure: BaseException
        try:
            return once()
        except NexusApiError as error:
            failure = bare(error)
            self._limiter.pause(error.pause)
        except Exception:
            raise  # of what was to happen before, or of how this machine is set up
        except BaseException as error:  # noqa: BLE001 - what ends a task, such as a time-out or Ctrl-C
            failure = bare(error)
        raise failure

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with the token. Called by ``requests``, which then takes no credentials out of a netrc."""
        request.headers["Authorization"] = f"Bearer {self.settings.token.reveal()}"
        return request

    def _exchange(
        self,
        call: Call,
        bounds: Bounds,
        body_of: Callable[[requests.Response], Body],
        before: Callable[[], object] | None = None,
        accept: str = HEADERS["Accept"],
    ) -> Received:
        """Send a call once, and read its answer up to the last byte."""
        if wait := self._limiter.reserve():
            self._sleep(wait)
        self.calls += 1
        began, body, query = time.monotonic(), call.body, call.query
        url = join(self.environment.base_url, call.path)
        failure: Exception | None = None
        with departing(bounds, before) as departure, unlogged():
            self._departure = departure
            try:
                response = self._http.request(
                    call.method,
                    url,
                    params=query,
                    data=BytesIO(body) if body and call.form else body,  # in pieces: a time-out is for all that is sent at once
                    headers={"Accept": accept, **call.own_headers},
                    auth=self._authorised,
                    timeout=self._timeouts,
                    allow_redirects=False,
                    stream=True,
                )
                with closing(response):  # read as it comes: requests itself would unpack whatever it is sent, whatever its size
                    body_read = body_of(response)
                    while (piece := response.raw.read(PIECE, decode_content=False)) and body_read.take(piece):
                        pass
                received = Received(response.status_code, response.headers, body_read)
            except HeldBackError as error:
                failure = error.__cause__  # type: ignore[assignment]
            except NexusError as error:
                failure = error  # of who takes the bytes
            except Exception as error:  # noqa: BLE001 - whatever it is: what counts is whether the call had left
                failure = _typed(call, error, has_left=departure.has_left)
        if failure:
            # out here, so that it has no reference to the original, whose request has the token
            raise AbortedError if self._is_aborted else failure
        self._log.debug("%s %s: %d, %.0f ms", call.method, call.label, received.status, (time.monotonic() - began) * 1000)
        self._clock.set_by(received.headers)
        return received


def _typed(call: Call, error: Exception, *, has_left: bool) -> NexusError:
    """The cause as one of ours. The original's own text is not used: it contains the full URL, codes included."""
    if isinstance(error, OversizeError):
        return bad_body(call, error)
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    is_distrust = isinstance(error, requests.exceptions.SSLError) and bool(distrust())
    return unanswered(
        call,
        error,
        has_left=has_left,
        is_late=isinstance(error, requests.Timeout | ReadTimeoutError) or isinstance(cause, ReadTimeoutError),
        is_of_network=isinstance(error, requests.ConnectionError | requests.Timeout) and not is_distrust,
        detail=_NUMBER.sub("", envelope.redact(str(reason))) if reason else "",
    )
