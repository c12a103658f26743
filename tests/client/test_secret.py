"""The token is in no text, repr or frame of an error, in whatever form the server repeats it, from both clients."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
import re
import signal
import socket
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.secret import Secret
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from tests.client.serving import GET, POST, all_that_it_says, chain, session_for
from tests.client.socket_server import Reply, SocketServer, answer

TOKEN = "ca-nary/5b7e+0d91.c3_Zq=8"
BEARER = f"Bearer {TOKEN}"


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def slashes(text: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent where it must be": lambda text: quote(text, safe=""),
    "percent as forms do": quote_plus,
    "percent throughout": percent,
    "percent throughout, lower": lambda text: percent(text).lower(),
    "percent twice": lambda text: quote(percent(text)),
    "JSON, slashes": lambda text: text.replace("/", "\\/"),
    "JSON, some": lambda text: text.replace("-", "\\u002d").replace("+", "\\u002B"),
    "JSON, all": slashes,
    "JSON within JSON": lambda text: json.dumps(slashes(text))[1:-1],
    "percent within JSON": lambda text: quote(text, safe="").replace("%", "\\u0025"),
    "HTML, decimal": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "HTML, hex": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "HTML, names": lambda text: text.replace("+", "&plus;").replace("/", "&sol;").replace("=", "&equals;"),
    "HTML as Python": html.escape,
    "base64": b64,
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 of more, by one": lambda text: b64(f"x{text} and so on"),
    "base64 of more, by two": lambda text: b64(f"xy{text}!"),
    "base64, percent": lambda text: quote(b64(text), safe=""),
}
ECHOES = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
KINDS_OF_ECHOES = ("as it is", "percent twice", "JSON within JSON", "HTML, decimal", "base64 of more, by one")
SOME_ECHOES = pytest.mark.parametrize("form", [FORMS[name] for name in KINDS_OF_ECHOES], ids=KINDS_OF_ECHOES)
"""One of each kind, where each takes many calls."""


def shown(text: str) -> list[str]:
    """Pieces of the token that somebody who reads a text could put together again."""
    plain = text
    for _ in range(4):
        plain = html.unescape(re.sub(r"\\+u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), plain))
        plain = plain.replace("\\/", "/")
        plain = percent_decoded(plain)
    pieces = [TOKEN[at : at + 12] for at in range(len(TOKEN) - 11)]
    cores = [b64("x" * shift + TOKEN)[4:-4][at : at + 12] for shift in range(3) for at in range(0, len(TOKEN) - 8, 4)]
    cores = [core for core in cores if len(core) == 12]
    safe = [core.translate(str.maketrans("+/", "-_")) for core in cores]
    return [piece for piece in [*pieces, *cores, *safe] if piece in plain or piece in text]


def percent_decoded(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


@ECHOES
@pytest.mark.parametrize("text", [TOKEN, BEARER], ids=["token", "header"])
def test_the_check_of_these_tests_sees_it(form: Callable[[str], str], text: str) -> None:
    assert shown(f"said {form(text)}.")


@ECHOES
@pytest.mark.parametrize("text", [TOKEN, BEARER], ids=["token", "header"])
def test_scrubbed(form: Callable[[str], str], text: str) -> None:
    said = Secret(TOKEN).scrub(f'before "{form(text)}" between {form(text)} after %zz &no; \\u12')
    assert shown(said) == []
    assert said.startswith('before "')
    assert " between " in said
    assert said.endswith(" after %zz &no; \\u12")


@pytest.mark.parametrize("text", ["", "nothing of it", "%2d\\u002d&#45;", "100%", "&amp; " * 9, TOKEN[:-1], TOKEN[1:], "é\ud800"])
def test_what_is_not_the_token_stays(text: str) -> None:
    assert Secret(TOKEN).scrub(text) == text
    assert Secret("").scrub(text) == text


def in_body(said: str) -> bytes:
    return answer(json.dumps({"message": f"refused: {said}", "errors": [f"Bad {said}"], "values": None}).encode(), 400)


def in_page(said: str) -> bytes:
    return answer(f"<p>{'x ' * 500}{said}</p>".encode(), 502)


def at_the_cut(said: str) -> bytes:
    filler = "word " * 55
    return answer(f'{{"message": {json.dumps(filler + said)}, "errors": ["E"]}}'.encode(), 422)


def in_page_at_the_cut(said: str) -> bytes:
    return answer(("." * 290 + said).encode(), 500)


def in_success(said: str) -> bytes:
    return answer(f'{{"errors": ["no {said}"], "values": 1}}'.encode())


def cut_success(said: str) -> bytes:
    return answer(f'{{"values": "{said}'.encode())


def in_headers(said: str) -> bytes:
    return answer(b"", 401, X_Request_Id=said, Retry_After=said, WWW_Authenticate=said, Date=said, Location=said, ETag=said)


def in_short_id(said: str) -> bytes:
    return answer(b"{}", 503, Request_Id=f"r-{said}")


def in_trace(said: str) -> bytes:
    return answer(b"{}", 400, traceparent=f"00-{said}-01")


def in_reason(said: str) -> bytes:
    return f"HTTP/1.1 403 {said}\r\nContent-Length: 0\r\n\r\n".encode()


def in_first_line(said: str) -> bytes:
    return f"{said}\r\n\r\n".encode()


def in_bad_header(said: str) -> Reply:
    reply = f"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n {said}\r\n{said}\r\nX: 1\r\n\r\n".encode()
    return lambda connection: connection.sendall(reply)  # and no more: its length can't be read


PLACES = [
    in_body,
    in_page,
    at_the_cut,
    in_page_at_the_cut,
    in_success,
    cut_success,
    in_headers,
    in_short_id,
    in_trace,
    in_reason,
    in_first_line,
    in_bad_header,
]


def everything(error: BaseException) -> str:
    """All that it says, and the locals of every frame as tools show them."""
    frames = [traceback.TracebackException.from_exception(each, capture_locals=True).format() for each in chain(error)]
    theirs = [line for lines in frames for frame in lines for line in frame.splitlines() if "test_secret.py" not in frame]
    return "\n".join([all_that_it_says(error), *theirs])


def by_session(base_url: str, call: Call) -> NexusError:
    with session_for(base_url, token=TOKEN, timeout=0.5) as session, pytest.raises(NexusError) as caught:
        session.send(call, envelope.unwrap)
    return caught.value


def by_loop(base_url: str, call: Call) -> NexusError:
    async def main() -> None:
        client = AsyncNexusClient(read_settings(token=TOKEN, host=base_url, extra={"allow_writes": True, "timeout": 5}))
        try:
            await client.send(call, envelope.unwrap)
        finally:
            await client.aclose()

    with pytest.raises(NexusError) as caught:
        asyncio.run(main())
    return caught.value


@ECHOES
@pytest.mark.parametrize("by", [by_session, by_loop])
def test_no_error_shows_what_the_server_repeats(
    form: Callable[[str], str], by: Callable[[str, Call], NexusError], caplog: pytest.LogCaptureFixture
) -> None:
    for place in PLACES:
        for call in (GET, POST):
            caplog.clear()
            with caplog.at_level(logging.DEBUG), SocketServer(place(form(BEARER)), place(form(BEARER))) as server:
                error = by(server.base_url, call)
                server.wait_until_asked()
            assert server.asked[0].headers["authorization"] == BEARER
            said = everything(error) + "\n".join(f"{vars(record)} {record.getMessage()}" for record in caplog.records)
            assert shown(said) == [], (place.__name__, call.method)


@pytest.mark.parametrize(
    "name",
    ["req-7", "8f14e45f-ceea-467f-a0e6-7a1c2b3d4e5f", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "123456789"],
)
def test_the_id_of_a_request_is_told(name: str) -> None:
    with SocketServer(answer(b"{}", 400, X_Request_Id=name)) as server:
        error = by_session(server.base_url, GET)
    assert error.request_id == name  # type: ignore[attr-defined]
    assert f"request id {name}" in str(error)


@pytest.mark.parametrize("name", ["jan@example.nl", "a b", "x" * 129, "eyJhbGciOi.eyJzdWIi.c2ln", "<b>", f"a{TOKEN}", ""])
def test_what_is_no_id_is_not_told(name: str) -> None:
    with SocketServer(answer(b"{}", 400, X_Request_Id=name)) as server:
        assert by_session(server.base_url, GET).request_id == ""  # type: ignore[attr-defined]


class Ended(BaseException):
    """What ends a task from outside, as Airflow's time-out does."""


def test_what_ends_a_task_during_a_call_shows_no_frame_of_the_call() -> None:
    def end(connection: socket.socket) -> None:
        signal.raise_signal(signal.SIGUSR1)
        connection.recv(1)

    def stop(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with SocketServer(end) as server, session_for(server.base_url, token=TOKEN) as session:
            with pytest.raises(Ended) as caught:
                session.send(GET, envelope.unwrap)
            assert shown(everything(caught.value)) == []
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_cancelled_wait_shows_no_frame_of_the_call() -> None:
    asked = asyncio.Event()

    async def main(server: SocketServer) -> BaseException:
        client = AsyncNexusClient(read_settings(token=TOKEN, host=server.base_url))
        calling = asyncio.create_task(client.run("GET", "/labelpartner"))
        while not server.asked:
            await asyncio.sleep(0.005)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await calling
        assert calling.cancelled()
        await client.aclose()
        return caught.value

    with SocketServer(lambda connection: asked.is_set() or connection.recv(1)) as server:  # type: ignore[arg-type]
        error = asyncio.run(main(server))
    assert shown(everything(error)) == []


WRONG: dict[str, dict[str, Any]] = {
    "unknown extra": {"extra": {"time_out": 5}},
    "unknown extra that is a secret": {"extra": {"hash_secrets": TOKEN}},
    "bad value": {"extra": {"timeout": "x", "hash_secret": TOKEN}},
    "bad value in JSON": {"extra": json.dumps({"timeout": "x", "hash_secret": TOKEN})},
    "secret of another kind": {"extra": {"hash_secret": [TOKEN]}},
    "short secret": {"extra": {"hash_secret": TOKEN[:13]}},
    "no JSON": {"extra": f'{{"hash_secret": "{TOKEN}"'},
    "no object": {"extra": f'["{TOKEN}"]'},
    "twice": {"extra": f'{{"hash_secret": "{TOKEN}", "hash_secret": "{TOKEN}"}}'},
    "bad environment": {"extra": {"environment": "tset", "hash_secret": TOKEN}},
    "bad portal": {"extra": {"portal_url": "http://x", "hash_secret": TOKEN}},
    "bad token": {"token": f"{TOKEN} x"},
    "bad host": {"host": "ftp://x"},
}


@pytest.mark.parametrize("name", WRONG)
def test_no_error_of_a_connection_shows_it(name: str) -> None:
    with pytest.raises(NexusConfigurationError) as caught:
        read_settings(**{"token": TOKEN, **WRONG[name]})
    assert shown(everything(caught.value)) == []


def test_nothing_that_holds_it_shows_it() -> None:
    settings = read_settings(token=TOKEN, extra={"hash_secret": TOKEN})
    assert TOKEN not in f"{settings!r} {settings} {vars(settings)} {settings.token!r} {settings.token} {Secret(TOKEN):}"
    assert (settings.token, hash(settings.token)) == (Secret(f" {TOKEN}\n"), hash(Secret(TOKEN)))
    assert settings.token != Secret("another")
    assert settings.token != TOKEN
