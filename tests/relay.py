"""A server on 127.0.0.1 that stands between an HTTP client and an HTTP server, and loses what a test says.

Places of a connection: ``accept``, nothing has been read; ``connect``, the CONNECT has been read and not answered;
``handshake``, the ClientHello has been read. Places of a request: ``in request``, its head has been read and not its body;
``after request``, it has been read and is not forwarded; ``after answer``, the upstream has answered and nothing is passed
on; ``in head``, half of the answer's head is passed on; ``in answer``, its head and half of its body (without a body, the
head without its blank line); ``after whole answer``, all of it.

Manners: ``fin``, an orderly close, over TLS with a close_notify (what the client still sends is thrown away, so that it
sees an end and no reset); ``rst``, a reset; ``tls close``, as ``fin``, and at ``handshake`` with a close_notify too;
``raw fin``, as ``fin`` but never with a close_notify; ``stall``, nothing more is sent or read until the client hangs up or
the relay ends; ``answer``, an answer of the relay's own, which ends the connection except at ``after request`` and
``after answer``; ``garbage``, the body given or a line that is no HTTP, and then as ``fin``.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPMessage, parse_headers, responses
from io import BufferedReader
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args
from urllib.parse import urlsplit

Way = Literal["direct", "tls", "proxy", "connect"]
ConnectionPlace = Literal["accept", "connect", "handshake"]
RequestPlace = Literal["in request", "after request", "after answer", "in head", "in answer", "after whole answer"]
Manner = Literal["fin", "rst", "tls close", "raw fin", "stall", "answer", "garbage"]

CONNECTION_PLACES: dict[Way, tuple[ConnectionPlace, ...]] = {
    "direct": ("accept",),
    "tls": ("accept", "handshake"),
    "proxy": ("accept",),
    "connect": ("accept", "connect", "handshake"),
}
REQUEST_PLACES: tuple[RequestPlace, ...] = get_args(RequestPlace)
GARBAGE, CLOSE_NOTIFY = b"SSH-2.0-OpenSSH_9.6\r\n", b"\x15\x03\x03\x00\x02\x01\x00"
HOPS = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "proxy-authorization"}


@dataclass(frozen=True)
class Relayed:
    """One request; its headers' names are in lower case, and its path is without a host."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Loss:
    """What is lost where and how; the rest is for the manner ``answer``, and the body for ``garbage`` too."""

    place: ConnectionPlace | RequestPlace
    manner: Manner
    status: int = 502
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)


def make_certificate(folder: Path) -> Path:
    """A certificate for nexus.test, localhost and 127.0.0.1, signed by itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    names = [x509.DNSName("nexus.test"), x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    signed = builder.add_extension(x509.SubjectAlternativeName(names), critical=True).sign(key, hashes.SHA256())
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "relay.pem"
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


class _HungUpError(Exception):
    """There is nobody left to serve."""


class _Arriving(Relayed):
    """A request whose body is read when it is first looked at."""

    def __init__(self, method: str, path: str, headers: dict[str, str], reader: BufferedReader) -> None:
        self.__dict__.update(method=method, path=path, headers=headers, reader=reader)

    @cached_property
    def body(self) -> bytes:
        length = int(self.headers.get("content-length", 0))
        with suppress(OSError):
            body: bytes = vars(self)["reader"].read(length)
            if len(body) == length:
                return body
        raise _HungUpError


@dataclass(eq=False)
class Relay:
    """Relays for as long as its ``with`` block lasts, at whose end it raises what a callable of the test's has raised.

    ``choose`` is asked once per request, when its head has been read; looking at the body reads it, too late for ``in
    request``. ``choose_connection`` is asked once per connection, when it has been accepted. The hooks are called in the
    serving thread, the second before anything is passed on. When the upstream hangs up, so does the relay, and the request
    is ``unanswered``. ``stalled`` is released once per stall. A client calls ``base_url``, through ``proxy_url`` if any.
    """

    upstream: str
    way: Way = "direct"
    _: KW_ONLY
    choose: Callable[[Relayed], Loss | None] = lambda _: None
    choose_connection: Callable[[], Loss | None] = lambda: None
    before_forward: Callable[[Relayed], None] | None = None
    after_forward: Callable[[Relayed], None] | None = None
    certificate: Path | None = None
    connections: int = field(default=0, init=False)
    connects: list[str] = field(default_factory=list, init=False)
    read: list[Relayed] = field(default_factory=list, init=False)
    forwarded: list[tuple[Relayed, int]] = field(default_factory=list, init=False)
    unanswered: list[Relayed] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        if self.way in ("tls", "connect"):
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(self.certificate or "")
            self._tls.num_tickets = 0  # after a reset OpenSSL's client fails at a ticket and never gets to the answer
        self.stalled = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        address = f"127.0.0.1:{self.port}"
        self.proxy_url = f"http://{address}" if self.way in ("proxy", "connect") else ""
        self.base_url = f"{'https' if self._tls else 'http'}://{'nexus.test' if self.proxy_url else address}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _shut(self._listener, socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                _shut(sock, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        if error is None and self._errors:
            raise self._errors[0]

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _hold(self, sock: socket.socket) -> socket.socket:
        with self._lock:
            self._open.add(sock)
            if self._listener.fileno() < 0:
                _shut(sock, socket.SHUT_RDWR)
        return sock

    def _release(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock = self._hold(self._listener.accept()[0])
                self.connections += 1
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            loss = self._ask(self.choose_connection, CONNECTION_PLACES[self.way])
            if self._greeted(sock, loss):
                if self._tls:
                    with self._lock:
                        self._open.discard(sock)
                        sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                        self._open.add(sock)
                    sock.do_handshake()
                with sock.makefile("rb") as reader:
                    while self._relayed(sock, reader):
                        pass
        except (OSError, _HungUpError):
            pass
        except Exception as error:  # noqa: BLE001
            self._errors.append(error)
        finally:
            self._release(sock)

    def _ask(self, asked: Callable[..., Loss | None] | None, places: tuple[str, ...], *args: Relayed) -> Loss | None:
        """Call what the test has given; its OSError is not the end of a connection."""
        try:
            loss = asked(*args) if asked else None
        except OSError as error:
            self._errors.append(error)
            raise _HungUpError from error
        if loss and loss.place not in places:
            raise ValueError(f"nothing can be lost {loss.place!r} here, only {', '.join(places)}")
        return loss

    def _greeted(self, sock: socket.socket, loss: Loss | None) -> bool:
        """Do what comes before TLS; whether the connection goes on."""
        if loss and loss.place == "accept":
            return self._lose(sock, loss)
        if self.way == "connect":
            with sock.makefile("rb") as reader:
                method, target, _, _ = _read_head(reader)
            if method != "CONNECT":
                return self._lose(sock, Loss("connect", "answer", 405))
            self.connects.append(target)
            if loss and loss.place == "connect":
                return self._lose(sock, loss)
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if loss and sock.recv(65536):
            return self._lose(sock, loss)
        return not loss

    def _relayed(self, sock: socket.socket, reader: BufferedReader) -> bool:
        """Relay one request; whether the connection goes on."""
        method, target, version, message = _read_head(reader)
        headers = {name.lower(): value for name, value in message.items()}
        host = urlsplit(target).netloc
        if method == "CONNECT" or bool(host) != (self.way == "proxy") or "transfer-encoding" in headers:
            return self._lose(sock, Loss("in request", "answer", 400))
        path = target.partition(host)[2] or "/" if host else target
        arriving = _Arriving(method, path, headers, reader)
        loss = self._ask(self.choose, REQUEST_PLACES, arriving)
        place = loss.place if loss else ""
        keep = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
        if loss and place == "in request":
            if "body" in vars(arriving):
                raise ValueError("the body has been looked at, which is too late for 'in request'")
            return self._lose(sock, loss, method)
        relayed = Relayed(method, path, headers, arriving.body)
        self.read.append(relayed)
        if loss and place == "after request":
            return self._lose(sock, loss, method, keep)
        head, body = self._forward(relayed, message, keep)
        if loss and place == "after answer":
            return self._lose(sock, loss, method, keep)
        in_answer = head + body[: len(body) // 2] if body else head[:-2]
        sock.sendall({"in head": head[: len(head) // 2], "in answer": in_answer}.get(place, head + body))
        if loss:
            return self._lose(sock, loss, method)
        if not keep or not head:
            _part(sock, "fin")
        return keep and bool(head)

    def _forward(self, relayed: Relayed, message: HTTPMessage, keep: bool) -> tuple[bytes, bytes]:
        """The head and body of the upstream's answer as they are passed on; nothing when it hung up."""
        self._ask(self.before_forward, (), relayed)
        upstream = HTTPConnection(urlsplit(self.upstream).netloc)
        try:
            upstream.connect()
            sock = self._hold(upstream.sock)
            try:
                upstream.putrequest(relayed.method, relayed.path, skip_accept_encoding=True)
                for name, value in [*_end_to_end(message.items(), "host"), ("Connection", "close")]:
                    upstream.putheader(name, value)
                upstream.endheaders(relayed.body or None)
                with upstream.getresponse() as response:
                    self.forwarded.append((relayed, response.status))
                    body = response.read()
            finally:
                self._release(sock)
        except (OSError, HTTPException):
            self.unanswered.append(relayed)
            return b"", b""
        self._ask(self.after_forward, (), relayed)
        bare = relayed.method == "HEAD" or response.status in (204, 304)
        headers = _end_to_end(response.getheaders(), "" if bare else "content-length")
        return _head(response.status, response.reason, headers, None if bare else len(body), keep), body

    def _lose(self, sock: socket.socket, loss: Loss, method: str = "", keep: bool = False) -> bool:
        """Do as the loss says; whether the connection goes on."""
        keep = keep and loss.manner == "answer"
        if loss.manner == "answer":
            head = _head(loss.status, responses.get(loss.status, "X"), loss.headers.items(), len(loss.body), keep)
            sock.sendall(head if method == "HEAD" else head + loss.body)
        elif loss.manner == "garbage":
            sock.sendall(loss.body or GARBAGE)
        elif loss.manner == "stall":
            self.stalled.release()
        elif (loss.place, loss.manner) == ("handshake", "tls close"):
            sock.sendall(CLOSE_NOTIFY)
        if not keep:
            _part(sock, loss.manner)
        return keep


def _part(sock: socket.socket, manner: Manner) -> None:
    """Do what comes before the socket is closed."""
    if manner == "rst":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    elif manner == "stall":
        poll = select.poll()
        poll.register(sock, select.POLLRDHUP)
        poll.poll()
    else:
        if isinstance(sock, ssl.SSLSocket) and manner != "raw fin":
            sock.setblocking(False)
            with suppress(OSError):
                sock.unwrap()
            sock.setblocking(True)
        _shut(sock, socket.SHUT_WR)
        while socket.socket.recv(sock, 65536):
            pass


def _shut(sock: socket.socket, how: int) -> None:
    """Shut only the TCP connection: SSLSocket.shutdown takes the TLS away from a thread that reads."""
    with suppress(OSError):
        socket.socket.shutdown(sock, how)


def _read_head(reader: BufferedReader) -> tuple[str, str, str, HTTPMessage]:
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        raise _HungUpError
    return line[0], line[1], line[2], parse_headers(reader)


def _end_to_end(headers: Iterable[tuple[str, str]], without: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in {*HOPS, without}]


def _head(status: int, reason: str, headers: Iterable[tuple[str, str]], length: int | None, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    lines += [] if length is None else [f"Content-Length: {length}"]
    lines += [] if keep else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
