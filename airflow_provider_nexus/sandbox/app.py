"""The web side: routes of Starlette, matched without regard to case, and the control surface for tests in other processes.

The control surface, under ``/_sandbox/``, takes no token: programs of this machine may use it, and no page that a browser on
it shows. A page of any site can send requests to this machine, and under a name that leads here (DNS rebinding) read the
answers too. Imported when a sandbox starts.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as WebRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_nexus.api.environments import is_loopback, split
from airflow_provider_nexus.sandbox import extras
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall
from airflow_provider_nexus.sandbox.reads import Route, catalogue_routes
from airflow_provider_nexus.sandbox.settings import from_json
from airflow_provider_nexus.sandbox.state import SandboxState
from airflow_provider_nexus.sandbox.writes import broker, customers, documents, exchange, mails, partner, people, trade

Closer = Callable[[Scope, bool], None]
"""Closes the connection of a scope: at once, or after what was written has been sent."""

_WRITES = (broker, customers, documents, exchange, mails, partner, people, trade)
_JSON = "application/json"
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class CaselessRoute(WebRoute):
    """A route that is matched without regard to case; the case of its placeholders' values is unchanged."""

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern.replace("$", "/?$"), re.IGNORECASE)


class Broken(Response):
    """An answer that ends before its time: half of the body is sent first, or nothing."""

    def __init__(self, answer: ApiAnswer, closer: Closer, *, sends: bool) -> None:
        super().__init__(answer.body, answer.status, dict(answer.headers), answer.media or None)
        self._closer, self._sends = closer, sends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half or nothing, close, and wait until the connection is closed."""
        if self._sends:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body[: len(self.body) // 2], "more_body": True})
        self._closer(scope, not self._sends)
        while (await receive())["type"] != "http.disconnect":
            pass


def all_routes() -> tuple[Route, ...]:
    """Every endpoint of the sandbox, without its control surface."""
    written = [route for module in _WRITES for route in module.ROUTES]
    return (*catalogue_routes(), *extras.ROUTES, *written)


def build_app(state: SandboxState, closer: Closer) -> Starlette:
    """The application: control routes, then the API's, those with fewest placeholders first, then 404 for the rest."""
    ordered = sorted(all_routes(), key=lambda route: (route.path.count("{"), -len(route.path)))
    paths = [CaselessRoute(route.path, _endpoint(state, route, closer), [route.method]) for route in ordered]
    rest = WebRoute("/{rest:path}", _endpoint(state, None, closer), methods=_METHODS)
    return Starlette(
        routes=[*_control_routes(state), *paths, rest],
        middleware=[Middleware(LoopbackOnly)],
        exception_handlers={ClientDisconnect: _nobody_listens},
    )


async def _nobody_listens(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the signature of starlette
    """The end of a call whose client hung up within its body: it is not carried out, and nobody hears of it."""
    return Response()


def _endpoint(state: SandboxState, route: Route | None, closer: Closer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        answer, fault = state.meet(route, await _call(request), request.client.port if request.client else 0)
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind in ("drop", "drop_after", "truncate"):
            return Broken(answer, closer, sends=fault.kind == "truncate")
        return Response(answer.body, answer.status, dict(answer.headers), answer.media or None)

    return endpoint


async def _call(request: Request) -> ApiCall:
    query = {name.lower(): value for name, value in request.query_params.multi_items() if value}
    headers = {name.lower(): value for name, value in request.headers.items()}
    return ApiCall(
        method=request.method,
        path=request.url.path,
        query=query,
        headers=headers,
        body=await request.body(),
        parts=dict(request.path_params),
    )


def _control_routes(state: SandboxState) -> list[WebRoute]:
    """Counts, clock, settings and reset. Those that change something answer with the time after it."""
    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "clock": lambda body: state.advance(_seconds(body)),
        "settings": lambda body: state.configure(**from_json(body)),
        "reset": lambda body: state.reset(),  # noqa: ARG005
    }

    async def endpoint(request: Request) -> Response:
        if refusal := _refuse_page(request):
            return refusal
        change = changes.get(request.url.path.rpartition("/")[2])
        if change is None:
            return JSONResponse(state.journal.stats())
        try:
            body = await request.body()
            change(msgspec.json.decode(body) if body else {})
            return JSONResponse({"now": state.now.isoformat()})
        except (ValueError, TypeError) as error:
            return _refusal(400, str(error))

    return [
        WebRoute("/_sandbox/stats", endpoint, methods=["GET"]),
        *(WebRoute(f"/_sandbox/{name}", endpoint, methods=["POST"]) for name in changes),
    ]


def _seconds(body: Any) -> Any:
    if not isinstance(body, dict) or body.keys() - {"advance"}:
        raise ValueError('give the seconds by which the clock moves, and nothing else, as {"advance": 86400}')
    return body.get("advance", 0)


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
    parts = split(f"//{host}")
    return parts is not None and parts.netloc == host and "@" not in host and is_loopback(parts.hostname or "")
