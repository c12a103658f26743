"""Calls over real sockets: what is sent, what is kept, what is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.retry import RetryPolicy
from airflow_provider_nexus.exceptions import (
    NexusAmbiguousWriteError,
    NexusApiError,
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusConflictError,
    NexusNotFoundError,
    NexusPermissionError,
    NexusRateLimitError,
    NexusResponseError,
    NexusServerError,
    NexusValidationError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.sandbox import Fault, Sandbox
from tests.client.serving import CANARY, GET, IBAN, POST, STATE, session_for
from tests.client.socket_server import SocketServer, answer

PATIENT = RetryPolicy(retries=3, base=0.01, cap=0.03, deadline=2)
DONE = answer(b'{"message":null,"errors":null,"values":{"a":1}}')
REFUSED = b'{"message":"not like this","errors":["CustomerCodeRequired","ERRORMESSAGE007"],"values":null}'


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(customers=5, transactions=20, days=2, clock_speed=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.configure(faults=())
    running.reset()
    return running


def test_one_connection_for_many_calls(sandbox: Sandbox) -> None:
    with session_for(sandbox.base_url, token=sandbox.token) as session:
        for _ in range(20):
            session.send(Call("GET", "/currencies"), envelope.unwrap)
    assert (sandbox.call_count, sandbox.connection_count, session.calls) == (20, 1, 20)


class TestWhatIsSent:
    def test_headers_of_a_read(self) -> None:
        with SocketServer(DONE) as server, session_for(server.base_url) as session:
            session.send(Call("GET", "/labelpartner/balance"), envelope.unwrap)
        headers = server.asked[0].headers
        assert headers["authorization"] == f"Bearer {CANARY}"
        assert headers["api_version"] == "1.1"
        assert headers["request_iso8601"] == "true"
        assert headers["user-agent"] == f"airflow-provider-nexus/{__version__}"
        assert headers["accept"] == "application/json"
        assert "content-type" not in headers
        assert server.asked[0].body == b""

    def test_body_and_query(self) -> None:
        call = Call("POST", "/mail?type=A", {"code": "a b&c", "none": None}, {"n": 1})
        with SocketServer(DONE) as server, session_for(server.base_url) as session:
            session.send(call, envelope.unwrap)
        asked = server.asked[0]
        assert (asked.method, asked.target, asked.body) == ("POST", "/mail?type=A&code=a+b%26c", b'{"n":1}')
        assert (asked.headers["content-type"], asked.headers["api_version"]) == ("application/json", "1.2")

    def test_netrc_does_not_replace_the_token(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in (".netrc", "_netrc"):
            (tmp_path / name).write_text("machine 127.0.0.1 login somebody password else\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        with SocketServer(DONE) as server, session_for(server.base_url) as session:
            session.send(GET, envelope.unwrap)
        assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"

    def test_each_reading_is_sent_as_if_it_were_the_first(self) -> None:
        """Nothing of the one before stays, though what they have in common is worked out once."""
        odd = {"a": "x y&z=+%2F~[é]", "b": ["1", "2"], "c": ""}
        calls = [
            *(Call("GET", "/customer", params) for params in ({"page": 1}, {"page": 2}, odd, None, {"page": 2})),
            *(Call("GET", "/customer", {"page": 3}, headers={"X-A": value}) for value in ("1", "2")),
            *(Call("GET", path, {"page": 4}) for path in ("/customer", "/customer?b=2", "/mail", "/customer/a%2Fb", "/customer")),
            Call("GET", "/customer", {"page": 5}, api_version="1.1"),
            Call("POST", "/buy/custodian/simulate", {"page": 6}, {"a": 1}),
            Call("GET", "/customer", {"page": 7}),
        ]
        with SocketServer(DONE) as server:
            with session_for(server.base_url) as session:
                for call in calls:
                    session.send(call, envelope.unwrap)
            for call in calls:
                with session_for(server.base_url) as session:
                    session.send(call, envelope.unwrap)
        together, alone = server.asked[: len(calls)], server.asked[len(calls) :]
        assert together == alone
        assert len({(asked.method, asked.target, *asked.headers.items()) for asked in together}) == len(calls) - 2
        assert "a=x+y%26z%3D%2B%252F~%5B%C3%A9%5D&b=1&b=2&c=" in together[2].target

    def test_a_cookie_comes_back(self) -> None:
        """As load balancers want it, to find the server that has answered before."""
        baked = answer(b"{}", Set_Cookie="lb=7; Path=/")
        with SocketServer(DONE, baked, DONE) as server, session_for(server.base_url) as session:
            for _ in range(3):
                session.send(Call("GET", "/customer"), envelope.unwrap)
        assert [asked.headers.get("cookie") for asked in server.asked] == [None, None, "lb=7"]

    def test_absolute_endpoint_of_the_same_host(self) -> None:
        with SocketServer(DONE) as server, session_for(server.base_url) as session:
            assert session.send(Call("GET", f"{server.base_url}/customer?page=2"), envelope.unwrap).value == {"a": 1}
        assert server.asked[0].target == "/customer?page=2"

    def test_absolute_endpoint_of_another_host(self) -> None:
        with SocketServer(DONE) as server, SocketServer(DONE) as other, session_for(server.base_url) as session:
            for endpoint in (other.base_url, f"//127.0.0.1:{other.port}", f"{server.base_url}@127.0.0.1:{other.port}"):
                with pytest.raises(NexusConfigurationError):
                    session.send(Call("GET", f"{endpoint}/customer"), envelope.unwrap)
        assert (server.connections, other.connections) == (0, 0)

    @pytest.mark.parametrize(
        "call",
        [
            POST,
            Call("PUT", "/mail/M1/sent"),
            Call("DELETE", "/accounts/A1"),
            Call("GET", "/accounts/activate/A1"),
            Call("GET", "accounts/activate/A1"),
        ],
    )
    def test_writes_are_refused_unless_allowed(self, call: Call) -> None:
        with SocketServer(DONE) as server, session_for(server.base_url, writes=False) as session:
            with pytest.raises(NexusWriteRefusedError, match="Allow writes"):
                session.send(call, envelope.unwrap)
            session.send(Call("POST", "/buy/custodian/simulate", json={}), envelope.unwrap)
        assert [asked.target for asked in server.asked] == ["/buy/custodian/simulate"]


class TestAnswers:
    def test_value_and_time(self) -> None:
        stamp = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        body = b'{"errors":null,"values":[1.50]}'
        with (
            SocketServer(answer(body, Date=format_datetime(stamp, usegmt=True))) as server,
            session_for(server.base_url) as session,
        ):
            assert session.server_now is None
            found = session.send(GET, envelope.decode)
            assert found.server_time == stamp
            assert str(found.value["values"][0]) == "1.50"
            assert session.server_now is not None
            assert stamp <= session.server_now < stamp + timedelta(seconds=2)

    @pytest.mark.parametrize("date", ["", "yesterday", "Fri, 99 Jan 2026 03:04:05 GMT"])
    def test_odd_date(self, date: str) -> None:
        with SocketServer(answer(b"{}", Date=date)) as server, session_for(server.base_url) as session:
            assert session.send(GET, envelope.unwrap).server_time is None

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_every_2xx_is_success(self, status: int) -> None:
        with SocketServer(answer(b"", status)) as server, session_for(server.base_url) as session:
            assert session.send(POST, envelope.unwrap).value is None

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, NexusValidationError),
            (401, NexusAuthenticationError),
            (403, NexusPermissionError),
            (404, NexusNotFoundError),
            (409, NexusConflictError),
            (418, NexusValidationError),
            (422, NexusValidationError),
            (200, NexusValidationError),
        ],
    )
    @pytest.mark.parametrize("call", [GET, POST, STATE])
    def test_refusals_are_final_and_say_why(self, status: int, kind: type[NexusApiError], call: Call) -> None:
        with (
            SocketServer(answer(REFUSED, status, X_Request_Id="req-7")) as server,
            session_for(server.base_url) as session,
            pytest.raises(NexusApiError) as caught,
        ):
            session.send(call, envelope.unwrap)
        error = caught.value
        kind = NexusAmbiguousWriteError if call is POST and status in (200, 409, 418) else kind
        assert type(error) is kind
        assert (error.method, error.path, error.status) == (call.method, call.label, status)
        assert error.codes == ("CustomerCodeRequired", "ERRORMESSAGE007")
        assert (error.detail, error.request_id) == ("not like this", "req-7")
        for fact in (call.method, call.label, str(status), "CustomerCodeRequired", "not like this", "req-7", kind.advice):
            assert fact in str(error)
        assert len(server.asked) == 1

    @pytest.mark.parametrize("body", [b"", b"<html>login</html>", b'{"errors":null,"message":null}', b"[]"])
    @pytest.mark.parametrize(("status", "kind"), [(401, NexusAuthenticationError), (404, NexusNotFoundError)])
    def test_refusals_without_an_envelope(self, body: bytes, status: int, kind: type[NexusApiError]) -> None:
        with (
            SocketServer(answer(body, status)) as server,
            session_for(server.base_url) as session,
            pytest.raises(kind) as caught,
        ):
            session.send(GET, envelope.unwrap)
        assert caught.value.codes == ()

    def test_wrong_token(self, sandbox: Sandbox) -> None:
        with session_for(sandbox.base_url) as session, pytest.raises(NexusAuthenticationError, match="make a new API key"):
            session.send(Call("GET", "/currencies"), envelope.unwrap)
        assert sandbox.call_count == 1

    def test_redirect_to_another_host_is_an_error_and_not_followed(self) -> None:
        with SocketServer() as other:
            moved = answer(b"", 302, Location=f"http://localhost:{other.port}/login")
            with (
                SocketServer(moved) as server,
                session_for(server.base_url) as session,
                pytest.raises(NexusResponseError, match="HTTP 302"),
            ):
                session.send(GET, envelope.unwrap)
            assert len(server.asked) == 1
            assert (other.connections, other.asked) == (0, [])

    def test_redirect_fault(self, sandbox: Sandbox) -> None:
        sandbox.configure(faults=[Fault("redirect")])
        with session_for(sandbox.base_url, token=sandbox.token) as session, pytest.raises(NexusResponseError):
            session.send(Call("GET", "/currencies"), envelope.unwrap)
        assert sandbox.call_count == 1


class TestReadsAreTriedAgain:
    @pytest.mark.parametrize(
        "fault",
        [
            *(Fault("status", status=status, times=3) for status in (429, 500, 502, 503, 504)),
            Fault("drop", times=3),
            Fault("drop_after", times=3),
            Fault("truncate", times=3),
            Fault("garbage", times=3),
            Fault("empty", times=3),
            Fault("slow", seconds=4, times=2),
        ],
        ids=lambda fault: f"{fault.kind} {fault.status}",
    )
    def test_until_it_passes(self, sandbox: Sandbox, fault: Fault) -> None:
        sandbox.configure(faults=[fault])
        with session_for(sandbox.base_url, token=sandbox.token, timeout=3 if fault.kind == "slow" else 60) as session:
            found = session.send(Call("GET", "/portfolios"), lambda body: envelope.records(get_resource("portfolios"), body))
        assert found.value.raw == sandbox.truth("portfolios")
        assert sandbox.call_count == session.calls == fault.times + 1

    @pytest.mark.parametrize(("status", "kind"), [(429, NexusRateLimitError), (503, NexusServerError)])
    def test_but_not_for_ever(self, sandbox: Sandbox, status: int, kind: type[NexusApiError]) -> None:
        sandbox.configure(faults=[Fault("status", status=status, times=-1)])
        with session_for(sandbox.base_url, token=sandbox.token) as session, pytest.raises(kind):
            session.send(Call("GET", "/currencies"), envelope.unwrap)
        assert sandbox.call_count == 4

    @pytest.mark.parametrize("retry_after", ["1", "date"])
    @pytest.mark.parametrize("status", [429, 503])
    def test_after_the_time_that_the_server_asks_for(
        self, sandbox: Sandbox, status: int, retry_after: str, naps: list[float]
    ) -> None:
        sandbox.configure(faults=[Fault("status", status=status, retry_after=retry_after)])
        with session_for(sandbox.base_url, token=sandbox.token, policy=PATIENT) as session:
            if retry_after == "date":  # three seconds ahead, which is more than the deadline
                with pytest.raises(NexusApiError) as caught:
                    session.send(Call("GET", "/currencies"), envelope.unwrap)
                assert (caught.value.retry_after, sandbox.call_count) == (3.0, 1)
                return
            session.send(Call("GET", "/currencies"), envelope.unwrap)
        assert (naps, sandbox.call_count) == ([1.0], 2)


class TestLog:
    def test_debug_and_retry_lines_hold_no_codes(self, caplog: pytest.LogCaptureFixture) -> None:
        with (
            caplog.at_level(logging.DEBUG),
            SocketServer(answer(b"", 503), DONE) as server,
            session_for(server.base_url) as session,
        ):
            session.send(GET, envelope.unwrap)
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_nexus")]
        assert [line.partition(":")[0] for line in ours] == ["GET /customer/{code}"] * 3
        assert [record.levelname for record in caplog.records if record.name.startswith("airflow")] == [
            "DEBUG",
            "WARNING",
            "DEBUG",
        ]
        assert not any(IBAN in line or "example.nl" in line or "email" in line for line in ours)

    def test_token_is_in_no_line_of_anybody(self, caplog: pytest.LogCaptureFixture) -> None:
        with (
            caplog.at_level(logging.DEBUG),
            SocketServer(answer(b"", 503), DONE) as server,
            session_for(server.base_url) as session,
        ):
            session.send(GET, envelope.unwrap)
        assert any(record.name.startswith("urllib3") for record in caplog.records)
        assert CANARY not in caplog.text
        assert all(CANARY not in str(vars(record)) for record in caplog.records)
