"""A Nexus that has nothing, scripted from its documentation: what matters is what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.airflow.nexus import connection
from tests.client.socket_server import SocketServer, answer

EMPTY = {"page": 1, "total": 0, "totalPages": 0, "records": [], "filteringParameters": {}}


def enveloped(values: Any) -> bytes:
    """An answer with values."""
    body = json.dumps({"message": "Successfully processed your request", "errors": None, "values": values}).encode()
    return answer(body, Date=format_datetime(datetime.now(UTC), usegmt=True), Content_Type="application/json")


@contextmanager
def serving(values: Any = None) -> Iterator[SocketServer]:
    """A server that gives the same answer to every call, and the connection to it."""
    with SocketServer(enveloped(EMPTY if values is None else values)) as server:
        server.token = "T"  # type: ignore[attr-defined]
        with connection(server):  # type: ignore[arg-type]
            yield server


def asked(server: SocketServer, name: str) -> set[str]:
    """All values that a query name had."""
    return {value for each in server.asked for value in parse_qs(urlsplit(each.target).query).get(name, [])}


def paths(server: SocketServer) -> set[str]:
    """All paths that were asked for, percent-encoded as they came."""
    return {urlsplit(each.target).path for each in server.asked}
