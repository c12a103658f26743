"""Who may speak to a sandbox: programs of this machine, and no page that a browser on it shows.

A page of any site can send requests to this machine, and under a name that leads here (DNS rebinding) read the answers too.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_nexus.api.environments import is_loopback

_JSON = "application/json"


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


def refuse_page(request: Request) -> JSONResponse | None:
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
