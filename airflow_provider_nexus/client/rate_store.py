"""Where machines share a rate limit: a bucket in Redis, changed by a script that runs there, and by the clock that is there.

Libraries of rate limits refuse a call that comes too early, to be asked again, where calls are booked ahead here and none
overtakes another; they go by the clocks of the workers, or in whole seconds, and know no pause. So the rule is the one of the
bucket on disk, see :mod:`airflow_provider_nexus.client.rate_limit`, and the library is Redis' own client.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.exceptions import NexusConfigurationError, without_secrets

if TYPE_CHECKING:
    from redis import Redis

PATIENCE = 1.0
"""Seconds to wait for a connection to the store, and for its answer. Both are tried twice."""
LOST = 30.0
"""Seconds after which a store that could not be reached is asked again."""
_MICROSECONDS = 1_000_000
_DAY = 86_400 * _MICROSECONDS
_CHANGE = f"""
local time = redis.call('TIME')
local now = time[1] * {_MICROSECONDS} + time[2]
local booked, full = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local rest = booked and full - math.max(now, booked) or 0
if rest > {_DAY} then rest = 0 end
rest = math.max(rest, tonumber(ARGV[1])) + ARGV[2]
redis.call('SET', KEYS[1], string.format('%.0f %.0f', now, now + rest), 'PX', math.ceil(rest / 1000))
return rest
"""
"""Change a bucket: what it needs to be full again, at least as much as is given and then more, in microseconds by its clock.

A clock that was set back, or is another one after a failover, leaves what was needed when it was last changed. The key ends when
the bucket is full. Changes of keys after ``TIME`` need Redis 5.
"""
_lost: dict[RateStore, float] = {}
"""Stores that this process could not reach, with the time at which to ask them again."""
_lock = threading.Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RateStore:
    """A Redis, as a connection of Airflow describes it.

    :param user: whom its password is of; empty for the default one
    :param tls: how ``redis`` is to check certificates, as pairs of its arguments and their values; ``None`` without TLS
    """

    conn_id: str
    host: str
    port: int = 6379
    db: int = 0
    user: str = ""
    password: Secret = field(default=Secret(""))
    tls: tuple[tuple[str, str | bool], ...] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether this process could not reach it the last time, so that the rate limit is for each machine alone."""
        return self in _lost

    def __str__(self) -> str:
        return f"connection {self.conn_id!r} ({self.host}:{self.port}, database {self.db})"


class SharedBucket:
    """A bucket in Redis that the machines change together. Threads can share it. Nothing is sent before the first change.

    :raises NexusConfigurationError: when the library is missing
    """

    def __init__(self, store: RateStore, key: str) -> None:
        try:
            import redis  # noqa: F401
        except ImportError:
            hint = "pip install 'airflow-provider-nexus[redis]'"
            raise NexusConfigurationError(f"a rate limit that machines share needs the extra 'redis': {hint}") from None
        self.key, self._store = key, store

    def change(self, least: float, step: float) -> float:
        """Let it be full no sooner than in that many seconds, and then later by a step.

        :return: seconds until it is full; 0 where the store can't be reached, of which a warning is logged
        :raises NexusConfigurationError: when the store refuses it for good
        """
        if _lost.get(self._store, 0.0) > time.monotonic():
            return 0.0
        from redis import RedisError

        error: Exception
        try:
            rest = self._script(keys=[self.key], args=[ceil(each * _MICROSECONDS) for each in (least, step)])
        except (RedisError, OSError) as failure:
            error = failure
        else:
            if _lost.pop(self._store, None):
                _log.info("the store of the rate limit, %s, can be reached again", self._store)
            return float(rest) / _MICROSECONDS
        # out here, so that what is raised has no reference to the original, in whose frames the password is
        self._note(error)
        return 0.0

    def _note(self, error: Exception) -> None:
        why = without_secrets(f"{type(error).__name__}: {error}")
        if hint := _refusal(error):
            raise NexusConfigurationError(f"the store of the rate limit, {self._store}, {hint} ({why})")
        with _lock:
            is_news = self._store not in _lost
            _lost[self._store] = time.monotonic() + LOST
        if is_news:
            what = "the rate limit is for each machine alone, since its store, %s, can't be used: %s; it is tried every %.0f s"
            _log.warning(what, self._store, why, LOST)

    def close(self) -> None:
        """Give the connections back. The next change opens one again."""
        if "_script" in self.__dict__:
            self._script.registered_client.close()

    @cached_property
    def _script(self) -> Any:
        """Not one of the defaults is kept by which the library tries ten times and waits in between."""
        from redis import ConnectionError as LostError
        from redis import Redis, UsernamePasswordCredentialProvider
        from redis import TimeoutError as LateError
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        store = self._store
        has_key = bool(store.user or store.password)
        tls: dict[str, Any] = {"ssl": True, **dict(store.tls)} if store.tls is not None else {}
        client: Redis = Redis(
            host=store.host,
            port=store.port,
            db=store.db,
            # of a password itself, the texts of the library's own objects would show it
            credential_provider=UsernamePasswordCredentialProvider(store.user or None, store.password.reveal())
            if has_key
            else None,
            socket_connect_timeout=PATIENCE,
            socket_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[LostError, LateError],  # a connection that was idle for long is often gone
            **tls,
        )
        return client.register_script(_CHANGE)


def _refusal(error: Exception) -> str:
    """What to do about an answer of the store that time does not change; empty for any other."""
    from redis import exceptions

    if isinstance(error, exceptions.AskError):  # of which MovedError is one
        return "is a node of a Redis Cluster: name a Redis that stands alone"
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthenticationWrongNumberOfArgsError):
        return "does not take the user and the password: correct them in that connection"
    text = str(error).lower() if isinstance(error, exceptions.ResponseError) else ""
    if isinstance(error, exceptions.NoPermissionError) or "the user executing the script" in text:
        return "does not let its user change keys that begin with nexus-rate by a script: see the docs for what it needs"
    if "wrongtype" in text:
        return "has a key that begins with nexus-rate and that another program has written: remove it, or name another database"
    if text.startswith("unknown command"):
        return "runs no scripts, as a Sentinel does not: name the Redis itself"
    if "db index" in text:
        return "has no database of that number: correct db in the extra of that connection"
    return ""
