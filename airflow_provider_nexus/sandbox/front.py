"""What every call passes on its way: faults, token, role, generation, version, then the handler; and the record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from airflow_provider_nexus.sandbox.bodies import check
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall, Refusal, envelope
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.sandbox.reads import Route
from airflow_provider_nexus.sandbox.served import taken
from airflow_provider_nexus.sandbox.stamps import SECOND, http_date, to_datetime, to_micros
from airflow_provider_nexus.sandbox.state import RecordedCall, SandboxState

_HTML = b"<!DOCTYPE html><html><body><h1>Nexus</h1><p>Please wait while we check your browser.</p></body></html>"
_SKIPPING = ("status", "drop", "garbage", "redirect", "empty")
"""Faults that keep the call from being carried out."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a call.

    :param fault: the fault that it met
    """

    answer: ApiAnswer
    fault: Fault | None = None


def meet(state: SandboxState, route: Route | None, call: ApiCall, connection: int) -> Outcome:
    """ApiAnswer a call and record it. ``route`` is ``None`` for a path that does not exist."""
    with state.lock:
        call = replace(call, at=state.clock.now, serial=state.journal.count)
        fault = state.faults.meet(call.method, call.path)
        answer = _faulty(fault, call) if fault and fault.kind in _SKIPPING else _carried_out(state, route, call)
        dropped = fault is not None and fault.kind.startswith("drop")
        moment = to_datetime(call.at)
        noted = RecordedCall(call.method, call.path, dict(call.query), 0 if dropped else answer.status, connection, moment)
        state.journal.note(noted, f"{call.method} {route.path if route else call.path}")
        if fault is None or fault.kind == "slow":
            state.journal.records += answer.records
        state.clock.advance(state.settings.seconds_per_call)
        return Outcome(replace(answer, headers={**answer.headers, "Date": http_date(call.at)}), fault)


def _faulty(fault: Fault, call: ApiCall) -> ApiAnswer:
    if fault.kind == "status":
        headers = {"Retry-After": http_date(call.at + 3 * SECOND) if fault.retry_after == "date" else fault.retry_after}
        return ApiAnswer(fault.status, b"", headers=headers if fault.retry_after else {})
    if fault.kind == "redirect":
        return ApiAnswer(302, headers={"Location": f"https://login.example.org{call.path}"})
    return ApiAnswer(200, _HTML if fault.kind == "garbage" else b"", media="text/html" if fault.kind == "garbage" else "")


def _carried_out(state: SandboxState, route: Route | None, call: ApiCall) -> ApiAnswer:
    denied = _denied(state, route, call)
    if denied:
        return _denial(state, denied)
    if route is None or not _is_offered(state, route):
        return ApiAnswer(404)
    if state.settings.api_version_required and not call.headers.get("api_version"):
        return Refusal(400, "ApiVersionRequired", "The api_version header is required").answer
    takes = taken(route.path, state.settings.other_shapes)
    query = {name: value for name, value in call.query.items() if name in takes.names}
    try:
        check(route.method, route.path, call)
        return route.handler(state.world, replace(call, query=query, sorts=takes.sorts))
    except Refusal as refusal:
        return refusal.answer


def _denied(state: SandboxState, route: Route | None, call: ApiCall) -> int:
    expires = state.settings.token_expires
    if expires is not None and call.at >= to_micros(expires):
        return 401
    known: Mapping[str, object] = {state.token: ("read", "write"), **state.settings.roles}
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token.strip() not in known or token.strip() in state.settings.revoked:
        return 401
    roles = known[token.strip()]
    needed = "write" if route is not None and route.writes else "read"
    return 0 if needed in roles else 403  # type: ignore[operator]


def _denial(state: SandboxState, status: int) -> ApiAnswer:
    if state.settings.denial_body == "envelope":
        code = "Unauthorized" if status == 401 else "Forbidden"
        return ApiAnswer(status, envelope(None, message="Access was denied", errors=[code]))
    if state.settings.denial_body == "html":
        return ApiAnswer(status, _HTML, media="text/html")
    return ApiAnswer(status, media="")


def _is_offered(state: SandboxState, route: Route) -> bool:
    return (state.settings.classic and "A" in route.surface) or (state.settings.casp and "B" in route.surface)
