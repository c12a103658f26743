"""Every fault, seen from a client and from a bare socket."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from airflow_provider_nexus.sandbox import Fault
from tests.sandbox.conftest import Client, Make


def raw(client: Client, path: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Everything that comes back over a connection until it ends."""
    host, port = client.sandbox.base_url.removeprefix("http://").split(":")
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {client.sandbox.token}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as link:
        link.sendall(head.encode() + body)
        received = b""
        try:
            while chunk := link.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
        return received


def test_status(make: Make) -> None:
    client = make(
        faults=(
            Fault("status", path="/customer", status=429, retry_after="3"),
            Fault("status", path="/mail", status=503, retry_after="date"),
        )
    )
    limited = client.get("/customer")
    assert (limited.status_code, limited.headers["Retry-After"], limited.content) == (429, "3", b"")
    assert client.get("/customer").status_code == 200
    unavailable = client.get("/mail")
    assert (unavailable.status_code, unavailable.headers["Retry-After"]) == (503, "Sun, 01 Mar 2026 12:00:03 GMT")


def test_which_calls_are_hit(make: Make) -> None:
    client = make(faults=(Fault("status", path="/CUSTOMER", method="get", first=2, times=2),))
    assert [client.get("/customer").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
    client.sandbox.configure(faults=(Fault("status", times=-1),))
    assert [client.get("/mail").status_code for _ in range(3)] == [500, 500, 500]
    client.sandbox.configure(faults=())
    assert client.get("/mail").status_code == 200


def test_drop(make: Make) -> None:
    client = make(faults=(Fault("drop", times=2),))
    assert raw(client, "/customer") == b""
    with pytest.raises(requests.ConnectionError):
        client.get("/customer")
    assert client.get("/customer").status_code == 200
    assert [call.status for call in client.sandbox.calls] == [0, 0, 200]


def test_drop_leaves_a_write_undone(make: Make) -> None:
    client = make(faults=(Fault("drop", method="POST"),))
    with pytest.raises(requests.ConnectionError):
        client.post("/customer", customerCode="lost", trustLevel="New")
    assert client.get("/customer/lost").status_code == 404


def test_drop_after_carries_a_write_out(make: Make) -> None:
    client = make(faults=(Fault("drop_after", method="POST"),))
    body = b'{"customerCode":"kept","trustLevel":"New"}'
    assert raw(client, "/customer", "POST", body) == b""
    assert client.get("/customer/kept").status_code == 200


def test_truncate(make: Make) -> None:
    client = make(faults=(Fault("truncate", times=2),))
    received = raw(client, "/customer?limit=50")
    head, _, body = received.partition(b"\r\n\r\n")
    promised = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == promised // 2
    with pytest.raises(requests.RequestException):
        client.get("/customer", limit=50)
    assert client.get("/customer").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "header"),
    [
        ("garbage", 200, {"content-type": "text/html; charset=utf-8"}),
        ("redirect", 302, {"location": "https://login.example.org/customer"}),
        ("empty", 200, {"content-length": "0"}),
    ],
)
def test_wrong_answers(make: Make, kind: Any, status: int, header: dict[str, str]) -> None:
    client = make(faults=(Fault(kind),))
    answer = client.get("/customer")
    assert answer.status_code == status
    assert header.items() <= {name.lower(): value for name, value in answer.headers.items()}.items()
    assert (b"<html>" in answer.content) is (kind == "garbage")


def test_slow(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    client = make(faults=(Fault("slow", seconds=0.3),))
    with monkeypatch.context() as patched:
        patched.setattr("airflow_provider_nexus.sandbox.app.asyncio", SimpleNamespace(sleep=sleep))
        assert [client.get("/customer").status_code for _ in range(2)] == [200, 200]
    assert waits == [0.3]
    client.sandbox.configure(faults=(Fault("slow", seconds=600),))
    with pytest.raises(requests.Timeout):
        client.session.get(f"{client.sandbox.base_url}/customer", timeout=0.2)


def test_no_noise(make: Make, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    client = make(faults=(Fault("drop"), Fault("truncate", first=2)))
    for _ in range(2):
        with pytest.raises(requests.RequestException):
            client.get("/customer")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
