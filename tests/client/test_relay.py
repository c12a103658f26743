"""The relay loses what it says it loses, where it says, and keeps count of what was carried out."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import get_args

import pytest
import requests

from tests.client.socket_server import Reply, SocketServer, answer, drop, free_port
from tests.relay import (
    CLOSE_NOTIFY,
    CONNECTION_PLACES,
    GARBAGE,
    REQUEST_PLACES,
    ConnectionPlace,
    Loss,
    Manner,
    Relay,
    Relayed,
    RequestPlace,
    Way,
    make_certificate,
)

Stand = Callable[..., tuple[Relay, SocketServer]]
WAYS: tuple[Way, ...] = get_args(Way)
MANNERS: tuple[Manner, ...] = get_args(Manner)
BODY = bytes(range(256)) * 4
HEAD = b"HTTP/1.1 200 X\r\nX-Kept: 1\r\nContent-Length: 1024\r\nConnection: close\r\n\r\n"
UPSTREAM = b"HTTP/1.1 200 X\r\nContent-Length: 1024\r\nX-Kept: 1\r\nKeep-Alive: timeout=9\r\n\r\n" + BODY
OWN = b"HTTP/1.1 503 Service Unavailable\r\nX-Own: 1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlost"
PASSED_ON: dict[RequestPlace, bytes] = {
    "in request": b"",
    "after request": b"",
    "after answer": b"",
    "in head": HEAD[: len(HEAD) // 2],
    "in answer": HEAD + BODY[:512],
    "after whole answer": HEAD + BODY,
}
READ = [place for place in REQUEST_PLACES if place != "in request"]
FORWARDED = [place for place in READ if place != "after request"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def stand(certificate: Path) -> Iterator[Stand]:
    """Starts a relay before a server that gives these replies."""
    with ExitStack() as stack:

        def start(way: Way, *replies: Reply) -> tuple[Relay, SocketServer]:
            server = stack.enter_context(SocketServer(*replies or [UPSTREAM]))
            return stack.enter_context(Relay(server.base_url, way, certificate=certificate)), server

        yield start


@pytest.fixture
def session(certificate: Path) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(certificate)
        yield session


def post(session: requests.Session, relay: Relay, **options: object) -> requests.Response:
    proxies = {"http": relay.proxy_url, "https": relay.proxy_url} if relay.proxy_url else {}
    return session.post(f"{relay.base_url}/orders?a=1", b"{}", proxies=proxies, timeout=120, **options)  # type: ignore[arg-type]


def dial(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=120)


def tunnel(client: socket.socket) -> None:
    client.sendall(b"CONNECT nexus.test:443 HTTP/1.1\r\nHost: nexus.test:443\r\n\r\n")


def hello() -> bytes:
    """A ClientHello."""
    sent = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="nexus.test").do_handshake()
    return sent.read()


def reach(relay: Relay, certificate: Path) -> socket.socket:
    """A connection on which a request can be sent."""
    client = dial(relay)
    if relay.way == "connect":
        tunnel(client)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    if relay.way in ("tls", "connect"):
        trust = ssl.create_default_context(cafile=str(certificate))
        return trust.wrap_socket(client, server_hostname="nexus.test", suppress_ragged_eofs=False)
    return client


def seen(client: socket.socket, expected: int = 0) -> tuple[bytes, str]:
    """What came, and how it ended; to Python's ssl a reset is no more than an end without close_notify."""
    got = b""
    try:
        while data := client.recv(65536):
            got += data
            if 0 < expected <= len(got):
                return got, "more"
    except ssl.SSLEOFError:
        return got, "raw fin"
    except ConnectionResetError:
        return got, "rst"
    return got, "fin"


def expect(relay: Relay, client: socket.socket, manner: Manner, passed_on: bytes, raw: bool) -> None:
    """Check all that a client sees of a loss."""
    if manner == "stall":
        assert relay.stalled.acquire(timeout=120)
        assert not passed_on or seen(client, len(passed_on)) == (passed_on, "more")
        client.setblocking(False)
        with pytest.raises((BlockingIOError, ssl.SSLWantReadError)):
            client.recv(1)
        client.settimeout(30)
        relay.__exit__(None, None, None)
        assert seen(client) in [(b"", "fin" if raw else "raw fin"), (b"", "rst")]
        return
    extra = {"answer": OWN, "garbage": GARBAGE}.get(manner, b"")
    endings = {"rst": "rst"} if raw else {"rst": "raw fin", "raw fin": "raw fin"}
    assert seen(client) == (passed_on + extra, endings.get(manner, "fin"))


def loss(place: ConnectionPlace | RequestPlace, manner: Manner) -> Loss:
    own = manner == "answer"
    return Loss(place, manner, 503, b"lost" if own else b"", {"X-Own": "1"} if own else {})


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize(("way", "place"), [(way, place) for way in WAYS for place in CONNECTION_PLACES[way]])
def test_a_connection_is_lost(way: Way, place: ConnectionPlace, manner: Manner, stand: Stand) -> None:
    relay, server = stand(way)
    dialled = threading.Event()
    relay.choose_connection = lambda: loss(place, manner) if dialled.wait(30) else None
    with dial(relay) as client:
        dialled.set()
        if place != "accept" and way == "connect":
            tunnel(client)
        if place == "handshake":
            if way == "connect":
                established = b"HTTP/1.1 200 Connection established\r\n\r\n"
                assert seen(client, len(established)) == (established, "more")
            client.sendall(hello())
        alert = CLOSE_NOTIFY if (place, manner) == ("handshake", "tls close") else b""
        expect(relay, client, manner, alert, raw=True)
    assert relay.connects == (["nexus.test:443"] if place != "accept" and way == "connect" else [])
    assert (relay.connections, relay.read, relay.forwarded, server.asked) == (1, [], [], [])


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("place", REQUEST_PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_a_request_is_lost(way: Way, place: RequestPlace, manner: Manner, stand: Stand, certificate: Path) -> None:
    relay, server = stand(way)
    relay.choose = lambda _: loss(place, manner)
    target = "http://nexus.test/orders?a=1" if way == "proxy" else "/orders?a=1"
    head = f"POST {target} HTTP/1.1\r\nHost: nexus.test\r\nContent-Length: 2\r\nConnection: close\r\nX-Mine: 1\r\n\r\n"
    with reach(relay, certificate) as client:
        client.sendall(head.encode() + (b"{" if place == "in request" else b"{}"))
        expect(relay, client, manner, PASSED_ON[place], raw=way in ("direct", "proxy"))
    headers = {"host": "nexus.test", "content-length": "2", "connection": "close", "x-mine": "1"}
    relayed = Relayed("POST", "/orders?a=1", headers, b"{}")
    assert relay.read == ([relayed] if place in READ else [])
    assert relay.forwarded == ([(relayed, 200)] if place in FORWARDED else [])
    assert [asked.body for asked in server.asked] == ([b"{}"] if place in FORWARDED else [])
    assert relay.connects == (["nexus.test:443"] if way == "connect" else [])


@pytest.mark.parametrize(("manner", "ending"), [("fin", "fin"), ("tls close", "fin"), ("raw fin", "fin"), ("rst", "rst")])
@pytest.mark.parametrize("way", ["tls", "connect"])
def test_what_tcp_sees_of_tls(way: Way, manner: Manner, ending: str, stand: Stand, certificate: Path) -> None:
    relay, _ = stand(way)
    relay.choose = lambda _: Loss("after answer", manner)
    with reach(relay, certificate) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with socket.socket(fileno=client.detach()) as bare:
            bare.settimeout(30)
            got, how = seen(bare)
    assert (bool(got), how) == (manner in ("fin", "tls close"), ending)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost(way: Way, stand: Stand, session: requests.Session) -> None:
    relay, server = stand(way)
    for _ in range(2):
        got = post(session, relay, headers={"X-Mine": "1", "Proxy-Authorization": "Basic eA=="})
        assert (got.status_code, got.content, got.headers["X-Kept"], "Keep-Alive" in got.headers) == (200, BODY, "1", False)
    assert (relay.connections, len(relay.read), [status for _, status in relay.forwarded]) == (1, 2, [200, 200])
    (asked, _), (relayed, _) = server.asked, relay.read
    assert (
        (asked.method, asked.target, asked.body) == (relayed.method, relayed.path, relayed.body) == ("POST", "/orders?a=1", b"{}")
    )
    assert (asked.headers["host"], asked.headers["x-mine"]) == (server.base_url[7:], "1")
    assert "proxy-authorization" not in asked.headers


@pytest.mark.parametrize("place", REQUEST_PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_the_second_request_of_a_connection_is_lost(
    way: Way, place: RequestPlace, stand: Stand, session: requests.Session
) -> None:
    relay, server = stand(way)
    losses = iter([None, Loss(place, "rst")])
    relay.choose = lambda _: next(losses)
    post(session, relay)
    if place == "after whole answer":
        assert post(session, relay).content == BODY
    elif place == "in head" and way in ("tls", "connect"):
        assert (post(session, relay).status_code, relay.read[1].body) == (200, b"{}")
    else:
        with pytest.raises(requests.RequestException):
            post(session, relay)
    assert relay.connections == 1
    assert len(relay.read) == 1 + (place in READ)
    assert len(relay.forwarded) == len(server.asked) == 1 + (place in FORWARDED)


@pytest.mark.parametrize("place", ["after request", "after answer"])
def test_an_answer_of_its_own_keeps_the_connection(place: RequestPlace, stand: Stand, session: requests.Session) -> None:
    relay, server = stand("connect")
    losses = iter([Loss(place, "answer", 429, b"slow", {"Retry-After": "0"}), None])
    relay.choose = lambda _: next(losses)
    got = post(session, relay)
    assert (got.status_code, got.content, got.headers["Retry-After"]) == (429, b"slow", "0")
    assert post(session, relay).status_code == 200
    assert (relay.connections, len(server.asked)) == (1, 2 if place == "after answer" else 1)


def test_a_client_that_is_still_sending_sees_an_end(stand: Stand) -> None:
    relay, _ = stand("direct")
    relay.choose = lambda _: Loss("in request", "fin")
    with dial(relay) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 9999999)
        assert seen(client) == (b"", "fin")


def test_a_proxy_may_refuse_the_tunnel(stand: Stand, session: requests.Session) -> None:
    relay, _ = stand("connect")
    relay.choose_connection = lambda: Loss("connect", "answer", 407, b"", {"Proxy-Authenticate": "Basic"})
    with pytest.raises(requests.exceptions.ProxyError, match="407"):
        post(session, relay)


def test_a_loss_can_depend_on_the_body(stand: Stand, session: requests.Session) -> None:
    relay, _ = stand("direct")
    relay.choose = lambda relayed: Loss("after answer", "answer") if relayed.body == b"{}" else None
    assert post(session, relay).status_code == 502
    assert session.post(relay.base_url, b"[]", timeout=120).status_code == 200


def test_a_client_that_hangs_up_ends_a_stall(stand: Stand, certificate: Path) -> None:
    relay, _ = stand("tls")
    relay.choose_connection = lambda: Loss("accept", "stall")
    with dial(relay):
        assert relay.stalled.acquire(timeout=120)
        (thread,) = relay._threads[1:]
        assert thread.is_alive()
    thread.join(30)
    assert not thread.is_alive()


def test_the_hooks_hold_a_request(stand: Stand, session: requests.Session) -> None:
    relay, server = stand("direct")
    reached, going_on, counts = threading.Event(), threading.Event(), []

    def hold(_: Relayed) -> None:
        counts.append(len(server.asked))
        reached.set()
        assert going_on.wait(30)

    relay.before_forward = hold
    relay.after_forward = lambda _: counts.append(len(server.asked))
    caller = threading.Thread(target=post, args=(session, relay), daemon=True)
    caller.start()
    assert reached.wait(30)
    assert (len(relay.read), relay.forwarded, server.asked) == (1, [], [])
    going_on.set()
    caller.join(30)
    assert (counts, len(relay.forwarded)) == ([0, 1], 1)


def test_an_upstream_that_hangs_up(stand: Stand, session: requests.Session) -> None:
    relay, server = stand("direct", drop)
    with pytest.raises(requests.ConnectionError, match="RemoteDisconnected"):
        post(session, relay)
    assert (len(server.asked), relay.unanswered, relay.forwarded) == (1, relay.read, [])


def test_an_upstream_that_is_gone(session: requests.Session) -> None:
    with Relay(f"http://127.0.0.1:{free_port()}") as relay, pytest.raises(requests.ConnectionError):
        post(session, relay)
    assert (len(relay.read), relay.unanswered) == (1, relay.read)


@pytest.mark.parametrize(("method", "upstream"), [("HEAD", answer(b"", ETag="a")), ("DELETE", answer(status=204))])
def test_answers_without_a_body(method: str, upstream: bytes, stand: Stand, session: requests.Session) -> None:
    relay, _ = stand("direct", upstream)
    assert [session.request(method, relay.base_url, timeout=120).content for _ in range(2)] == [b"", b""]
    assert relay.connections == 1


def test_the_end_wakes_a_request_that_the_upstream_holds(certificate: Path, session: requests.Session) -> None:
    asked, over = threading.Event(), threading.Event()

    def hold(_: socket.socket) -> None:
        asked.set()
        over.wait(30)

    with SocketServer(hold) as server:
        with Relay(server.base_url, "tls", certificate=certificate) as relay, reach(relay, certificate) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert asked.wait(30)
        assert not any(thread.is_alive() for thread in relay._threads)
        over.set()


def test_what_a_test_did_wrong_comes_out(session: requests.Session) -> None:
    def look(relayed: Relayed) -> Loss:
        return Loss("in request", "fin") if relayed.body else Loss("in request", "rst")

    def fail(_: Relayed) -> Loss | None:
        raise ProcessLookupError("of the test")

    with SocketServer(UPSTREAM) as server:
        for choose, match in [(look, "too late"), (fail, "of the test"), (lambda _: Loss("accept", "fin"), "only in request")]:
            with (
                pytest.raises((ValueError, OSError), match=match),
                Relay(server.base_url, choose=choose) as relay,
                suppress(requests.ConnectionError),
            ):
                post(session, relay)
        assert server.asked == []
