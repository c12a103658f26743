"""A key that comes twice hides a record behind the count: no reading is proved then, whatever the counts say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.proved_read import Keys, stream
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import RequestedWindow, Window
from tests.client.socket_server import Asked, SocketServer
from tests.extract.serving import lines_job
from tests.load.test_rejects import order, replied

START = datetime(2026, 6, 1, 10, tzinfo=UTC)
WINDOW = RequestedWindow(START, START + timedelta(hours=1), "arguments")
TWICE = (
    order(b"A", created=b'"2026-06-01T10:10:00Z"'),
    order(b"A", created=b'"2026-06-01T10:20:00Z"'),
    order(b"C", created=b'"2026-06-01T10:30:00Z"'),
)


def listed(asked: Asked) -> bytes:
    """What lies between the bounds that are asked for, as a server that filters and sorts gives it."""
    query = parse_qs(urlsplit(asked.target).query)
    low, high = (query.get(name, [""])[0].encode() for name in ("createdFrom", "createdTill"))
    return replied(asked, *(each for each in TWICE if low <= each.partition(b'"created":"')[2][:20] <= (high or b"9")))


@given(st.lists(st.text(max_size=3)))
def test_all_repetitions_are_counted(keys: list[str]) -> None:
    seen = Keys()
    for key in keys:
        seen.extend([key])
    assert seen.repeated == len(keys) - len(set(keys))


def client_of(server: SocketServer) -> NexusClient:
    return NexusClient(NexusSession(read_settings(token="T", host=server.base_url, extra={"retries": 0})))


def test_a_window_with_a_key_of_two_stamps_is_not_proved(tmp_path: Path) -> None:
    said = "1 record came under another record's key"
    with SocketServer(by=listed) as server, pytest.raises(NexusUnprovedError, match=said):
        lines_job(client_of(server), tmp_path, "orders", WINDOW).run()
    assert not list(tmp_path.rglob("_manifest.json"))


def test_the_hook_does_not_call_it_complete() -> None:
    with SocketServer(by=listed) as server:
        source, given_out = Source(client_of(server), get_resource("orders")), list[Any]()
        span = Window(START, START + timedelta(hours=1))

        def read() -> Any:
            given_out.extend(stream(source, span))

        with pytest.raises(NexusUnprovedError, match="under another record's key"):
            read()
    assert len(given_out) == 3
