"""Calls over one kept-alive ``requests.Session``: time-outs, no redirects, TLS verified, typed errors, retries."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import cached_property
from typing import TypeVar

import requests
from requests.auth import AuthBase
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.environments import join
from airflow_provider_nexus.client import reply, retry
from airflow_provider_nexus.client.body import PIECE, Body, OversizeError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.governor import Governor
from airflow_provider_nexus.client.local import distrust, misconfigured, trusted_place, unreached
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.quiet import unlogged
from airflow_provider_nexus.client.reply import Answer
from airflow_provider_nexus.client.route import proxy_for
from airflow_provider_nexus.client.secret import Secret, bare
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import HeldBackError, departing, telling_session
from airflow_provider_nexus.exceptions import (
    NexusApiError,
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
    :param log: where retries are reported
    """

    def __init__(self, settings: ClientSettings, *, policy: retry.RetryPolicy | None = None, log: Log | None = None) -> None:
        self.environment = settings.environment
        self._settings = settings
        self._policy = policy or retry.RetryPolicy(retries=settings.retries)
        self._log = log or logging.getLogger(__name__)
        self.calls = 0
        self._clock = reply.ServerClock()
        self._governor = Governor(settings)
        self._bounds = reply.bounds(settings)

    @cached_property
    def _http(self) -> requests.Session:
        session = telling_session(proxy_for(self.environment.base_url), trusted_place())
        session.auth = _Bearer(self._settings.token)
        session.headers.update(reply.HEADERS)
        return session

    @property
    def server_now(self) -> datetime | None:
        """The time by the server's clock, from the latest answer's ``Date``; ``None`` before the first."""
        return self._clock.now

    def send(self, call: Call, decode: Callable[[bytes], T], *, before: Callable[[], object] | None = None) -> Answer[T]:
        """Send a call, again while that is safe, and decode its answer.

        :param decode: bytes of a 2xx body -> value; an answer that it can't read counts as cut and is asked for again
        :param before: called right before the first byte of each attempt, once it is sure that one can go; what it raises keeps
            the call here
        :raises NexusWriteRefusedError: when it would change something and the connection does not allow that
        :raises NexusAmbiguousWriteError: when a change may or may not have happened
        :raises NexusConfigurationError: when this machine can't send it as it is set up
        :raises NexusApiError: one class per cause
        """
        reply.refuse_change(self._settings, call)
        return retry.run(self._policy, call, lambda: self._attempt(call, decode, before), self._log, time.sleep)

    def close(self) -> None:
        """Give the connection back."""
        if "_http" in self.__dict__:
            self._http.close()

    def _attempt(self, call: Call, decode: Callable[[bytes], T], before: Callable[[], object] | None) -> Answer[T]:
        failure: BaseException
        try:
            return self._send_once(call, decode, before)
        except NexusApiError as error:
            failure = bare(error)
        except Exception:
            raise  # of what was to happen before, or of how this machine is set up
        except BaseException as error:  # noqa: BLE001 - what ends a task, such as a time-out or Ctrl-C
            failure = bare(error)
        raise failure

    def _send_once(self, call: Call, decode: Callable[[bytes], T], before: Callable[[], object] | None) -> Answer[T]:
        if wait := self._governor.reserve():
            time.sleep(wait)
        self.calls += 1
        began, body, query = time.monotonic(), call.body, call.query
        url = join(self.environment.base_url, call.path)
        failure: Exception | None = None
        with departing(self._bounds, before) as departure, unlogged():
            try:
                response = self._http.request(
                    call.method,
                    url,
                    params=query,
                    data=body,
                    headers={"api_version": call.version, "Content-Type": "application/json" if body else None},
                    timeout=(min(reply.CONNECT_TIMEOUT, self._settings.timeout), self._settings.timeout),
                    allow_redirects=False,
                    stream=True,
                )
                received = self._received(response)
            except HeldBackError as error:
                failure = error.__cause__  # type: ignore[assignment]
            except Exception as error:  # noqa: BLE001 - whatever it is: what counts is whether the call had left
                failure = _typed(call, error, has_left=departure.has_left)
        if failure:
            raise failure  # out here, so that it does not hold on to the original, whose request holds the token
        self._log.debug("%s %s: %d, %.0f ms", call.method, call.label, received.status, (time.monotonic() - began) * 1000)
        self._clock.set_by(received.headers)
        with self._governor.heeding():
            return reply.read(call, received, self._settings.token, decode)

    def _received(self, response: requests.Response) -> Received:
        """The answer, read as it comes: requests itself would unpack whatever it is sent, whatever its size."""
        body = Body(response.headers, self._bounds.size)
        with closing(response):
            while (piece := response.raw.read(PIECE, decode_content=False)) and body.take(piece):
                pass
        return Received(response.status_code, response.headers, body)


def _typed(call: Call, error: Exception, *, has_left: bool) -> NexusError:
    """The cause as one of ours. The original's own text is not used: it holds the full URL, codes included."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(error, OversizeError):
        return reply.bad_body(call, error)
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
