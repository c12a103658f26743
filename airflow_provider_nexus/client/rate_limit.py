"""Rate limit: calls a second that one machine, or several, make with one token, by a bucket that all of their tasks share.

The bucket is one moment, the time at which it is full again (the generic cell rate algorithm, ITU-T I.371). It lies in a small
file under the temp directory, so that tasks share it, which are processes of their own. ``CLOCK_MONOTONIC`` is the same for all
of them. Where machines share the limit, calls are booked in a second bucket as well, see
:mod:`airflow_provider_nexus.client.rate_store`: what a machine has booked, and been told, outlives a store that is lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from pathlib import Path

from airflow_provider_nexus.client.rate_store import SharedBucket
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import LONGEST_PAUSE, NexusConfigurationError

_DAY = 86_400.0
_WIDTH = 64
_log = logging.getLogger(__name__)

_State = tuple[float, float]
"""The bucket: when the last call was booked, and when the bucket is full again."""
_local_buckets: dict[Path, _State] = {}
"""Buckets of this process alone, by the files that can't be used."""
_lock = threading.Lock()


class RateLimiter:
    """Books calls: over any span of ``s`` seconds no more than ``burst + rate * s``.

    Where the file can't be used, each process has a bucket of its own, and a warning is logged once. Where the store of machines
    can't be reached, each of them has its own.

    :param settings: the connection; without a ``rate_limit`` nothing is booked and no file is made
    :param folder: where the file lies; by default the temp directory
    :param clock: seconds, the same for all processes of the machine
    :param is_alone: whether one caller at a time has it, who waits for a pause by itself; else a pause is for all callers also
        where there is no ``rate_limit``
    :raises NexusConfigurationError: when the store of machines was not read, or its library is missing
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_alone: bool = True,
    ) -> None:
        self._rate = settings.rate_limit
        self._clock, self._is_alone, self._paused_until = clock, is_alone, 0.0
        self._shared: SharedBucket | None = None
        if self._rate is not None:
            self._interval = 1.0 / self._rate
            self.burst = max(1, int(self._rate))
            # The token is in the name as a digest only. Users of the machine can't read each other's files, so each has its own.
            digest = hashlib.sha256(f"{settings.environment.base_url}\0{settings.token.reveal()}".encode()).hexdigest()[:32]
            self.path = (folder or Path(tempfile.gettempdir())) / f"nexus-rate-{os.geteuid()}-{digest}"
            if settings.rate_limit_conn_id and not settings.rate_limit_store:
                what = f"connection {settings.rate_limit_conn_id!r}, which was not read: make the client by NexusHook"
                raise NexusConfigurationError(f"the rate limit is to be shared by {what}")
            if settings.rate_limit_store:
                self._shared = SharedBucket(settings.rate_limit_store, f"nexus-rate-{digest}")

    def reserve(self) -> float:
        """Book the next call.

        :return: seconds to wait for it
        :raises NexusConfigurationError: when the store of machines refuses it for good
        """
        if self._rate is None:
            return max(0.0, self._paused_until - self._clock())
        rest = self._change(0.0, self._interval)
        if self._shared:
            rest = max(rest, self._shared.change(0.0, self._interval))
        return max(0.0, rest - self.burst * self._interval)

    async def areserve(self) -> float:
        """:meth:`reserve` in an event loop, which does not wait for the store of machines."""
        return await asyncio.to_thread(self.reserve) if self._shared else self.reserve()

    def pause(self, seconds: float) -> None:
        """Let no task call for that long, at most for :data:`LONGEST_PAUSE`."""
        if self._rate is None and not self._is_alone:
            self._paused_until = max(self._paused_until, self._clock() + min(seconds, LONGEST_PAUSE))
        if self._rate is not None and seconds > 0:
            rest = min(seconds, LONGEST_PAUSE) + (self.burst - 1) * self._interval
            self._change(rest, 0.0)
            if self._shared:
                with suppress(NexusConfigurationError):  # the next call tells: this one has an error of its own
                    self._shared.change(rest, 0.0)

    async def apause(self, seconds: float) -> None:
        """:meth:`pause` in an event loop, which does not wait for the store of machines."""
        if self._shared and seconds > 0:
            await asyncio.to_thread(self.pause, seconds)
        else:
            self.pause(seconds)

    def close(self) -> None:
        """Give the connections to the store of machines back, if there are any."""
        if self._shared:
            self._shared.close()

    def _change(self, least: float, step: float) -> float:
        """Let the bucket be full no sooner than in that many seconds, and then later by a step. Return the seconds until then."""

        def change(state: _State) -> _State:
            (booked, full), now = state, self._clock()
            # a clock that is before the last booking began anew when the machine was started
            is_possible = isfinite(booked) and booked <= now and full - now < _DAY
            return now, max(full if is_possible else 0.0, now + least) + step

        if self.path not in _local_buckets:
            try:
                booked, full = _change_file(self.path, change)
                return full - booked
            except OSError as error:
                with _lock:
                    if self.path not in _local_buckets:
                        why = "the rate limit is for each task alone, since the tasks of this machine can't share %s: %s"
                        _log.warning(why, self.path, error.strerror or error)
                        _local_buckets[self.path] = (0.0, 0.0)
        with _lock:
            _local_buckets[self.path] = booked, full = change(_local_buckets[self.path])
            return full - booked


def _change_file(path: Path, change: Callable[[_State], _State]) -> _State:
    """Change the bucket in a file, made if it is not there; :class:`OSError` when it can't be, or is somebody else's."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
            raise OSError("it is not a file of this user's own")
        fcntl.flock(file, fcntl.LOCK_EX)  # for microseconds, and released by closing, also if the process dies
        try:
            booked, full = (float(word) for word in os.pread(file, _WIDTH, 0).split())
        except ValueError:
            booked, full = 0.0, 0.0  # what can't be read counts as a full bucket
        booked, full = change((booked, full))
        os.pwrite(file, f"{booked!r} {full!r}".encode().ljust(_WIDTH), 0)
        return booked, full
    finally:
        os.close(file)
