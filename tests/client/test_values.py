"""What can stand in a query and a body, by both clients, as a server sees it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pendulum
import pytest

from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError
from tests.client.socket_server import Asked, SocketServer


class Status(StrEnum):
    NEW = "New"


class Kind(Enum):
    BUY = "BUY"


def asked(client: str, **call: Any) -> Asked:
    """One call of a client as its server saw it."""
    with SocketServer() as server:
        settings = dataclasses.replace(read_settings(token="T", host=server.base_url, extra={"retries": 0}), allow_writes=True)
        method, path = "POST" if "json" in call else "GET", call.pop("path", "/anything")
        if client == "blocking":
            NexusClient(NexusSession(settings)).run(method, path, **call)
        else:

            async def run() -> None:
                calls = AsyncNexusClient(settings)
                await calls.run(method, path, **call)
                await calls.aclose()

            asyncio.run(run())
        return server.asked[0]


MOMENTS = [
    (datetime(2026, 1, 31, 1, 2, 3, 999999, tzinfo=UTC), "2026-01-31T01:02:03Z"),
    (datetime(2026, 1, 31, 1, 2, 3), "2026-01-31T01:02:03Z"),
    (pendulum.datetime(2026, 1, 31, 1, 2, 3, tz="Asia/Kolkata"), "2026-01-30T19:32:03Z"),
    (date(2026, 1, 31), "2026-01-31"),
    (pendulum.date(2026, 1, 31), "2026-01-31"),
]


@pytest.mark.parametrize("client", ["blocking", "event loop"])
@pytest.mark.parametrize(
    ("value", "sent"),
    [
        *MOMENTS,
        ("a b&c=ü", "a b&c=ü"),
        (10, "10"),
        (True, "true"),
        (False, "false"),
        (Decimal("1E-8"), "0.00000001"),
        (Status.NEW, "New"),
        (Kind.BUY, "BUY"),
        ("", ""),
    ],
)
def test_a_query(client: str, value: Any, sent: str) -> None:
    query = urlsplit(asked(client, params={"x": value, "left_out": None}).target).query
    assert parse_qsl(query, keep_blank_values=True) == [("x", sent)]


@pytest.mark.parametrize("client", ["blocking", "event loop"])
def test_the_values_of_a_list_go_one_by_one(client: str) -> None:
    query = urlsplit(asked(client, params={"x": ["a", 1, MOMENTS[0][0]]}).target).query
    assert parse_qsl(query) == [("x", "a"), ("x", "1"), ("x", MOMENTS[0][1])]


@pytest.mark.parametrize("client", ["blocking", "event loop"])
@pytest.mark.parametrize(("value", "sent"), MOMENTS)
def test_moments_in_a_body(client: str, value: Any, sent: str) -> None:
    body = asked(client, json={"at": value, "list": [{"at": value}], "amount": Decimal("1.10")}).body
    assert json.loads(body, parse_float=str) == {"at": sent, "list": [{"at": sent}], "amount": "1.10"}


@pytest.mark.parametrize("client", ["blocking", "event loop"])
@pytest.mark.parametrize(
    "call",
    [
        {"params": {"x": 1.5}},
        {"params": {"x": {"y": 1}}},
        {"params": {"x": b"1"}},
        {"params": {"x": [None]}},
        {"params": {"x": Decimal("NaN")}},
        {"params": "x=1"},
        {"params": [("x", "1")]},
        {"json": {"x": 1.5}},
        {"json": {"x": Decimal("Infinity")}},
        {"json": {"customerCode": 10000001}},
        {"json": {"x": object()}},
        {"json": '{"a": 1}'},
        {"json": ""},
        {"json": "None"},
        {"json": b'{"a": 1}'},
        {"json": bytearray(b"{}")},
        {"json": memoryview(b"{}")},
        {"json": 1},
        {"json": True},
        {"json": Decimal(1)},
        {"json": date(2026, 1, 31)},
        {"json": Status.NEW},
        {"json": {"x": b"1"}},
        {"json": {"x": [bytearray(b"1")]}},
        {"json": {"amount": "1", "Amount": "2"}},
        {"json": {"1": "a", 1: "b"}},
        {"json": {"order": {"amount": "1", "AMOUNT": "2"}}},
        {"json": [{"amount": "1", "AMOUNT": "2"}]},
        {"json": {"data": [{"amount": "1", "AMOUNT": "2"}]}},
        {"params": {"status": "A", "Status": "B"}},
        {"params": {"1": "A", 1: "B"}},
        {"params": {"status": ["A"], "STATUS": []}},
    ],
)
def test_what_can_not_be_sent_is_refused_before(client: str, call: dict[str, Any]) -> None:
    with pytest.raises(NexusConfigurationError, match=r"nothing was sent|give it as text|can't be written"):
        asked(client, **call)


@pytest.mark.parametrize("client", ["blocking", "event loop"])
@pytest.mark.parametrize(
    ("call", "both"),
    [
        ({"params": {"status": "A", "x": 1, "Status": "B"}}, "the query has both 'status' and 'Status'"),
        ({"json": {"order": {"amount": "1", "AMOUNT": "2"}}}, r"json\.order has both 'amount' and 'AMOUNT'"),
        ({"path": "/anything?status=A", "params": {"Status": "B"}}, "the query has both 'status' and 'Status'"),
        ({"path": "/anything?status=A", "params": {"status": "B"}}, "the query has both 'status' and 'status'"),
        ({"path": "/anything?status=&x=1", "params": {"status": "B"}}, "the query has both 'status' and 'status'"),
        ({"path": "/anything?status=A&Status=B"}, "the query has both 'status' and 'Status'"),
    ],
)
def test_of_two_names_that_are_one_both_are_named(client: str, call: dict[str, Any], both: str) -> None:
    with pytest.raises(NexusConfigurationError, match=both):
        asked(client, **call)


@pytest.mark.parametrize("client", ["blocking", "event loop"])
def test_what_is_left_out_is_no_twin(client: str) -> None:
    assert urlsplit(asked(client, params={"status": "A", "Status": None}).target).query == "status=A"


@pytest.mark.parametrize("client", ["blocking", "event loop"])
def test_names_of_the_users_own_are_told_apart_by_case(client: str) -> None:
    body = {"customer": {"data": {"Ref": "1", "ref": "2"}}}
    assert json.loads(asked(client, json=body).body) == body


@pytest.mark.parametrize("client", ["blocking", "event loop"])
def test_a_query_in_the_path_goes_with_the_other(client: str) -> None:
    target = asked(client, path="/anything?a=%2B%26&a=2", params={"b": "x y", "c": [1, 2]}).target
    assert parse_qsl(urlsplit(target).query) == [("a", "+&"), ("a", "2"), ("b", "x y"), ("c", "1"), ("c", "2")]
