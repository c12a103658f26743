"""A call that changes something is sent once, whatever happens to its answer; the server counts."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusConnectionError,
    NexusInterruptedError,
    NexusNotFoundError,
    NexusRateLimitError,
    NexusTimeoutError,
)
from airflow_provider_nexus.sandbox import Fault, Sandbox
from tests.client.serving import GET, POST, STATE, session_for
from tests.client.socket_server import Reply, SocketServer, answer, drop, free_port
from tests.relay import make_certificate

DONE = answer(b'{"errors":null,"values":{"a":1}}')
PAYOUT = Call("PUT", "/transactions/custodian/T1/payout", json={})
ACTIVATION = Call("GET", "/accounts/activate/A1")
DELETION = Call("DELETE", "/accounts/A1")
ONCE = pytest.mark.parametrize("call", [POST, PAYOUT, ACTIVATION], ids=lambda call: f"{call.method} {call.label}")


def reset(connection: socket.socket) -> None:
    """Hang up the hard way."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def dawdle(connection: socket.socket) -> None:
    time.sleep(0.4)


def start_and_dawdle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    time.sleep(0.4)


def half(connection: socket.socket) -> None:
    connection.sendall(DONE[:-9])


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


UNCLEAR: dict[str, Reply] = {
    "dropped": drop,
    "reset": reset,
    "truncated": half,
    "no http": no_http,
    "time-out": dawdle,
    "time-out in the body": start_and_dawdle,
    "500": answer(b"", 500),
    "502": answer(b"<html>Bad Gateway</html>", 502),
    "503": answer(b'{"errors":["Busy"]}', 503, Retry_After="0"),
    "504": answer(b"", 504),
    "501": answer(b"", 501),
    "408": answer(b"", 408),
    "html": answer(b"<html>Please wait</html>", 200, Content_Type="text/html"),
    "cut json": answer(b'{"values":{"a":1'),
    "bad gzip": answer(b"no gzip at all", Content_Encoding="gzip"),
    "redirect": answer(b"", 302, Location="/elsewhere"),
}
unclear = pytest.mark.parametrize("reply", UNCLEAR.values(), ids=list(UNCLEAR))


@ONCE
@unclear
def test_sent_once_and_called_ambiguous(call: Call, reply: Reply) -> None:
    with (
        SocketServer(reply) as server,
        session_for(server.base_url, timeout=0.15) as session,
        pytest.raises(NexusAmbiguousWriteError, match="Look up by hand") as caught,
    ):
        session.send(call, envelope.unwrap)
    assert len(server.asked) == session.calls == 1
    assert (caught.value.method, caught.value.path) == (call.method, call.label)


@pytest.mark.parametrize("call", [STATE, DELETION], ids=lambda call: call.method)
@pytest.mark.parametrize("name", ["dropped", "truncated", "time-out", "500", "503", "html"])
def test_states_are_set_again(call: Call, name: str) -> None:
    """The second answer has to come in time, on a busy machine too."""
    is_late = name == "time-out"
    unclear = (lambda _: time.sleep(3)) if is_late else UNCLEAR[name]
    with SocketServer(unclear, DONE) as server, session_for(server.base_url, timeout=2 if is_late else 60) as session:
        assert session.send(call, envelope.unwrap).value == {"a": 1}
    assert len(server.asked) == 2


@pytest.mark.parametrize("name", ["dropped", "503"])
def test_a_state_that_can_never_be_set_is_ambiguous_in_the_end(name: str) -> None:
    with (
        SocketServer(UNCLEAR[name]) as server,
        session_for(server.base_url) as session,
        pytest.raises(NexusAmbiguousWriteError),
    ):
        session.send(STATE, envelope.unwrap)
    assert len(server.asked) == 4


@ONCE
@pytest.mark.parametrize(("status", "kind"), [(429, NexusRateLimitError), (404, NexusNotFoundError)])
def test_a_clear_no_is_no_riddle(call: Call, status: int, kind: type[NexusApiError]) -> None:
    with SocketServer(answer(b"", status, Retry_After="0")) as server, session_for(server.base_url) as session:
        with pytest.raises(NexusApiError) as caught:
            session.send(call, envelope.unwrap)
        assert type(caught.value) is kind
    assert len(server.asked) == 1


class Opening:
    """A log that opens the server when the first retry is reported, so that the first attempt finds nobody."""

    def __init__(self, open_server: Callable[[], object]) -> None:
        self._open = open_server
        self.lines: list[str] = []

    def debug(self, msg: str, /, *args: object) -> None: ...

    def info(self, msg: str, /, *args: object) -> None: ...

    def warning(self, msg: str, /, *args: object) -> None:
        if not self.lines:
            self._open()
        self.lines.append(msg % args)


@ONCE
def test_a_refused_connection_is_tried_again(call: Call) -> None:
    port = free_port()
    servers: list[SocketServer] = []
    log = Opening(lambda: servers.append(SocketServer(DONE, port=port).__enter__()))
    with session_for(f"http://127.0.0.1:{port}", log=log) as session:
        assert session.send(call, envelope.unwrap).value == {"a": 1}
    (server,) = servers
    server.__exit__(None, None, None)
    assert len(server.asked) == 1
    assert session.calls == 2
    assert log.lines[0].startswith(f"{call.method} {call.label}: NexusConnectionError, attempt 1")


@pytest.mark.parametrize("call", [GET, POST])
def test_a_connection_that_is_always_refused(call: Call) -> None:
    with (
        session_for(f"http://127.0.0.1:{free_port()}") as session,
        pytest.raises(NexusConnectionError, match="refused") as caught,
    ):
        session.send(call, envelope.unwrap)
    assert session.calls == 4
    assert caught.value.status is None


def test_a_kept_connection_that_the_server_has_closed_is_not_used_for_a_write() -> None:
    with SocketServer(DONE, drop, DONE) as server, session_for(server.base_url) as session:
        session.send(POST, envelope.unwrap)
        with pytest.raises(NexusAmbiguousWriteError):
            session.send(POST, envelope.unwrap)
        session.send(POST, envelope.unwrap)
    assert (len(server.asked), session.calls) == (3, 3)


@pytest.mark.parametrize(("name", "kind"), [("time-out", NexusTimeoutError), ("time-out in the body", NexusTimeoutError)])
def test_time_out_of_a_read(name: str, kind: type[NexusApiError]) -> None:
    with SocketServer(UNCLEAR[name]) as server, session_for(server.base_url, timeout=0.1) as session, pytest.raises(kind):
        session.send(GET, envelope.unwrap)
    assert len(server.asked) == 4


@pytest.mark.parametrize("name", ["dropped", "reset", "truncated", "no http"])
def test_broken_connection_of_a_read(name: str) -> None:
    with SocketServer(UNCLEAR[name]) as server, session_for(server.base_url) as session, pytest.raises(NexusInterruptedError):
        session.send(GET, envelope.unwrap)
    assert len(server.asked) == 4


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=20, days=2, clock_speed=0) as sandbox:
        yield sandbox


class TestSandboxFaults:
    @pytest.mark.parametrize("kind", ["drop", "drop_after", "truncate", "garbage", "slow", "redirect", "status"])
    def test_the_sandbox_sees_one_call(self, sandbox: Sandbox, kind: str) -> None:
        sandbox.configure(faults=[Fault(kind, method="POST", seconds=0.4, times=-1)])  # type: ignore[arg-type]
        sandbox.reset()
        call = Call("POST", "/portfolios", json={"code": "P1"})
        before = len(sandbox.truth("portfolios"))
        with session_for(sandbox.base_url, token=sandbox.token, timeout=0.2) as session, pytest.raises(NexusAmbiguousWriteError):
            session.send(call, envelope.unwrap)
        assert [(each.method, each.path) for each in sandbox.calls] == [("POST", "/portfolios")]
        carried_out = kind in ("drop_after", "truncate", "slow")
        assert len(sandbox.truth("portfolios")) == before + carried_out


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class TestTls:
    def test_trusted(self, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with SocketServer(DONE, tls=tls) as server, session_for(server.base_url) as session:
            assert session.send(POST, envelope.unwrap).value == {"a": 1}

    def test_an_untrusted_server_gets_nothing(self, tls: ssl.SSLContext) -> None:
        with (
            SocketServer(DONE, tls=tls) as server,
            session_for(server.base_url) as session,
            pytest.raises(NexusConnectionError, match="self-signed certificate"),
        ):
            session.send(POST, envelope.unwrap)
        assert server.asked == []

    def test_trouble_after_the_call_has_left(
        self, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def speak_plainly(connection: socket.socket) -> None:
            with socket.socket(fileno=socket.dup(connection.fileno())) as bare:
                bare.sendall(DONE)

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with (
            SocketServer(speak_plainly, tls=tls) as server,
            session_for(server.base_url) as session,
            pytest.raises(NexusAmbiguousWriteError),
        ):
            session.send(POST, envelope.unwrap)
        assert len(server.asked) == 1
