"""A server on 127.0.0.1 that answers with the very bytes that a test gives, and keeps what it was asked."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import parse_headers
from io import BufferedReader
from types import TracebackType
from typing import Self

Reply = bytes | Callable[[socket.socket], None]
"""Bytes to send as they are, or a function that does what it likes with the connection, which is then closed."""


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """A whole answer; an underscore in a header's name stands for a hyphen."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def drop(connection: socket.socket) -> None:
    """Answer nothing and hang up."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class SocketServer:
    """Serves for as long as its ``with`` block lasts.

    :param replies: one per request; the last one is given again and again
    :param port: 0 for a free one
    :param tls: to speak https
    :param by: gives the answer to each request instead
    """

    def __init__(
        self,
        *replies: Reply,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        by: Callable[[Asked], Reply] | None = None,
    ) -> None:
        self._by = by
        self._replies = list(replies or [answer(b"{}")])
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self._open: list[socket.socket] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def wait_until_asked(self) -> None:
        """On a busy machine a client gives up before the server has read what it was sent."""
        for _ in range(3000):
            if self.asked:
                return
            time.sleep(0.01)

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _next(self) -> Reply:
        return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _serve(self, raw: socket.socket) -> None:
        try:
            connection = self._tls.wrap_socket(raw, server_side=True) if self._tls else raw
            self._open.append(connection)
            with connection, connection.makefile("rb") as reader:
                while asked := _read(reader):
                    self.asked.append(asked)
                    reply = self._by(asked) if self._by else self._next()
                    if not isinstance(reply, bytes):
                        reply(connection)
                        connection.shutdown(socket.SHUT_RDWR)
                        return
                    connection.sendall(reply)
        except OSError:
            return


def _read(reader: BufferedReader) -> Asked | None:
    line = reader.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {name.lower(): value for name, value in parse_headers(reader).items()}
    return Asked(line[0], line[1], headers, reader.read(int(headers.get("content-length", 0))))
