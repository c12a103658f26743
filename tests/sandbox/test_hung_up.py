"""A client that hangs up within the body of its call: nobody hears of it, and nothing is carried out."""

from __future__ import annotations

import logging
import socket

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from tests.sandbox.conftest import Client

PATHS = ["/orders", "/customer", "/transfers", "/no/such/path", "/_sandbox/settings"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b'{"amount": '])
def test_it_leaves_no_trace(
    method: str, path: str, body: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), Sandbox(customers=2, transactions=2, days=1) as sandbox:
        before = sandbox.call_count
        with socket.create_connection(("127.0.0.1", int(sandbox.base_url.rpartition(":")[2]))) as connection:
            head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {sandbox.token}\r\nContent-Length: 99"
            connection.sendall(head.encode() + b"\r\n\r\n" + body)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(100):
                pass
        assert Client(sandbox).get("/labelpartner").status_code == 200
        assert sandbox.call_count == before + 1
    told = [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio", "airflow_provider_nexus"))]
    assert [record for record in told if record.levelno >= logging.WARNING] == []
    assert "Traceback" not in "".join(capfd.readouterr())
