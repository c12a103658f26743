"""Control surface for tests in other processes, under ``/_sandbox/``, and who may speak to a sandbox.

There is no token: programs of this machine may, and no page that a browser on it shows. A page of any site can send requests
to this machine, and under a name that leads here (DNS rebinding) read the answers too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_nexus.api.environments import is_loopback
from airflow_provider_nexus.sandbox.settings import from_json
from airflow_provider_nexus.sandbox.state import SandboxState

_JSON = "application/json"
_Reply = dict[str, Any]


def control_routes(state: SandboxState) -> list[WebRoute]:
    """Counts, clock, settings and reset."""
    return [
        WebRoute("/_sandbox/stats", _answering(lambda body: state.journal.stats()), methods=["GET"]),  # noqa: ARG005
        WebRoute("/_sandbox/clock", _answering(lambda body: _advance(state, body)), methods=["POST"]),
        WebRoute("/_sandbox/settings", _answering(lambda body: _configure(state, body)), methods=["POST"]),
        WebRoute("/_sandbox/reset", _answering(lambda body: _reset(state)), methods=["POST"]),  # noqa: ARG005
    ]


def _answering(act: Callable[[_Reply], _Reply]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if refusal := _refuse_page(request):
            return refusal
        try:
            body = await request.body()
            return JSONResponse(act(msgspec.json.decode(body) if body else {}))
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return endpoint


def _advance(state: SandboxState, body: _Reply) -> _Reply:
    with state.lock:
        state.clock.advance(float(body.get("advance", 0)))
        return {"now": state.now.isoformat()}


def _configure(state: SandboxState, body: _Reply) -> _Reply:
    state.configure(**from_json(body))
    return {"now": state.now.isoformat()}


def _reset(state: SandboxState) -> _Reply:
    state.reset()
    return {"now": state.now.isoformat()}


class LoopbackOnly:
    """Passes requests on that name this machine as their host, and refuses all others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 421."""
        app: ASGIApp = self._app
        hosts = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"host"]
        if scope["type"] == "http" and not (len(hosts) == 1 and _is_this_machine(hosts[0])):
            app = _refusal(421, "a sandbox answers to 127.0.0.1 and localhost alone: name one of them as the host")
        await app(scope, receive, send)


def _refuse_page(request: Request) -> JSONResponse | None:
    """The refusal of a request that a page of another site may have caused; ``None`` for others.

    What changes something has to be sent as JSON, with a body or not: no page can do that unasked.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin.lower() != f"http://{request.headers['host']}".lower():
        return _refusal(403, "a page of another origin may not control the sandbox")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method != "GET" and kind != _JSON:
        return _refusal(415, f"send the header Content-Type: {_JSON}, with a body or without")
    return None


def _refusal(status: int, error: str) -> JSONResponse:
    return JSONResponse({"error": error}, status_code=status)


def _is_this_machine(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return False
    return parts.netloc == host and "@" not in host and is_loopback(parts.hostname or "")
