"""Calls over one kept-alive ``requests.Session``: time-outs, no redirects, TLS verified, typed errors, retries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import TypeVar

import requests
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import join
from airflow_provider_nexus.client import reply, retry
from airflow_provider_nexus.client.body import PIECE, Body, OversizeError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.expiry import Expiry, Notice
from airflow_provider_nexus.client.files import FOUND, Sink, file_bounds, form_bounds, read_file
from airflow_provider_nexus.client.local import distrust, misconfigured, trusted_place, unreached
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.proxies import proxy_for
from airflow_provider_nexus.client.quiet import unlogged
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.renewal import not_read, renewed
from airflow_provider_nexus.client.reply import Answer
from airflow_provider_nexus.client.secret import Secret, bare
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import Bounds, HeldBackError, departing, telling_session
from airflow_provider_nexus.exceptions import (
    NexusApiError,
    NexusAuthenticationError,
    NexusConnectionError,
    NexusError,
    NexusInterruptedError,
    NexusTimeoutError,
)

T = TypeVar("T")


class _Bearer(AuthBase):
    """Puts the token on a request. As an auth object it also keeps requests from taking credentials out of a netrc."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class NexusSession:
    """Sends calls to one Nexus with one token.

    :param settings: the connection
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
        self.environment = settings.environment
        self._settings = settings
        self._policy = policy or retry.RetryPolicy(retries=settings.retries)
        self._log = log or logging.getLogger(__name__)
        self._refresh, self._notice = refresh, Notice(self._log)
        self.calls = 0
        self._clock = reply.ServerClock()
        self._limiter = RateLimiter(settings)
        self._bounds = reply.bounds(settings)

    @cached_property
    def _http(self) -> requests.Session:
        session = telling_session(proxy_for(self.environment.base_url), trusted_place())
        session.auth = _Bearer(self._settings.token)
        session.headers.update(reply.HEADERS)
        return session

    @property
    def expiry(self) -> Expiry | None:
        """When the token ends that is in use; ``None`` when nothing says it."""
        return self._settings.expiry

    @property
    def server_now(self) -> datetime | None:
        """The time by the server's clock, from the latest answer's ``Date``; ``None`` before the first."""
        return self._clock.now

    def send(self, call: Call, decode: Callable[[bytes], T], *, before: Callable[[], object] | None = None) -> Answer[T]:
        """Send a call, again while that is safe, and decode its answer.

        A call whose token is refused goes out once more when the connection holds another token by now.

        :param decode: bytes of a 2xx body -> value; an answer that it can't read counts as cut and is asked for again
        :param before: called right before the first byte of each attempt, once it is sure that one can go; what it raises keeps
            the call here
        :raises NexusWriteRefusedError: when it would change something and the connection does not allow that
        :raises NexusAmbiguousWriteError: when a change may or may not have happened
        :raises NexusConfigurationError: when this machine can't send it as it is set up
        :raises NexusApiError: one class per cause
        """
        return self._renewing(lambda: self._send(call, decode, before))

    def fetch(self, call: Call, sink: Sink, megabytes: int) -> str:
        """Fetch a file, again while it has not come whole.

        :param sink: takes its bytes; after an error it holds a part of them, or none
        :param megabytes: million bytes that it may have, packed and unpacked
        :return: of what kind the server says it is, such as ``application/pdf``; empty when it does not say
        :raises NexusApiError: one class per cause
        """
        bounds = file_bounds(self._settings, megabytes)
        return self._renewing(lambda: self._run(call, lambda: self._fetch_once(call, sink, bounds)))

    def close(self) -> None:
        """Give the connection back."""
        if "_http" in self.__dict__:
            self._http.close()

    def _send(self, call: Call, decode: Callable[[bytes], T], before: Callable[[], object] | None) -> Answer[T]:
        reply.refuse_change(self._settings, call)
        return self._run(call, lambda: self._send_once(call, decode, before))

    def _run(self, call: Call, once: Callable[[], T]) -> T:
        try:
            return retry.run(self._policy, call, lambda: _attempt(once), self._log, time.sleep)
        finally:  # by now the server's clock is known, if it can be
            self._notice.give(self.expiry, self.server_now, self.environment.name)

    def _renewing(self, go: Callable[[], T]) -> T:
        """Go, and once more when the token was refused and there is another by now."""
        used = self._settings
        try:
            return go()
        except NexusAuthenticationError:
            if not self._renew(used):
                raise
        return go()

    def _renew(self, used: ClientSettings) -> bool:
        """Whether there is another token to go on with than the one that was refused."""
        if self._settings is not used:
            return True
        if self._refresh is None:
            return False
        try:
            settings = renewed(used, self._refresh(), self._log)
        except Exception as error:  # noqa: BLE001 - a backend of secrets may raise anything, and the refusal is what counts
            not_read(error, self._log)
            return False
        if settings is None:
            return False
        self._settings, self._limiter = settings, RateLimiter(settings)
        self._http.auth = _Bearer(settings.token)
        return True

    def _send_once(self, call: Call, decode: Callable[[bytes], T], before: Callable[[], object] | None) -> Answer[T]:
        bounds = form_bounds(self._settings, call.form) if call.form else self._bounds
        received = self._exchange(call, bounds, lambda head: Body(head.headers, bounds.size), before)
        with self._limiter.heeding():
            return reply.read(call, received, self._settings, decode)

    def _fetch_once(self, call: Call, sink: Sink, bounds: Bounds) -> str:
        def body_of(head: requests.Response) -> Body:
            is_file = head.status_code == FOUND
            return Body(head.headers, bounds.size, sink.write) if is_file else Body(head.headers, self._bounds.size)

        sink.begin()
        received = self._exchange(call, bounds, body_of, accept="*/*")
        with self._limiter.heeding():
            return read_file(call, received, self._settings, sink, bounds)

    def _exchange(
        self,
        call: Call,
        bounds: Bounds,
        body_of: Callable[[requests.Response], Body],
        before: Callable[[], object] | None = None,
        accept: str = reply.HEADERS["Accept"],
    ) -> Received:
        """Send a call once, and read its answer up to the last byte."""
        if wait := self._limiter.reserve():
            time.sleep(wait)
        self.calls += 1
        began, body, query = time.monotonic(), call.body, call.query
        url = join(self.environment.base_url, call.path)
        failure: Exception | None = None
        with departing(bounds, before) as departure, unlogged():
            try:
                response = self._http.request(
                    call.method,
                    url,
                    params=query,
                    data=BytesIO(body) if body and call.form else body,  # in pieces: a time-out is for all that is sent at once
                    headers={"Accept": accept, **call.own_headers},
                    timeout=(min(reply.CONNECT_TIMEOUT, self._settings.timeout), self._settings.timeout),
                    allow_redirects=False,
                    stream=True,
                )
                received = _received(response, body_of(response))
            except HeldBackError as error:
                failure = error.__cause__  # type: ignore[assignment]
            except NexusError as error:
                failure = error  # of who takes the bytes
            except Exception as error:  # noqa: BLE001 - whatever it is: what counts is whether the call had left
                failure = _typed(call, error, bounds, has_left=departure.has_left)
        if failure:
            raise failure  # out here, so that it does not hold on to the original, whose request holds the token
        self._log.debug("%s %s: %d, %.0f ms", call.method, call.label, received.status, (time.monotonic() - began) * 1000)
        self._clock.set_by(received.headers)
        return received


def _attempt(once: Callable[[], T]) -> T:
    failure: BaseException
    try:
        return once()
    except NexusApiError as error:
        failure = bare(error)
    except Exception:
        raise  # of what was to happen before, or of how this machine is set up
    except BaseException as error:  # noqa: BLE001 - what ends a task, such as a time-out or Ctrl-C
        failure = bare(error)
    raise failure


def _received(response: requests.Response, body: Body) -> Received:
    """The answer, read as it comes: requests itself would unpack whatever it is sent, whatever its size."""
    with closing(response):
        while (piece := response.raw.read(PIECE, decode_content=False)) and body.take(piece):
            pass
    return Received(response.status_code, response.headers, body)


def _typed(call: Call, error: Exception, bounds: Bounds, *, has_left: bool) -> NexusError:
    """The cause as one of ours. The original's own text is not used: it holds the full URL, codes included."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(error, OversizeError):
        return reply.bad_body(call, OversizeError(bounds.size, bounds.by))
    if has_left:
        is_late = isinstance(error, requests.Timeout | ReadTimeoutError) or isinstance(cause, ReadTimeoutError)
        return reply.no_answer(NexusTimeoutError if is_late else NexusInterruptedError, call, error)
    is_of_the_network = isinstance(error, requests.ConnectionError | requests.Timeout)
    if not is_of_the_network or (isinstance(error, requests.exceptions.SSLError) and distrust()):
        return misconfigured(call, error)
    if why := unreached(error):
        return NexusConnectionError(call.method, call.label, detail=why)
    if reason is None:
        return reply.no_answer(NexusConnectionError, call, error)
    return NexusConnectionError(call.method, call.label, detail=envelope.redact(str(reason)))
