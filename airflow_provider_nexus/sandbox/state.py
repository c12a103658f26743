"""State of a running sandbox: settings, clock, world and the record of calls."""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.sandbox.faults import FaultBook
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import Clock, to_datetime, to_micros
from airflow_provider_nexus.sandbox.world import World

_DATA = ("seed", "customers", "transactions", "days", "now")
_ODD = ("late_share", "late_seconds", "late_mode", "delete_share", "delete_seconds")
_SHAPE = (*_DATA, *_ODD, "tie_seconds", "arrivals_per_hour", "lives")
_KEPT_CALLS = 10_000


@dataclass(frozen=True)
class RecordedCall:
    """One call that the sandbox answered, or not.

    :param query: query names in lower case
    :param status: 0 where the connection was closed instead
    :param connection: the client's port
    :param at: virtual time
    """

    method: str
    path: str
    query: dict[str, str]
    status: int
    connection: int
    at: datetime


@dataclass
class Journal:
    """The record of calls."""

    calls: deque[RecordedCall] = field(default_factory=lambda: deque(maxlen=_KEPT_CALLS))
    count: int = 0
    connections: int = 0
    records: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_route: Counter[str] = field(default_factory=Counter)

    def note(self, call: RecordedCall, route: str) -> None:
        """Add a call."""
        self.count += 1
        self.calls.append(call)
        self.by_status[str(call.status)] += 1
        self.by_route[route] += 1

    def stats(self) -> dict[str, Any]:
        """Counts for ``/_sandbox/stats``."""
        return {
            "calls": self.count,
            "connections": self.connections,
            "records": self.records,
            "by_status": dict(self.by_status),
            "by_route": dict(self.by_route),
        }


class SandboxState:
    """All that changes while the sandbox runs. Take ``lock`` around any use."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.lock = threading.RLock()
        self.token = f"sandbox-{secrets.token_urlsafe(24)}"
        self.settings = settings
        self._begin()

    def _begin(self) -> None:
        moment = self.settings.now or datetime.now(UTC).replace(microsecond=0)
        self.clock = Clock(to_micros(moment), self.settings.clock_speed)
        self.journal = Journal()
        self.faults = FaultBook(self.settings.faults)
        self._build(self.clock.start)

    def _build(self, anchor: int) -> None:
        self.world = World(self.settings, self.clock.start, anchor)

    def configure(self, **changes: Any) -> SandboxSettings:
        """Take over changed settings.

        Settings that shape the data make it anew and drop what was written; a change of how rows appear late or are
        deleted counts from now.

        :raises ValueError: for an unknown name or a bad value
        """
        with self.lock:
            old, self.settings = self.settings, self.settings.replace(**changes)
            changed = {name for name in changes if getattr(old, name) != getattr(self.settings, name)}
            if "now" in changed:
                self._begin()
            elif changed & set(_SHAPE):
                self._build(self.clock.now if changed & set(_ODD) else self.world.anchor)
            else:
                self.world.adopt(self.settings)
            if "clock_speed" in changed:
                self.clock.change_speed(self.settings.clock_speed)
            if "faults" in changes:
                self.faults = FaultBook(self.settings.faults)
            return self.settings

    def reset(self) -> None:
        """Drop writes, counts and recorded calls, and put the clock back to its start."""
        with self.lock:
            self.clock.restart(self.settings.clock_speed)
            self.journal = Journal()
            self.faults = FaultBook(self.settings.faults)
            self._build(self.clock.start)

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return to_datetime(self.clock.now)
