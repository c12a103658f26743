"""Headers of the user's own: what is sent, what is refused, and that nobody reads there who a customer is."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusApiError, NexusConfigurationError
from tests.client.serving import CANARY, all_that_it_says, in_both_clients, session_for
from tests.client.socket_server import SocketServer, answer

IP = "203.0.113.77"
DONE = answer(b'{"errors":null,"values":{"a":1}}')
OWN = ["accept", "accept-encoding", "api_version", "authorization", "request_iso8601", "user-agent"]


class Kind(StrEnum):
    SHOP = "shop"


def run(base_url: str, *arguments: Any, **options: Any) -> Any:
    with session_for(base_url) as session:
        return NexusClient(session).run(*arguments, **options)


def run_in_a_loop(base_url: str, *arguments: Any, **options: Any) -> Any:
    async def main() -> Any:
        client = AsyncNexusClient(read_settings(token=CANARY, host=base_url, extra={"allow_writes": True}))
        try:
            return await client.run(*arguments, **options)
        finally:
            await client.aclose()

    return asyncio.run(main())


by_both = pytest.mark.parametrize("run", [run, run_in_a_loop])


@by_both
@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (IP, IP),
        ("2001:db8::7", "2001:db8::7"),
        ("Café", "Café"),
        (7, "7"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (Kind.SHOP, "shop"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    ],
)
def test_a_header_is_sent_beside_our_own(run: Any, value: Any, sent: str) -> None:
    with SocketServer(DONE) as server:
        assert run(server.base_url, "GET", "/orders", headers={"customer_ip_address": value, "x-Correlation-Id": "a"}) == {"a": 1}
        run(server.base_url, "GET", "/orders")
    with_them, without = (asked.headers for asked in server.asked)
    assert (with_them["customer_ip_address"], with_them["x-correlation-id"]) == (sent, "a")
    assert {name: with_them[name] for name in OWN} == {name: without[name] for name in OWN}
    assert "customer_ip_address" not in without


@by_both
def test_with_a_body_in_each_attempt(run: Any) -> None:
    with SocketServer(answer(b"", 503), DONE) as server:
        for _ in range(2):
            try:
                run(server.base_url, "PUT", "/customer/C1", json={"a": 1}, headers={"X-A": "1"})
            except NexusApiError:
                continue
    assert [(asked.headers["x-a"], asked.headers["content-type"], asked.body) for asked in server.asked] == [
        ("1", "application/json", b'{"a":1}')
    ] * len(server.asked)
    assert len(server.asked) > 1


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Authorization": "Bearer other"}, "'Authorization', which can't be set: the token comes from the connection alone"),
        ({"AUTHORIZATION": "x"}, "the token comes from the connection alone"),
        ({"Proxy-Authorization": "x"}, "the proxy comes from the environment"),
        ({"Cookie": "a=b"}, "the token of the connection is what lets a call in"),
        ({"api_version": "1.0"}, "it has an argument of its own, api_version"),
        ({"Api-Version": "1.0"}, "it has an argument of its own, api_version"),
        ({"request_iso8601": "false"}, "the provider sets it itself"),
        ({"Content-Length": 0}, "the provider sets it itself"),
        ({"content_type": "text/plain"}, "the provider sets it itself"),
        ({"Transfer-Encoding": "chunked"}, "the provider sets it itself"),
        ({"HOST": "example.com"}, "the provider sets it itself"),
        ({"Accept": "text/csv"}, "the provider sets it itself"),
        ({"Range": "bytes=0-9"}, "a part of an answer would pass for the whole"),
        ({"X-A": "1", "x_a": "2"}, "'x_a' twice"),
        ({"": "1"}, "the name ''"),
        ({"a b": "1"}, "the name 'a b'"),
        ({"a:": "1"}, "the name 'a:'"),
        ({"a\r\nHost": "1"}, "made of letters"),
        ({"é": "1"}, "made of letters"),
        ({7: "1"}, "the name 7"),
        ({"X-A": None}, "the header 'X-A' has no value"),
        ({"X-A": "None"}, "the header 'X-A' has no value"),
        ({"X-A": " "}, "the header 'X-A' has no value"),
        ({"X-A": "1\r\nHost: x"}, "the header 'X-A' has line breaks"),
        ({"X-A": "1\x00"}, "the header 'X-A' has line breaks"),
        ({"X-A": " 1"}, "the header 'X-A' has line breaks"),
        ({"X-A": "€"}, "beyond Latin-1"),
        ({"X-A": 1.5}, "the float 1.5"),
        ({"X-A": ["1"]}, "a list, which no header can carry"),
        ({"X-A": b"1"}, "a bytes, which no header can carry"),
        ([("X-A", "1")], "headers is a list"),
        ("X-A: 1", "headers is a str"),
    ],
)
@by_both
def test_what_is_refused(run: Any, headers: Any, what: str) -> None:
    with SocketServer(DONE) as server, pytest.raises(NexusConfigurationError) as caught:
        run(server.base_url, "GET", "/orders", headers=headers)
    assert what in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize("value", [f"{IP}\r\n", f" {IP}", f"{IP} €", [IP]])
def test_what_is_refused_is_not_told(value: Any) -> None:
    with pytest.raises(NexusConfigurationError) as caught:
        Call("GET", "/orders", headers={"customer_ip_address": value})
    assert IP not in str(caught.value)


@in_both_clients
@pytest.mark.parametrize("status", [200, 400, 503])
def test_nobody_is_told_where_a_customer_is(client: Any, status: int, caplog: pytest.LogCaptureFixture) -> None:
    told = f'{{"errors":["Blocked{IP}"],"message":"{IP} is blocked","values":"{IP}"}}'.encode()
    settings: ClientSettings = read_settings(token=CANARY, host="http://127.0.0.1", extra={"retries": 1})
    with SocketServer(answer(told, status, X_Request_Id=IP)) as server, caplog.at_level(logging.DEBUG):
        settings = read_settings(token=CANARY, host=server.base_url, extra={"retries": 1})
        call = Call("GET", "/orders", headers={"Customer-IP-Address": IP})
        error = client(settings, call)
    assert isinstance(error, NexusApiError)
    assert server.asked[0].headers["customer-ip-address"] == IP
    assert "is blocked" in str(error)
    assert IP not in all_that_it_says(error)
    assert IP not in repr(call)
    assert IP not in caplog.text


@in_both_clients
@pytest.mark.parametrize("kind", ["application/pdf", "application/octet-stream; x=1", "image/png", "text/csv", "TEXT/PLAIN"])
def test_what_is_no_json_is_asked_for_once(client: Any, kind: str) -> None:
    with SocketServer(answer(b"%PDF-1.4", Content_Type=kind)) as server:
        error = client(read_settings(token=CANARY, host=server.base_url), Call("GET", "/integrations/documentstore/file"))
    assert len(server.asked) == 1
    assert isinstance(error, NexusApiError)
    media = kind.partition(";")[0].lower()
    assert f"HTTP 200, the body is {media}, not JSON; NexusHook.download and NexusDownloadOperator fetch files" in str(error)


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/html", "", "nonsense"])
def test_what_may_be_half_an_answer_is_asked_for_again(kind: str) -> None:
    replies = answer(b'{"errors":null,"val', Content_Type=kind), DONE
    with SocketServer(*replies) as server, session_for(server.base_url) as session:
        assert session.send(Call("GET", "/orders"), envelope.unwrap).value == {"a": 1}
    assert len(server.asked) == 2


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream"])
def test_json_under_another_name_is_read(kind: str) -> None:
    with (
        SocketServer(answer(b'{"errors":null,"values":[1]}', Content_Type=kind)) as server,
        session_for(server.base_url) as session,
    ):
        assert session.send(Call("GET", "/orders"), envelope.unwrap).value == [1]


@in_both_clients
def test_screening_needs_no_leave_and_is_tried_again(client: Any) -> None:
    with SocketServer(answer(b"", 503), DONE) as server:
        settings = read_settings(token=CANARY, host=server.base_url, extra={"retries": 2})
        call = Call("POST", "/sanction/search", json={"name": "A B"})
        found = client(settings, call)
        if isinstance(found, NexusApiError):  # in an event loop the next poll asks again
            found = client(settings, call)
    assert found == {"a": 1}
    assert [asked.body for asked in server.asked] == [b'{"name":"A B"}'] * 2


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "x-http-method", "X_Method_Override"])
def test_no_header_makes_the_call_another(name: str) -> None:
    with pytest.raises(NexusConfigurationError, match="it makes the call another"):
        Call("GET", "/mail/M1", headers={name: "DELETE"})


@pytest.mark.parametrize(
    ("given", "repeated"),
    [
        ("2001:DB8:0:0:0:0:0:ABCD", "2001:db8::abcd"),
        ("2001:DB8:0:0:0:0:0:ABCD", "2001:db8:0:0:0:0:0:abcd"),
        ("2001:db8::abcd", "2001:0DB8:0000:0000:0000:0000:0000:ABCD"),
        ("[2001:db8::abcd]:443", "2001:db8::abcd"),
        (f"{IP}:5060", IP),
        (f"10.0.0.1, {IP}", IP),
        (IP, "203-0-113-77"),
    ],
)
@pytest.mark.parametrize("status", [400, 403, 500])
def test_no_spelling_of_a_customers_address_is_told(given: str, repeated: str, status: int) -> None:
    body = f'{{"message":"blocked {repeated}","errors":["X {repeated}"],"values":null}}'.encode()
    with SocketServer(answer(body, status, X_Request_Id=f"r-{repeated}")) as server, pytest.raises(NexusApiError) as caught:
        run(server.base_url, "POST", "/orders", json={}, headers={"customer_ip_address": given})
    assert repeated.lower() not in all_that_it_says(caught.value).lower()
