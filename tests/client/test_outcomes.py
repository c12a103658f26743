"""The table of endings, walked on real sockets: what each says about a change, and what stays in the ledger."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.retry import ENDINGS, WriteOutcome
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusConfigurationError,
    NexusConnectionError,
    NexusDataError,
    NexusError,
)
from airflow_provider_nexus.writes.ledger import Known, MemoryLedger, known_to
from airflow_provider_nexus.writes.once import Once, Write, code_in
from tests.client.serving import session_for
from tests.client.socket_server import Reply, SocketServer, answer, free_port

REFUSALS = {400, 401, 403, 404, 405, 406, 407, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451}
"""Where Nexus or a gateway says in so many words that it did not do what was asked."""
NEXUS = "https://nexus.test:9"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = b'{"errors":null,"values":{"orderCode":"ORD-1","amount":100.50}}'
COMPLAINT = b'{"message":"no","errors":["No"],"values":null}'


def write(**changes: Any) -> Write:
    """An order that can't be looked up."""
    given: dict[str, Any] = {
        "method": "POST",
        "path": "/orders",
        "body": {"amount": 1},
        "find": None,
        "read": lambda code: {"orderCode": code},
        "code_of": lambda found: code_in(found, "orderCode"),
        "record_of": lambda found: found,
    }
    return Write(**{**given, **changes})


def carry_out(session: NexusSession, given: Write | None = None) -> tuple[Any, Known]:
    """The record or the error that a write ends in, and what its ledger knows then."""
    ledger = MemoryLedger()
    try:
        ended: Any = Once(NexusClient(session), ledger, pauses=()).carry_out(given or write(), SINCE)
    except NexusError as error:
        ended = error
    return ended, known_to(ledger)


def fate_in_table(status: int) -> WriteOutcome:
    """What the table says of a status whose body complains."""
    listed = [ending.outcome for ending in ENDINGS if status in ending.statuses]
    return WriteOutcome.UNKNOWN if 200 <= status < 300 else listed[0] if listed else WriteOutcome.UNKNOWN


@pytest.mark.parametrize("body", [COMPLAINT, b"", b"<html>no</html>", ORDER], ids=["complaint", "empty", "html", "order"])
@pytest.mark.parametrize("status", [*range(200, 209), 226, 299, *range(300, 309), *range(400, 452), 499, *range(500, 512), 599])
def test_every_status(status: int, body: bytes) -> None:
    with SocketServer(answer(body, status)) as server, session_for(server.base_url) as session:
        ended, known = carry_out(session)
    assert len(server.asked) == 1
    if 200 <= status < 300 and body == ORDER and status != 204:
        assert (ended["orderCode"], known.code, known.sent) == ("ORD-1", "ORD-1", "")
    elif status in REFUSALS and body != ORDER:
        assert isinstance(ended, NexusApiError)
        assert not isinstance(ended, NexusAmbiguousWriteError)
        assert (known.sent, ended.status) == ("", status)
        assert fate_in_table(status) is WriteOutcome.REFUSED
    else:
        assert isinstance(ended, NexusAmbiguousWriteError), ended
        assert known.sent
        if body == COMPLAINT:
            assert fate_in_table(status) is WriteOutcome.UNKNOWN


def raw(text: bytes) -> Reply:
    """Bytes, and then the end."""

    def send(connection: socket.socket) -> None:
        connection.sendall(text)

    return send


@pytest.mark.parametrize(
    "reply",
    [
        raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
        raw(b"HTTP/1.1 102 Processing\r\n\r\n"),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        raw(b"HTTP/1.1 199 X\r\n\r\n"),
        raw(b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        raw(b"\x00\x01\x02"),
        raw(b""),
        answer(b'{"errors":null,"values":null}'),
        answer(b'{"errors":null,"values":{"orderCode":""}}'),
        answer(b'{"errors":null,"values":[]}'),
        answer(b'{"errors":null,"values":{"orderCode":"O'),
        answer(b'{"errors":["NoBalance"],"values":{"orderCode":"ORD-1"}}'),
        answer(b'{"errors":{"amount":["too much"]},"status":400,"title":"One or more validation errors occurred."}'),
        answer(b'{"Errors":"NoBalance"}'),
        answer(b"\xff\xfe"),
        answer(b"[" * 3000),
    ],
)
def test_what_is_no_whole_answer(reply: Reply) -> None:
    with SocketServer(reply) as server, session_for(server.base_url) as session:
        ended, known = carry_out(session)
    assert isinstance(ended, NexusAmbiguousWriteError), ended
    assert known.sent
    assert len(server.asked) == 1


def test_an_answer_that_can_not_be_typed_was_carried_out() -> None:
    def typed(_: Any) -> Any:
        raise NexusDataError("orders", "ORD-1", "amount", "much", "a decimal number")

    with SocketServer(answer(ORDER)) as server, session_for(server.base_url) as session:
        ended, known = carry_out(session, write(record_of=typed))
        assert isinstance(ended, NexusDataError)
        assert (known.code, known.sent) == ("ORD-1", ""), "it is known as carried out, so no try sends it again"


def test_nobody_there_leaves_no_mark() -> None:
    with session_for(f"http://127.0.0.1:{free_port()}") as session:
        ended, known = carry_out(session)
    assert isinstance(ended, NexusConnectionError)
    assert known == Known()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"REQUESTS_CA_BUNDLE": "/no/such/bundle.pem"}, "REQUESTS_CA_BUNDLE names /no/such/bundle.pem, which does not exist"),
        ({"CURL_CA_BUNDLE": __file__}, r"CURL_CA_BUNDLE names .*test_outcomes\.py, which contains no certificates"),
        ({"HTTPS_PROXY": "socks5://127.0.0.1:9"}, r"HTTPS_PROXY names a SOCKS proxy.*pip install 'requests\[socks\]'"),
        ({"https_proxy": "http://"}, "HTTPS_PROXY or NO_PROXY can't be read"),
    ],
)
def test_what_this_machine_lacks_is_no_riddle(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name in ("NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with SocketServer() as server, session_for(server.base_url.replace("http:", "https:") if "CA" in said else NEXUS) as session:
        ended, known = carry_out(session)
        calls = session.calls
    assert isinstance(ended, NexusConfigurationError), repr(ended)
    with pytest.raises(NexusConfigurationError, match=f"POST /orders was not sent: .*{said}"):
        raise ended
    assert (known, calls) == (Known(), 1)


@pytest.mark.parametrize("version", ["1.2\r\nX: y", "é\ud800", "\x00"])
def test_a_header_that_can_not_be_one(version: str) -> None:
    with SocketServer() as server, session_for(server.base_url) as session:
        with pytest.raises(NexusConfigurationError, match=r"api_version.*nothing was sent"):
            NexusClient(session).run("POST", "/orders", json={}, api_version=version)
        assert (server.asked, server.connections) == ([], 0)
