"""What the blocking client and the event-loop client share: settings, rate limit, server clock, and a key that is exchanged."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from airflow_provider_nexus import __version__
from airflow_provider_nexus.client.body import CODING, MEGABYTE
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.expiry import ExpiryLog
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.network import misconfigured, unreached
from airflow_provider_nexus.client.rate_limit import RateLimiter
from airflow_provider_nexus.client.reply import ServerClock
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.client.wire import Bounds
from airflow_provider_nexus.exceptions import (
    NexusConnectionError,
    NexusError,
    NexusInterruptedError,
    NexusTimeoutError,
    NexusWriteRefusedError,
)

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for a connection."""
HEADERS: Mapping[str, str] = {
    "Accept": "application/json",
    "Accept-Encoding": CODING,
    "User-Agent": f"airflow-provider-nexus/{__version__}",
    "request_iso8601": "true",
}
"""Headers of every call."""
_TIMES = 4
"""As many times the seconds that the next piece of an answer may take, the whole of it may."""


class ClientCore:
    """Base of both clients.

    A key that is exchanged while it is in use: after a 401 the connection is read again, and another key in it is used from then
    on. A 401 is the server's own word that it did not do what it was asked, so the call may go out once more, a change included.

    :param log: where retries are reported, and a key that is near its end
    :ivar settings: the connection with the key that is in use
    """

    def __init__(self, settings: ClientSettings, log: Log | None) -> None:
        self.environment = settings.environment
        self.calls = 0
        self.settings, self._limiter = settings, RateLimiter(settings)
        self._log = log or logging.getLogger(type(self).__module__)
        self._expiry_log, self._clock = ExpiryLog(self._log), ServerClock()
        self._bounds = Bounds(settings.timeout * _TIMES, settings.max_answer_mb * MEGABYTE)

    @property
    def server_now(self) -> datetime | None:
        """The time by the server's clock, from the latest answer's ``Date``; ``None`` before the first."""
        return self._clock.now

    @property
    def _timeouts(self) -> tuple[float, float]:
        """Seconds to wait for a connection, and for the next piece of an answer."""
        return min(CONNECT_TIMEOUT, self.settings.timeout), self.settings.timeout

    def _refuse_change(self, call: Call) -> None:
        """Let a call pass unless it would change something and the connection does not allow that."""
        if call.changes_something and not self.settings.allow_writes:
            raise NexusWriteRefusedError(
                f"{call.method} {call.label} would change something in Nexus ({self.environment.name}) and the connection does "
                "not allow that: switch on 'Allow writes' in the connection, or use one that has it on"
            )

    def _warn_of_expiry(self) -> None:
        """Called after a call, as the server's clock is known by then, if it can be."""
        self._expiry_log.report(self.settings.expiry, self.server_now, self.environment.name)

    @contextmanager
    def _reading_settings(self) -> Iterator[None]:
        """A block that reads the connection again. What fails in it is logged, as the refusal of the key is what counts."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a backend of secrets may raise anything
            # of what is not ours only its class: its text may contain what was read
            why = str(error) if isinstance(error, NexusError) else type(error).__name__
            self._log.warning("the API key was refused, and the connection could not be read again: %s", why)

    def _renew(self, found: ClientSettings) -> None:
        """Use the key that the connection has by now, if it is another one for the same place."""
        here, there = self.environment, found.environment
        if settings := self.settings.renewed_by(found):
            self._log.info("%s refused the API key, and the connection has another one by now: using that", here)
            self.settings, self._limiter = settings, RateLimiter(settings)
        elif there != here:
            self._log.warning("%s refused the API key; the connection leads to %s by now, which is not used", here, there)


def unanswered(
    call: Call, error: Exception, *, has_left: bool, is_late: bool, is_of_network: bool, detail: str = ""
) -> NexusError:
    """The error for a call that brought no answer. Of the original only its class is shown: its text may contain the full URL.

    :param has_left: whether a byte of the call was handed to the network
    :param is_late: whether a time-out ended it
    :param is_of_network: whether the network ended it, and not how this machine is set up
    :param detail: why no connection was made, where that is known without the URL
    """
    if not has_left:
        if not is_of_network:
            return misconfigured(call, error)
        detail = unreached(error) or detail or f"no connection was made ({type(error).__name__})"
        return NexusConnectionError(call.method, call.label, detail=detail)
    kind = NexusTimeoutError if is_late else NexusInterruptedError
    what = "no whole answer came in time" if is_late else "the connection broke before the whole answer had come"
    return kind(call.method, call.label, detail=f"{what} ({type(error).__name__})")
