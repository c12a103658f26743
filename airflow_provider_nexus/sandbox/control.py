"""The control surface for tests in other processes, under ``/_sandbox/``: no token, for programs of this machine alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute

from airflow_provider_nexus.sandbox.access import refuse_page
from airflow_provider_nexus.sandbox.settings import from_json
from airflow_provider_nexus.sandbox.state import State

_Reply = dict[str, Any]


def control_routes(state: State) -> list[WebRoute]:
    """Counts, clock, settings and reset."""
    return [
        WebRoute("/_sandbox/stats", _answering(lambda body: state.journal.stats()), methods=["GET"]),  # noqa: ARG005
        WebRoute("/_sandbox/clock", _answering(lambda body: _advance(state, body)), methods=["POST"]),
        WebRoute("/_sandbox/settings", _answering(lambda body: _configure(state, body)), methods=["POST"]),
        WebRoute("/_sandbox/reset", _answering(lambda body: _reset(state)), methods=["POST"]),  # noqa: ARG005
    ]


def _answering(act: Callable[[_Reply], _Reply]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if refusal := refuse_page(request):
            return refusal
        try:
            body = await request.body()
            return JSONResponse(act(msgspec.json.decode(body) if body else {}))
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return endpoint


def _advance(state: State, body: _Reply) -> _Reply:
    with state.lock:
        state.clock.advance(float(body.get("advance", 0)))
        return {"now": state.now.isoformat()}


def _configure(state: State, body: _Reply) -> _Reply:
    state.configure(**from_json(body))
    return {"now": state.now.isoformat()}


def _reset(state: State) -> _Reply:
    state.reset()
    return {"now": state.now.isoformat()}
