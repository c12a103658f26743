"""The token is nowhere but in the header; codes and queries are in no error; errors travel between processes."""

from __future__ import annotations

import inspect
import logging
import pickle

import pytest

from airflow_provider_nexus import exceptions
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.exceptions import NexusApiError, NexusDataError, NexusError, NexusStatusError, NexusUnprovedError
from tests.client.serving import CANARY, GET, IBAN, POST, all_that_it_says, chain, session_for
from tests.client.socket_server import Reply, SocketServer, answer, free_port
from tests.client.test_session_writes import UNCLEAR

ECHO = f'{{"errors":["Bad {CANARY}"],"message":"Bearer {CANARY} for {IBAN} jan@example.nl","values":["{CANARY}"]}}'.encode()
REPLIES: dict[str, Reply] = UNCLEAR | {
    **{str(status): answer(ECHO, status) for status in (200, 400, 401, 403, 404, 409, 422, 429, 500)},
    "page that repeats the token": answer(b"<p>" + CANARY.encode() + b"</p>", 502),
    "request id that repeats the token": answer(b"", 500, X_Request_Id=CANARY),
    "redirect with the token": answer(b"", 307, Location=f"http://127.0.0.1/?t={CANARY}"),
}


def failure(base_url: str, call: Call) -> NexusError:
    with session_for(base_url, timeout=0.1) as session, pytest.raises(NexusError) as caught:
        session.send(call, envelope.unwrap)
    return caught.value


def check(error: NexusError, caplog: pytest.LogCaptureFixture) -> None:
    said = all_that_it_says(error)
    assert CANARY not in said
    assert all(isinstance(each, NexusError | ValueError | TypeError) for each in chain(error)), (
        "a foreign error may hold the request"
    )
    assert IBAN not in said
    assert "example.nl" not in said
    ours = [record for record in caplog.records if record.name.startswith("airflow_provider_nexus")]
    assert not any(IBAN in str(vars(record)) or "example.nl" in str(vars(record)) for record in ours)
    assert not any(CANARY in str(vars(record)) or CANARY in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
@pytest.mark.parametrize("call", [GET, POST], ids=["GET", "POST"])
def test_no_error_tells(call: Call, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), SocketServer(reply) as server:
        error = failure(server.base_url, call)
        server.wait_until_asked()
    assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    check(error, caplog)


@pytest.mark.parametrize(
    "call",
    [
        GET,
        POST,
        Call("GET", f"https://other.example/customer/{CANARY}"),
        Call("POST", "/orders", json={"a": object()}),
        Call("GET", f"/customer/{IBAN}", {"email": "\ud800"}),
    ],
    ids=lambda call: call.method,
)
def test_no_error_of_a_call_that_never_left_tells(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        error = failure(f"http://127.0.0.1:{free_port()}", call)
    check(error, caplog)


def test_session_and_settings_do_not_show_it() -> None:
    with session_for("http://127.0.0.1:1") as session:
        assert CANARY not in repr(session) + repr(vars(session)) + repr(session._http.auth) + repr(dict(session._http.headers))


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
def test_errors_of_calls_can_be_pickled(reply: Reply) -> None:
    with SocketServer(reply) as server:
        error = failure(server.base_url, POST)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.args, vars(again)) == (type(error), str(error), error.args, vars(error))


KINDS = [kind for _, kind in inspect.getmembers(exceptions, inspect.isclass) if issubclass(kind, NexusError)]


def made(kind: type[NexusError]) -> NexusError:
    """An error of a kind, with all that it can hold."""
    if issubclass(kind, NexusApiError):
        facts = {"status": 400, "codes": ("A",), "detail": "d", "request_id": "r", "excerpt": "e", "retry_after": 1.5}
        return kind("GET", "/x", **facts)  # type: ignore[arg-type]
    if kind is NexusDataError:
        return NexusDataError("orders", "O1", "amount", "x", "a number")
    if kind is NexusStatusError:
        return NexusStatusError("orders", "O1", "REJECTED", "and can't get there", "no funds")
    return NexusUnprovedError("not proved", ("a", "b")) if kind is NexusUnprovedError else kind("what happened")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_can_be_pickled(kind: type[NexusError], protocol: int) -> None:
    error = made(kind)
    again = pickle.loads(pickle.dumps(error, protocol))
    assert type(again) is kind
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
