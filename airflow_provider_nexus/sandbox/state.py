"""State of a running sandbox: settings, clock, world, the record of calls, and how each call is met."""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.sandbox.bodies import check
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, envelope
from airflow_provider_nexus.sandbox.faults import Fault, FaultBook
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.served import taken
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.stamps import SECOND, Clock, http_date, to_datetime, to_micros
from airflow_provider_nexus.sandbox.world import World

_DATA = ("seed", "customers", "transactions", "days", "now")
_ODD = ("late_share", "late_seconds", "late_mode", "delete_share", "delete_seconds")
_SHAPE = (*_DATA, *_ODD, "tie_seconds", "arrivals_per_hour", "lives", "amounts", "payouts")
_LAST_CALLS = 10_000
_HTML = b"<!DOCTYPE html><html><body><h1>Nexus</h1><p>Please wait while we check your browser.</p></body></html>"
_SKIPPING = ("status", "drop", "garbage", "redirect", "empty")
"""Faults whose call is not carried out."""


@dataclass(frozen=True)
class RecordedCall:
    """One call, from a port of the client at a virtual time, its query in lower case; its status is 0 where it was closed."""

    method: str
    path: str
    query: dict[str, str]
    status: int
    connection: int
    at: datetime


@dataclass
class Journal:
    """The record of calls."""

    calls: deque[RecordedCall] = field(default_factory=lambda: deque(maxlen=_LAST_CALLS))
    count: int = 0
    connections: int = 0
    records: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_route: Counter[str] = field(default_factory=Counter)

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
        self.reset()

    def reset(self) -> None:
        """Drop writes, counts and recorded calls, and put the clock back to its start."""
        with self.lock:
            self.clock.restart(self.settings.clock_speed)
            self.journal = Journal()
            self.faults = FaultBook(self.settings.faults)
            self.world = World(self.settings, self.clock.start, self.clock.start)

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
                anchor = self.clock.now if changed & set(_ODD) else self.world.anchor
                self.world = World(self.settings, self.clock.start, anchor)
            else:
                self.world.settings = self.settings
            if "clock_speed" in changed:
                self.clock.change_speed(self.settings.clock_speed)
            if "faults" in changes:
                self.faults = FaultBook(self.settings.faults)
            return self.settings

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return to_datetime(self.clock.now)

    def advance(self, seconds: float) -> None:
        """Move the clock on by virtual seconds."""
        with self.lock:
            self.clock.advance(seconds)

    def meet(self, route: Route | None, call: ApiCall, connection: int) -> tuple[ApiAnswer, Fault | None]:
        """Answer a call and record it; the answer, and the fault that it met. Without a route, the path does not exist.

        A call passes faults, token, role, generation and version on its way to the handler.
        """
        with self.lock:
            call = replace(call, at=self.clock.now, serial=self.journal.count)
            fault = self.faults.meet(call.method, call.path)
            answer = _faulty(fault, call) if fault and fault.kind in _SKIPPING else self._carried_out(route, call)
            dropped = fault is not None and fault.kind.startswith("drop")
            moment = to_datetime(call.at)
            noted = RecordedCall(call.method, call.path, dict(call.query), 0 if dropped else answer.status, connection, moment)
            journal = self.journal
            journal.count += 1
            journal.calls.append(noted)
            journal.by_status[str(noted.status)] += 1
            journal.by_route[f"{call.method} {route.path if route else call.path}"] += 1
            if fault is None or fault.kind == "slow":
                journal.records += answer.records
            self.clock.advance(self.settings.seconds_per_call)
            return replace(answer, headers={**answer.headers, "Date": http_date(call.at)}), fault

    def _carried_out(self, route: Route | None, call: ApiCall) -> ApiAnswer:
        if denied := self._denied(route, call):
            return denied
        offered = {surface for surface, is_offered in (("A", self.settings.classic), ("B", self.settings.casp)) if is_offered}
        if route is None or not offered & set(route.surface):
            return ApiAnswer(404)
        if self.settings.api_version_required and not call.headers.get("api_version"):
            return Refusal(400, "ApiVersionRequired", "The api_version header is required").answer
        takes = taken(route.path, self.settings.other_shapes)
        query = {name: value for name, value in call.query.items() if name in takes.names}
        try:
            check(route.method, route.path, call)
            return route.handler(self.world, replace(call, query=query, sorts=takes.sorts))
        except Refusal as refusal:
            return refusal.answer

    def _denied(self, route: Route | None, call: ApiCall) -> ApiAnswer | None:
        """The answer to a call whose token is not taken, or lacks the role."""
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        known: Mapping[str, Collection[str]] = {self.token: ("read", "write"), **self.settings.roles}
        roles, expires = known.get(token.strip()), self.settings.token_expires
        is_over = token.strip() in self.settings.revoked or (expires is not None and call.at >= to_micros(expires))
        status = 401 if scheme.lower() != "bearer" or roles is None or is_over else 403
        if status == 403 and ("write" if route and route.writes else "read") in (roles or ()):
            return None
        if self.settings.denial_body == "envelope":
            code = "Unauthorized" if status == 401 else "Forbidden"
            return ApiAnswer(status, envelope(None, message="Access was denied", errors=[code]))
        if self.settings.denial_body == "html":
            return ApiAnswer(status, _HTML, media="text/html")
        return ApiAnswer(status, media="")


def _faulty(fault: Fault, call: ApiCall) -> ApiAnswer:
    if fault.kind == "status":
        headers = {"Retry-After": http_date(call.at + 3 * SECOND) if fault.retry_after == "date" else fault.retry_after}
        return ApiAnswer(fault.status, b"", headers=headers if fault.retry_after else {})
    if fault.kind == "redirect":
        return ApiAnswer(302, headers={"Location": f"https://login.example.org{call.path}"})
    return ApiAnswer(200, _HTML if fault.kind == "garbage" else b"", media="text/html" if fault.kind == "garbage" else "")
