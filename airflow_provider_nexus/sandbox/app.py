"""The web side: FastAPI routes, matched without regard to case, around :func:`front.meet`. Imported when a sandbox starts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute
from starlette.types import Receive, Scope, Send

from airflow_provider_nexus.sandbox import extras
from airflow_provider_nexus.sandbox.call import ApiAnswer, ApiCall
from airflow_provider_nexus.sandbox.control import LoopbackOnly, control_routes
from airflow_provider_nexus.sandbox.front import meet
from airflow_provider_nexus.sandbox.reads import Route, catalogue_routes
from airflow_provider_nexus.sandbox.state import SandboxState
from airflow_provider_nexus.sandbox.writes import (
    accounts,
    broker,
    custodian,
    customers,
    documents,
    exchange,
    mails,
    partner,
    people,
)

Closer = Callable[[Scope, bool], None]
"""Closes the connection of a scope: at once, or after what was written has been sent."""

_WRITES = (accounts, broker, custodian, customers, documents, exchange, mails, partner, people)
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


class CaselessRoute(WebRoute):
    """A route that is matched without regard to case; the values of its placeholders keep their case."""

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern.replace("$", "/?$"), re.IGNORECASE)


class Broken(Response):
    """An answer that ends before its time.

    :param sends: whether half of the body is sent first
    """

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


def build_app(state: SandboxState, closer: Closer) -> FastAPI:
    """The application: control routes, then the API's, those with fewest placeholders first, then 404 for the rest."""
    ordered = sorted(all_routes(), key=lambda route: (route.path.count("{"), -len(route.path)))
    paths = [CaselessRoute(route.path, _endpoint(state, route, closer), [route.method]) for route in ordered]
    rest = WebRoute("/{rest:path}", _endpoint(state, None, closer), methods=_METHODS)
    app = FastAPI(title="Nexus sandbox", openapi_url=None, redirect_slashes=False)
    app.add_middleware(LoopbackOnly)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    app.router.routes.extend([*control_routes(state), *paths, rest])
    return app


async def _nobody_listens(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the signature of starlette
    """The end of a call whose client hung up within its body: it is not carried out, and nobody hears of it."""
    return Response()


def _endpoint(state: SandboxState, route: Route | None, closer: Closer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        outcome = meet(state, route, await _call(request), request.client.port if request.client else 0)
        fault, answer = outcome.fault, outcome.answer
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
