"""uvicorn in a thread, on a socket of this machine; each open connection is known, so that it can be broken."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import uvicorn
from starlette.types import Scope
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from airflow_provider_nexus.sandbox.app import build_app
from airflow_provider_nexus.sandbox.port import bound
from airflow_provider_nexus.sandbox.state import SandboxState

_START_SECONDS = 60.0
_NOTICE_SECONDS = 0.02


class Connections:
    """The open connections by the client's address; each that opens is counted."""

    def __init__(self, state: SandboxState) -> None:
        self._open: dict[tuple[str, int], asyncio.Transport] = {}
        self._state = state

    def close(self, scope: Scope, at_once: bool) -> None:
        """Close the connection that a request came over."""
        transport = self._open.get(tuple(scope["client"]))
        if transport is not None:
            transport.abort() if at_once else transport.close()

    def protocol(self) -> type[asyncio.Protocol]:
        """Uvicorn's protocol, which notes each connection that opens or closes."""
        connections = self

        class Watched(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
            def connection_made(self, transport: asyncio.Transport) -> None:
                self._peer = transport.get_extra_info("peername")[:2]
                connections._open[self._peer] = transport
                connections._state.journal.connections += 1
                super().connection_made(transport)

            def connection_lost(self, exc: Exception | None) -> None:
                connections._open.pop(self._peer, None)
                super().connection_lost(exc)

        return Watched


class _QuickServer(uvicorn.Server):
    """uvicorn that ends at once: tests start and stop hundreds of sandboxes."""

    async def main_loop(self) -> None:
        """Wait for the end."""
        while not self.should_exit:
            await asyncio.sleep(_NOTICE_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and cut the open connections."""
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


class SandboxServer:
    """The server of one sandbox. It serves in a thread of this process, and answers calls once it is made.

    :raises OSError: when the port is taken
    :raises RuntimeError: when the server does not come up
    """

    def __init__(self, state: SandboxState, port: int) -> None:
        self._socket = bound(port, "give another one, or 0 for a free one")
        self.port: int = self._socket.getsockname()[1]
        connections = Connections(state)
        config = uvicorn.Config(
            build_app(state, connections.close),
            http=connections.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            date_header=False,
            server_header=False,
        )
        self._server = _QuickServer(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="nexus-sandbox", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the sandbox's server did not start")
            time.sleep(0.002)

    def stop(self) -> None:
        """End and wait for the thread; calls under way are cut off."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._socket.close()
