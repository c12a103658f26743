"""Tokens, roles, generations, versions, the clock, and the control surface."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pendulum
import pytest
import requests

from airflow_provider_nexus.sandbox import Fault, Sandbox, SandboxSettings
from tests.sandbox.conftest import NOW, Client, Make

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic {token}", "{token}"])
def test_unknown_tokens(shared: Client, header: str | None) -> None:
    headers = {"Authorization": header.format(token=shared.sandbox.token)} if header else {}
    answer = requests.get(f"{shared.sandbox.base_url}/customer", headers=headers, timeout=60)
    assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize(("body", "media"), [("empty", None), ("envelope", "application/json"), ("html", "text/html")])
def test_denial_bodies(make: Make, body: str, media: str | None) -> None:
    client = make(denial_body=body, roles={"reader": ["read"]})
    client.session.headers["Authorization"] = "Bearer reader"
    assert client.get("/customer").status_code == 200
    for answer in (client.post("/customer"), client.get("/accounts/activate/x")):
        assert answer.status_code == 403
        assert answer.headers.get("content-type", "").partition(";")[0] == (media or "")
        assert bool(answer.content) is (body != "empty")


def test_token_expires(make: Make) -> None:
    client = make(token_expires=NOW + timedelta(minutes=1))
    assert client.get("/customer").status_code == 200
    client.sandbox.advance(60)
    assert client.get("/customer").status_code == 401


def test_generations(make: Make) -> None:
    classic, casp = make(casp=False), make(classic=False)
    assert (classic.get("/transaction").status_code, casp.get("/transaction").status_code) == (200, 404)
    assert (classic.get("/transactions/custodian").status_code, casp.get("/transactions/custodian").status_code) == (404, 200)
    assert (classic.get("/customer").status_code, casp.get("/customer").status_code) == (200, 200)


def test_api_version(make: Make) -> None:
    client = make(api_version_required=True)
    assert client.get("/customer").status_code == 400
    assert client.call("GET", "/customer", headers={"api_version": "1.2"}).status_code == 200


def test_unknown_path(shared: Client) -> None:
    assert shared.get("/nothing/here").status_code == 404
    assert shared.call("PATCH", "/customer").status_code in (404, 405)


def test_date_is_the_virtual_time(make: Make) -> None:
    client = make()
    client.sandbox.advance(90.5)
    answer = client.get("/customer", limit=1)
    assert parsedate_to_datetime(answer.headers["Date"]) == NOW + timedelta(seconds=90)
    assert answer.headers["Date"] == "Sun, 01 Mar 2026 12:01:30 GMT"


def test_clock() -> None:
    with Sandbox(customers=2, transactions=0) as sandbox:
        assert abs(sandbox.now - datetime.now(UTC)) < timedelta(seconds=3)
    fast = Sandbox(customers=2, transactions=0, now=NOW, clock_speed=100_000)
    assert fast.now > NOW
    fast.configure(clock_speed=0)
    stopped = fast.now
    assert stopped == fast.now
    fast.advance(5)
    assert fast.now == stopped + timedelta(seconds=5)
    fast.reset()
    assert fast.now == NOW


def test_seconds_per_call(make: Make) -> None:
    client = make(seconds_per_call=2.5)
    for _ in range(2):
        client.get("/customer", limit=1)
    assert client.sandbox.now == NOW + timedelta(seconds=5)
    assert [call.at for call in client.sandbox.calls] == [NOW, NOW + timedelta(seconds=2.5)]


def test_calls_are_recorded(make: Make) -> None:
    client = make()
    client.get("/Customer", LIMIT="2")
    client.get("/customer/no-such")
    first, second = client.sandbox.calls
    assert (first.method, first.path, first.query, first.status) == ("GET", "/Customer", {"limit": "2"}, 200)
    assert (second.status, second.connection) == (404, first.connection)
    assert (client.sandbox.call_count, client.sandbox.connection_count) == (2, 1)
    requests.get(client.sandbox.base_url, timeout=60)
    assert (client.sandbox.call_count, client.sandbox.connection_count) == (3, 2)
    client.sandbox.reset()
    assert (client.sandbox.call_count, client.sandbox.calls) == (0, [])


def test_connection_uri(shared: Client) -> None:
    parts = urlsplit(shared.sandbox.connection_uri)
    assert (parts.scheme, parts.username, parse_qs(parts.query)) == ("nexus", "", {"__extra__": ['{"allow_writes": true}']})
    assert unquote(parts.password or "") == shared.sandbox.token
    assert unquote(parts.netloc.rpartition("@")[2]) == shared.sandbox.base_url
    assert shared.sandbox.base_url.startswith("http://127.0.0.1:")


def test_control_surface(make: Make) -> None:
    client = make()
    client.get("/customer")
    client.get("/customer/no-such")
    plain = requests.Session()
    base = f"{client.sandbox.base_url}/_sandbox"
    stats = plain.get(f"{base}/stats", timeout=60).json()
    assert stats["calls"] == 2
    assert stats["by_status"] == {"200": 1, "404": 1}
    assert stats["by_route"] == {"GET /customer": 1, "GET /customer/{code}": 1}
    assert plain.post(f"{base}/clock", json={"advance": 60}, timeout=60).json() == {"now": "2026-03-01T12:01:00+00:00"}
    changes = {"max_limit": 3, "faults": [{"kind": "status", "status": 503}]}
    assert plain.post(f"{base}/settings", json=changes, timeout=60).status_code == 200
    assert client.sandbox.settings.faults == (Fault("status", status=503),)
    assert client.get("/customer").status_code == 503
    assert len(client.page("/customer").records) == 3
    refused = plain.post(f"{base}/settings", json={"max_limits": 3}, timeout=60)
    assert (refused.status_code, "max_limit" in refused.json()["error"]) == (400, True)
    assert plain.post(f"{base}/reset", headers=JSON, timeout=60).status_code == 200
    assert client.sandbox.call_count == 0


PAGES: dict[str, tuple[dict[str, str], int]] = {
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "a form with files": ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    "a form of text": ({"Content-Type": "text/plain"}, 415),
    "text that says it is JSON": ({"Content-Type": "text/plain; application/json"}, 415),
    "no body": ({}, 415),
    "another site": ({**JSON, "Origin": "https://evil.example"}, 403),
    "another port of this machine": ({**JSON, "Origin": "http://127.0.0.1:1"}, 403),
    "another scheme": ({**JSON, "Origin": "https://HERE"}, 403),
    "a page without an origin": ({**JSON, "Origin": "null"}, 403),
    "a name that leads here": ({**JSON, "Host": "evil.example"}, 421),
    "the same with an origin": ({**JSON, "Host": "evil.example", "Origin": "http://evil.example"}, 421),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("path", ["clock", "settings", "reset"])
def test_no_page_of_a_browser_controls_it(make: Make, path: str, page: str) -> None:
    client = make()
    client.get("/customer")
    client.sandbox.advance(5)
    before = client.sandbox.now, client.sandbox.settings, client.sandbox.call_count
    headers, status = PAGES[page]
    headers = {name: value.replace("HERE", urlsplit(client.sandbox.base_url).netloc) for name, value in headers.items()}
    body = b'{"advance": 60}' if path == "clock" else b'{"max_limit": 3}' if path == "settings" else b""
    answer = requests.post(f"{client.sandbox.base_url}/_sandbox/{path}", data=body, headers=headers, timeout=60)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert (client.sandbox.now, client.sandbox.settings, client.sandbox.call_count) == before


@pytest.mark.parametrize(
    "body",
    [
        *('{"seconds": 60}', '{"advance": 60, "by": 1}', '{"advance": "soon"}', '{"advance": "5"}', '{"advance": true}'),
        *('{"advance": null}', "[60]", '{"advance": 1e18}', '{"advance": -1e18}', '{"advance": 1e999}'),
    ],
)
def test_what_does_not_move_the_clock_is_refused(make: Make, body: str) -> None:
    client = make()
    before = client.sandbox.now
    answer = requests.post(f"{client.sandbox.base_url}/_sandbox/clock", data=body, headers=JSON, timeout=60)
    assert (answer.status_code, client.sandbox.now) == (400, before)
    moved = requests.post(f"{client.sandbox.base_url}/_sandbox/clock", data='{"advance": 60}', headers=JSON, timeout=60)
    assert moved.json() == {"now": client.sandbox.now.isoformat()}
    assert (client.sandbox.now - before).total_seconds() == 60


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:PORT", "localhost", "LOCALHOST:PORT", "localhost.:PORT", "127.5.6.7", "[::1]:PORT"]
)
@pytest.mark.parametrize("path", ["/_sandbox/stats", "/customer"])
def test_it_answers_to_this_machine(shared: Client, path: str, host: str) -> None:
    headers = {"Host": host.replace("PORT", str(urlsplit(shared.sandbox.base_url).port))}
    assert shared.call("GET", path, headers=headers).status_code == 200
    origin = {**headers, "Origin": f"http://{headers['Host']}"}
    assert shared.call("GET", path, headers=origin).status_code == 200


NAMES = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "x@127.0.0.1", "127.1", "[", ""]
ADDRESSES = ["10.0.0.1", "0.0.0.0", "[::]"]


@pytest.mark.parametrize("host", [*NAMES, *ADDRESSES])
@pytest.mark.parametrize("path", ["/_sandbox/stats", "/customer", "/nothing"])
def test_it_answers_to_no_other_name(shared: Client, path: str, host: str) -> None:
    before = shared.sandbox.call_count
    assert shared.call("GET", path, headers={"Host": host}).status_code == 421
    assert shared.sandbox.call_count == before


def test_one_host_is_needed(shared: Client) -> None:
    for hosts in ([], ["127.0.0.1", "evil.example"]):
        with socket.create_connection(("127.0.0.1", urlsplit(shared.sandbox.base_url).port or 0), timeout=60) as connection:
            head = "".join(f"Host: {host}\r\n" for host in hosts)
            connection.sendall(f"GET /_sandbox/stats HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            assert connection.recv(100).split()[1] in (b"400", b"421")


def test_port_can_be_given(make: Make) -> None:
    client = make()
    port = int(client.sandbox.base_url.rpartition(":")[2])
    with (
        pytest.raises(OSError, match=f"port {port} can't be had .*in use.*: give another one"),
        Sandbox(port=port, customers=1, transactions=0),
    ):
        pass


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_limits": 1}, "did you mean 'max_limit'"),
        ({"sort": "never"}, "'honoured', 'ignored'"),
        ({"ignored_filters": ["statuses"]}, "no list has a filter 'statuses'"),
        ({"max_limit": "abc"}, "max_limit is 'abc': give a whole number or nothing"),
        ({"days": 1.5}, "days is 1.5: give a whole number"),
        ({"classic": "yes"}, "classic is 'yes': give true or false"),
        ({"clock_speed": True}, "clock_speed is True: give a number"),
        ({"token_expires": "tomorrow"}, "token_expires is 'tomorrow': give a moment or nothing"),
        ({"port": 65_536}, "port is 65536: give one up to 65535, or 0 for a free one"),
        ({"port": -1}, "port is -1: give one up to 65535, or 0 for a free one"),
        ({"late_share": 2}, "share from 0 to 1"),
        ({"now": datetime(2026, 1, 1)}, "time zone"),
        ({"customers": 0}, "need customers"),
        ({"days": 0}, "at least 1"),
        ({"roles": {"x": ["admin"]}}, "known are read and write"),
        ({"tie_seconds": -1}, "negative"),
    ],
)
def test_bad_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        Sandbox(**settings)


def test_moments_of_pendulum_are_taken() -> None:
    with Sandbox(now=pendulum.datetime(2026, 3, 1, 0, 30), clock_speed=0, customers=1, transactions=2, days=1) as running:
        assert running.now == datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


def test_settings_are_frozen_and_configurable(client: Client) -> None:
    assert isinstance(client.sandbox.settings, SandboxSettings)
    with pytest.raises(AttributeError):
        client.sandbox.settings.seed = 3  # type: ignore[misc]
    client.sandbox.configure(default_limit=2)
    assert (client.sandbox.settings.default_limit, len(client.page("/customer").records)) == (2, 2)
    with pytest.raises(ValueError, match="did you mean 'default_limit'"):
        client.sandbox.configure(defaultlimit=2)


def test_unknown_fault() -> None:
    with pytest.raises(ValueError, match="known are status"):
        Fault("explode")  # type: ignore[arg-type]


def test_import_is_light() -> None:
    code = "import sys, airflow_provider_nexus.sandbox as s; s.Sandbox(customers=1, transactions=0); "
    code += "print([m for m in ('starlette', 'uvicorn', 'airflow', 'requests') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
