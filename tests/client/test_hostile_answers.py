"""Answers that have no end, no measure or no form, in both clients: each ends as a typed error, and soon."""

from __future__ import annotations

import gzip
import pickle
import socket
import ssl
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.api.environments import Environment
from airflow_provider_nexus.client.body import MEGABYTE
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import (
    LONGEST_PAUSE,
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusAuthenticationError,
    NexusConnectionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusTimeoutError,
    NexusValidationError,
)
from tests.client.serving import CANARY, GET, POST, Client, all_that_it_says, blocking, in_both_clients
from tests.client.socket_server import Reply, SocketServer, answer
from tests.relay import make_certificate

LIMIT = MEGABYTE
TOO_MUCH = 8 * MEGABYTE
"""What stands for no end: so much that whoever reads on gets all of it, and is found out."""
EMPTY_GZIP, EMPTY_BLOCK = gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff"
"""The head of a packed body, and a part of one that nothing is packed in."""
FRAME = b'{"errors":null,"values":""}'


def settings_for(base_url: str, *, timeout: float = 20.0, retries: int = 3) -> ClientSettings:
    place = Environment("hostile", base_url)
    return ClientSettings(place, Secret(CANARY), allow_writes=True, timeout=timeout, retries=retries, max_answer_mb=1)


def ends(client: Client, call: Call, reply: Reply) -> tuple[Any, int]:
    """What a call ends in, and how often the server was asked."""
    with SocketServer(reply) as server:
        ended = client(settings_for(server.base_url), call)
        if isinstance(ended, Exception):
            assert CANARY not in all_that_it_says(ended)
        return ended, len(server.asked)


def said(length: int) -> bytes:
    """An envelope of so many bytes."""
    return FRAME[:-2] + b"a" * (length - len(FRAME)) + FRAME[-2:]


GZIPPED = gzip.compress(said(99), mtime=0)  # the same bytes in every process that collects the tests


def packed(body: bytes, status: int = 200, coding: str = "gzip", **headers: str) -> bytes:
    return answer(body, status, Content_Encoding=coding, **headers)


def flood(head: bytes, piece: bytes, tail: bytes = b"") -> Reply:
    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head)
        for _ in range(TOO_MUCH // len(piece)):
            connection.sendall(piece)
        connection.sendall(tail)

    return send


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


class TestSize:
    @in_both_clients
    @pytest.mark.parametrize(
        ("reply", "length"),
        [
            (answer(said(LIMIT)), LIMIT),
            (answer(said(LIMIT), Content_Encoding="identity"), LIMIT),
            (packed(gzip.compress(said(LIMIT))), LIMIT),
            (packed(gzip.compress(said(LIMIT), 0)), None),  # packed it has a few bytes too many
            (packed(gzip.compress(said(9000)), coding="x-gzip"), 9000),
            (packed(gzip.compress(said(9000)), coding=" GZIP "), 9000),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(said(LIMIT)) + b"0\r\n\r\n", LIMIT),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
                + b"".join(chunk(bytes([byte])) for byte in gzip.compress(said(9000)))
                + b"0\r\n\r\n",
                9000,
            ),
        ],
    )
    def test_up_to_the_limit_it_is_read(self, client: Client, reply: bytes, length: int | None) -> None:
        ended, asked = ends(client, GET, reply)
        assert asked == 1
        if length is None:
            assert isinstance(ended, NexusResponseError)
        else:
            assert ended == "a" * (length - len(FRAME))

    @in_both_clients
    @pytest.mark.parametrize("reply", [packed(b"", 204), packed(b""), packed(b"", 200, "br"), packed(b"", 200, "gzip, gzip")])
    def test_no_body_is_in_no_coding(self, client: Client, reply: bytes) -> None:
        assert ends(client, GET, reply) == (None, 1)

    @in_both_clients
    @pytest.mark.parametrize("call", [GET, POST])
    @pytest.mark.parametrize(
        "reply",
        [
            answer(said(LIMIT + 1)),
            answer(b" " * TOO_MUCH),
            packed(gzip.compress(said(LIMIT + 1))),
            packed(gzip.compress(b"0" * TOO_MUCH)),
            packed(EMPTY_GZIP + EMPTY_BLOCK * (TOO_MUCH // 5)),
            packed(b"\x1f\x8b\x08\x08" + b"\x01" * TOO_MUCH),  # a file's name in the head that does not end
            flood(b"\r\n", b" " * 50_000),
            flood(b"Transfer-Encoding: chunked\r\n\r\n", chunk(b" " * 50_000), b"0\r\n\r\n"),
            flood(b"Content-Encoding: gzip\r\n\r\n" + EMPTY_GZIP, EMPTY_BLOCK * 10_000),
        ],
        ids=[
            "one more",
            "plain",
            "packed one more",
            "bomb",
            "nothing inside",
            "long name",
            "no length",
            "chunks",
            "packed, no length",
        ],
    )
    def test_beyond_it_is_refused_once(self, client: Client, call: Call, reply: Reply) -> None:
        ended, asked = ends(client, call, reply)
        assert isinstance(ended, NexusAmbiguousWriteError if call is POST else NexusResponseError), ended
        assert "more than the 1 MB that the connection takes of one: ask for less at once, or raise its max_answer_mb" in str(
            ended
        )
        assert (ended.status, asked) == (None, 1)

    @in_both_clients
    @pytest.mark.parametrize(
        "reply",
        [
            flood(b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b" " * 50_000),
            flood(b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 50_000),
            flood(b"X: ", b"y" * 50_000),
        ],
        ids=["less than nothing", "endless length", "endless header"],
    )
    def test_so_is_a_frame_without_an_end(self, client: Client, reply: Reply) -> None:
        ended, asked = ends(client, POST, reply)
        assert isinstance(ended, NexusAmbiguousWriteError), ended
        assert asked == 1

    @in_both_clients
    @pytest.mark.parametrize(
        ("status", "kind", "asks"),
        [
            (302, NexusResponseError, 1),
            (400, NexusValidationError, 1),
            (401, NexusAuthenticationError, 1),
            (429, NexusRateLimitError, 4),
            (503, NexusServerError, 4),
        ],
    )
    @pytest.mark.parametrize("body", [gzip.compress(b"0" * TOO_MUCH), gzip.compress(b"0" * 9000)[:-1]], ids=["too large", "cut"])
    def test_a_refusal_keeps_its_cause_for_a_read(
        self, client: Client, status: int, kind: type[NexusApiError], asks: int, body: bytes
    ) -> None:
        reply = packed(body, status, Location="/elsewhere", Retry_After="0")
        ended, asked = ends(client, GET, reply)
        assert (type(ended), ended.status) == (kind, status)
        assert asked == (asks if client is blocking else 1)
        ended, asked = ends(client, POST, reply)
        assert (type(ended), asked) == (NexusAmbiguousWriteError, 1), "what it says of a change can't be seen"


class TestCoding:
    @in_both_clients
    @pytest.mark.parametrize("call", [GET, POST])
    @pytest.mark.parametrize(
        "coding", ["br", "zstd", "deflate", "compress", "gzip, gzip", "gzip,br", "identity, gzip", "gzip;q=1", "utf-8", "g" * 999]
    )
    def test_what_was_not_asked_for_is_refused_once(self, client: Client, call: Call, coding: str) -> None:
        body = gzip.compress(gzip.compress(said(99))) if coding == "gzip, gzip" else zlib.compress(said(99))
        ended, asked = ends(client, call, packed(body, coding=coding))
        assert isinstance(ended, NexusAmbiguousWriteError if call is POST else NexusResponseError), ended
        assert "is packed in another way than as gzip" in str(ended)
        assert (ended.status, asked) == (None, 1)

    @in_both_clients
    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (GZIPPED[:-1], "ends too early"),
            (GZIPPED[:-8], "ends too early"),
            (GZIPPED[:5], "ends too early"),
            (GZIPPED + b"\0", "something comes after the end"),
            (GZIPPED + GZIPPED, "something comes after the end"),
            (GZIPPED[:-8] + b"12345678", "is damaged"),
            (said(99), "is damaged"),
        ],
    )
    def test_what_is_damaged_is_asked_for_again(self, client: Client, body: bytes, why: str) -> None:
        ended, asked = ends(client, GET, packed(body))
        assert isinstance(ended, NexusResponseError)
        assert why in str(ended)
        assert (ended.status, asked) == (200, 4 if client is blocking else 1)
        ended, asked = ends(client, POST, packed(body))
        assert isinstance(ended, NexusAmbiguousWriteError)
        assert asked == 1

    @in_both_clients
    def test_only_gzip_is_asked_for(self, client: Client) -> None:
        with SocketServer(answer(said(99))) as server:
            client(settings_for(server.base_url), GET)
        assert server.asked[0].headers["accept-encoding"] == "gzip"


def drip(whole: bytes, again: bytes = b"", times: int = 60) -> Reply:
    """A whole answer, whose last bytes come one by one, or which something comes before again and again."""

    def send(connection: socket.socket) -> None:
        begin, end = (b"", whole) if again else (whole[:-times], b"")
        connection.sendall(begin)
        for place in range(times):
            connection.sendall(again or whole[len(whole) - times + place :][:1])
            time.sleep(0.05)
        connection.sendall(end)

    return send


CHUNKED = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "body": drip(answer(said(99))),
    "head": drip(b"HTTP/1.1 204 X\r\nX: " + b"y" * 99 + b"\r\n\r\n"),
    "chunks": drip(CHUNKED + chunk(said(99)) + b"0\r\n\r\n"),
    "trailer": drip(CHUNKED + chunk(said(99)) + b"0\r\nX: " + b"y" * 99 + b"\r\n\r\n"),
    "interim answers": drip(answer(said(99)), b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""Each takes three seconds, and no byte of it comes later than another by a tenth of one."""


class TestTime:
    @in_both_clients
    @pytest.mark.parametrize("place", DRIPS)
    def test_an_answer_that_drips_is_given_up(self, client: Client, place: str) -> None:
        with SocketServer(DRIPS[place]) as server:
            ended = client(settings_for(server.base_url, timeout=0.25), POST)
        assert isinstance(ended, NexusAmbiguousWriteError), ended
        assert "no whole answer came in time" in str(ended)
        assert len(server.asked) == 1

    @in_both_clients
    def test_a_read_is_asked_for_again(self, client: Client) -> None:
        with SocketServer(DRIPS["body"]) as server:
            ended = client(settings_for(server.base_url, timeout=0.25, retries=1), GET)
        assert isinstance(ended, NexusTimeoutError), ended
        assert len(server.asked) == (2 if client is blocking else 1)

    @in_both_clients
    def test_it_is_no_other_over_tls(self, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        certificate = make_certificate(tmp_path)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with SocketServer(DRIPS["body"], tls=tls) as server:
            ended = client(settings_for(server.base_url, timeout=0.25), POST)
        assert isinstance(ended, NexusAmbiguousWriteError), ended
        assert "no whole answer came in time" in str(ended)

    @in_both_clients
    def test_a_proxy_that_drips_keeps_the_call_here(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        with SocketServer(drip(b"HTTP/1.1 200 X\r\nX: " + b"y" * 99 + b"\r\n\r\n")) as proxy:
            monkeypatch.setenv("https_proxy", proxy.base_url)
            ended = client(settings_for("https://nexus.test", timeout=0.25, retries=0), POST)
        assert isinstance(ended, NexusConnectionError), ended
        assert [asked.method for asked in proxy.asked] == ["CONNECT"]

    @in_both_clients
    def test_one_that_ends_in_time_is_read(self, client: Client) -> None:
        with SocketServer(drip(answer(said(99)), times=9)) as server:
            assert client(settings_for(server.base_url, timeout=5), POST) == "a" * (99 - len(FRAME))
        assert len(server.asked) == 1


class TestDates:
    @in_both_clients
    @pytest.mark.parametrize(
        "header", ["-5", "1e999", "9" * 400, "31536000", "Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1200"]
    )
    def test_nonsense_is_no_crash(self, client: Client, header: str) -> None:
        busy = answer(b"", 429, Retry_After=header, Date=header)
        with SocketServer(busy) as server:
            ended = client(settings_for(server.base_url, retries=0), GET)
            assert (type(ended), len(server.asked)) == (NexusRateLimitError, 1)
            assert ended.pause in (0, LONGEST_PAUSE)
            assert pickle.loads(pickle.dumps(ended)).pause == ended.pause
        assert ends(client, GET, answer(said(99), Date=header)) == ("a" * (99 - len(FRAME)), 1)
