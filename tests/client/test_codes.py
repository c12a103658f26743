"""Whether an answer is about the record that was asked for."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_nexus.client.aio import AsyncNexusClient
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConfigurationError, NexusResponseError
from airflow_provider_nexus.writes.customers import update_write
from airflow_provider_nexus.writes.ledger import MemoryLedger, known_to
from airflow_provider_nexus.writes.once import Once, Write
from airflow_provider_nexus.writes.transactions import cancel_write, payout_write
from tests.client.serving import session_for
from tests.client.socket_server import SocketServer, answer

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def values(record: Any) -> bytes:
    return answer(json.dumps({"errors": None, "message": None, "values": record}).encode())


def transaction(code: str, status: str = "ToPayout") -> dict[str, Any]:
    return {"transactionCode": code, "status": status, "created": "2026-01-01T00:00:00Z"}


READS = [
    ("transactions", "T1", transaction("T2")),
    ("customers", "C1", {"customerCode": "C10"}),
    ("orders", "ORD-1", {"orderCode": "ORD-2"}),
    ("mails", "m-1", {"code": "m-2"}),
    ("payment_methods", "SEPA", {"code": "SEPA2"}),
]


@pytest.mark.parametrize(("resource", "code", "record"), READS)
def test_another_record_than_the_one_asked_for(resource: str, code: str, record: dict[str, Any]) -> None:
    with SocketServer(values(record)) as server, session_for(server.base_url) as session:
        with pytest.raises(NexusResponseError, match=f"answered with another one of {resource}"):
            NexusClient(session).get_record(resource, code)

        async def read() -> None:
            client = AsyncNexusClient(dataclasses.replace(read_settings(token="t", host=server.base_url)))
            try:
                await client.get_record(resource, code)
            finally:
                await client.aclose()

        with pytest.raises(NexusResponseError, match=f"answered with another one of {resource}"):
            asyncio.run(read())


@pytest.mark.parametrize(
    ("resource", "code", "record"),
    [
        ("transactions", "t1", transaction(" T1 ")),
        ("customers", "C1", {"email": None}),
        ("accounts", "BTC-bc1qabc", {"accountCode": "ACC1"}),
    ],
)
def test_the_same_one_in_other_words(resource: str, code: str, record: dict[str, Any]) -> None:
    with SocketServer(values(record)) as server, session_for(server.base_url) as session:
        assert NexusClient(session).get_record(resource, code).keys() == record.keys()


WRITES: dict[str, Callable[[NexusClient], Write]] = {
    "payout": lambda client: payout_write(client, MemoryLedger(), "T1", None, "PAY-1"),
    "confirming": lambda client: payout_write(client, MemoryLedger(), "T1", None, "PAY-1", step="confirming"),
    "cancel": lambda client: cancel_write(client, "T1"),
    "update": lambda client: update_write(client, "C1", {"companyName": "Acme"}),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_change_that_is_answered_with_another_record_is_in_doubt(name: str) -> None:
    before = {"customerCode": "C1", "companyName": "Old"} if name == "update" else transaction("T1")
    other = {"customerCode": "C2", "companyName": "Acme"} if name == "update" else {"transaction": transaction("T2", "COMPLETED")}
    ledger = MemoryLedger()
    with SocketServer(values(before), values(other), values(before)) as server, session_for(server.base_url) as session:
        once = Once(NexusClient(session), ledger, pauses=(0.0,), sleep=lambda _: None)
        with pytest.raises(NexusAmbiguousWriteError, match="names no code, or another than the one that was asked for"):
            once.carry_out(WRITES[name](NexusClient(session)), SINCE)
    assert [asked.method for asked in server.asked] == ["GET", "POST" if name == "cancel" else "PUT", "GET"]
    assert known_to(ledger).sent


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *((name, code) for name in ("payout", "cancel", "update", "read") for code in ("", ".", "..", "T1\n", 10000001, None)),
        *(("any call", code) for code in ("", ".", "..", "T1\n")),
    ],
)
def test_a_code_that_is_none_is_refused_before_anything_is_sent(name: str, code: Any) -> None:
    calls: dict[str, Callable[[NexusClient], object]] = {
        "payout": lambda client: payout_write(client, MemoryLedger(), code),
        "cancel": lambda client: cancel_write(client, code),
        "update": lambda client: update_write(client, code, {}),
        "read": lambda client: client.get_record("orders", code),
        "any call": lambda client: client.run("PUT", f"/orders/{code}/cancel"),
    }
    with SocketServer() as server, session_for(server.base_url) as session:
        with pytest.raises(NexusConfigurationError):
            calls[name](NexusClient(session))
        assert server.connections == 0
