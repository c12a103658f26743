"""How many calls a second one machine makes with one token: a bucket that all of its tasks share.

The bucket is one moment, the time at which it is full again (the generic cell rate algorithm, ITU-T I.371). It lies in a small
file under the temp directory, so that tasks share it, which are processes of their own. ``CLOCK_MONOTONIC`` is the same for all
of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import LONGEST_PAUSE, NexusApiError

_DAY = 86_400.0
_WIDTH = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _State:
    """The bucket.

    :param booked: when the last slot was booked
    :param full: when the bucket is full again
    """

    booked: float = 0.0
    full: float = 0.0

    def is_possible(self, now: float) -> bool:
        """Whether it can be true: a clock that stands before the last booking began anew when the machine was started."""
        return isfinite(self.booked) and self.booked <= now and self.full - now < _DAY


Change = Callable[[_State], _State]


class RateLimiter:
    """Books slots for calls: over any span of ``s`` seconds no more than ``burst + rate * s``.

    Where the file can't be used, each process has a bucket of its own, and a warning is logged once.

    :param settings: the connection; without a ``rate_limit`` nothing is booked and no file is made
    :param folder: where the file lies; by default the temp directory
    :param clock: seconds, the same for all processes of the machine
    """

    def __init__(
        self, settings: ClientSettings, *, folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = settings.rate_limit
        self._clock = clock
        if self._rate is not None:
            self._interval = 1.0 / self._rate
            self.burst = max(1, int(self._rate))
            self.path = (folder or Path(tempfile.gettempdir())) / _name(settings)

    def reserve(self) -> float:
        """Book the next free slot.

        :return: seconds to wait for it
        """
        if self._rate is None:
            return 0.0
        now, state = self._change(lambda now, full: max(now, full) + self._interval)
        return max(0.0, state.full - self.burst * self._interval - now)

    def hold(self, seconds: float) -> None:
        """Leave the server alone: no slot is given for that long, at most for :data:`LONGEST_PAUSE`, to any task."""
        if self._rate is not None and seconds > 0:
            rest = min(seconds, LONGEST_PAUSE) + (self.burst - 1) * self._interval
            self._change(lambda now, full: max(now + rest, full))

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Hold the bucket when the answer that is read in the block says for how long the server is to be left alone."""
        try:
            yield
        except NexusApiError as error:
            self.hold(error.pause)
            raise

    def _change(self, advance: Callable[[float, float], float]) -> tuple[float, _State]:
        """The time of the change and the bucket after it."""

        def change(state: _State) -> _State:
            now = self._clock()
            return _State(now, advance(now, state.full if state.is_possible(now) else 0.0))

        store: Callable[[Change], _State] = _own_bucket(self.path) or self._change_file
        try:
            state = store(change)
        except OSError as error:
            state = _new_own_bucket(self.path, error)(change)
        return state.booked, state

    def _change_file(self, change: Change) -> _State:
        with _opened(self.path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # held for microseconds, and let go by closing, also if the process dies
            state = change(_parse(os.pread(file, _WIDTH, 0)))
            os.pwrite(file, f"{state.booked!r} {state.full!r}".encode().ljust(_WIDTH), 0)
        return state


class _OwnBucket:
    """A bucket of this process alone."""

    def __init__(self) -> None:
        self._lock, self._state = threading.Lock(), _State()

    def __call__(self, change: Change) -> _State:
        with self._lock:
            self._state = change(self._state)
            return self._state


_own_buckets: dict[Path, _OwnBucket] = {}
_making = threading.Lock()


def _own_bucket(path: Path) -> _OwnBucket | None:
    return _own_buckets.get(path)


def _new_own_bucket(path: Path, error: OSError) -> _OwnBucket:
    with _making:
        if path not in _own_buckets:
            _log.warning(
                "the rate limit holds for each task alone, since the tasks of this machine can't share %s: %s",
                path,
                error.strerror or error,
            )
        return _own_buckets.setdefault(path, _OwnBucket())


def _name(settings: ClientSettings) -> str:
    """The token is in it as a digest only. Users of the machine can't read each other's files, so each has its own."""
    digest = hashlib.sha256(f"{settings.environment.base_url}\0{settings.token.reveal()}".encode()).hexdigest()[:32]
    return f"nexus-rate-{os.geteuid()}-{digest}"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, made if it is not there.

    :raises OSError: when it can't be used, or when somebody else has put something in its place
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
            raise OSError("it is not a file of this user's own")
        yield file
    finally:
        os.close(file)


def _parse(content: bytes) -> _State:
    """The bucket as it was written; a full one when that can't be read."""
    try:
        booked, full = (float(word) for word in content.split())
    except ValueError:
        return _State()
    return _State(booked, full)
