"""What a 401 and a 403 say of the call at hand, in both clients, against a server that answers with a bare status."""

from __future__ import annotations

import dataclasses
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_nexus.api.environments import Environment, resolve
from airflow_provider_nexus.client import reply
from airflow_provider_nexus.client.body import Body, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.settings import ClientSettings, read_settings
from airflow_provider_nexus.exceptions import NexusApiError, NexusAuthenticationError, NexusPermissionError
from tests.client.serving import Client, in_both_clients, jwt
from tests.client.socket_server import SocketServer, answer

DATE = "Wed, 31 Mar 2027 12:00:00 GMT"
READ = Call("GET", "/customer/C-1")


def settings_of(base_url: str, token: str = "opaque-key", **extra: Any) -> ClientSettings:
    return read_settings(token=token, host=base_url, extra={"allow_writes": True, "retries": 0, **extra})


def refused(client: Client, call: Call, status: int, date: str = DATE, **given: Any) -> Any:
    with SocketServer(answer(b"", status, Date=date)) as server:
        error = client(settings_of(server.base_url, **given), call)
        assert len(server.asked) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert given.get("token", "opaque-key") not in str(error)
    return error


@in_both_clients
def test_a_401_names_what_it_can_be_and_where_it_was_asked(client: Client) -> None:
    error = refused(client, READ, 401)
    assert isinstance(error, NexusAuthenticationError)
    for word in (
        "wrong",
        "expired",
        "revoked",
        "other environment",
        "second person",
        "make a new API key",
        "sandbox (http://127",
    ):
        assert word in str(error)
    assert "The API key expire" not in str(error)
    assert str(error).endswith(NexusAuthenticationError.advice)


@in_both_clients
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key_expires": "2027-03-30"}, "The API key expired on 2027-03-30, as key_expires of the connection says."),
        ({"key_expires": "2027-03-31"}, "expires on 2027-03-31, in less than a day"),
        ({"key_expires": "2027-03-31T11:59:59Z"}, "expired on 2027-03-31T11:59:59Z"),
        ({"token": jwt({"exp": datetime(2027, 3, 31, 11, tzinfo=UTC).timestamp()})}, "T11:00:00Z, as it says itself."),
        ({"key_expires": "2027-04-30"}, ""),
        ({"key_expires": "2027-04-30", "key_warning_days": 100}, ""),
    ],
)
def test_a_401_says_that_the_key_has_ended_by_the_servers_clock(client: Client, given: dict[str, Any], said: str) -> None:
    error = refused(client, READ, 401, **given)
    assert said in str(error)
    assert ("The API key expire" in str(error)) == bool(said)


@pytest.mark.parametrize(("date", "is_over"), [("nonsense", True), (DATE, False)])
def test_without_a_clock_of_the_server_this_machines_counts(date: str, is_over: bool) -> None:
    from tests.client.serving import blocking

    assert datetime.now(UTC).year > 2025
    day = "2027-05-31" if not is_over else "2025-05-31"
    assert ("expired on" in str(refused(blocking, READ, 401, date=date, key_expires=day))) == is_over


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (resolve("test"), "test (https://api.test.casp.quantoznexus.com), where no key of production is taken"),
        (resolve("production"), "production (https://api.quantoznexus.com), where no key of test is taken"),
        (resolve(None, "https://nexus.bank.example"), "nexus.bank.example (https://nexus.bank.example). The token"),
    ],
)
def test_a_401_names_the_environment_whose_keys_are_not_taken(environment: Environment, said: str) -> None:
    settings = dataclasses.replace(settings_of("http://127.0.0.1:9"), environment=environment)
    received = Received(401, {"Date": DATE}, Body({}, 100))
    with pytest.raises(NexusApiError) as caught:
        reply.read(READ, received, settings, bytes)
    assert said in str(caught.value)


CALLS = [
    (READ, "GET /customer/{code} reads: a role for other pages or calls does not cover it."),
    (Call("HEAD", "/customer"), "HEAD /customer reads: "),
    (Call("POST", "/transfers", json={}), "POST /transfers changes something: a role that only reads is not enough"),
    (Call("PUT", "/customer/C-1", json={}), "PUT /customer/{code} changes something"),
    (Call("DELETE", "/accounts/A-1"), "DELETE /accounts/{code} changes something"),
    (Call("GET", "/accounts/activate/A-1"), "GET /accounts/activate/{code} changes something"),
    (Call("POST", "/buy/custodian/simulate", json={}), "/simulate changes nothing, and can need the role of the call that it"),
]


@in_both_clients
@pytest.mark.parametrize(("call", "said"), CALLS, ids=[f"{call.method} {call.path}" for call, _ in CALLS])
def test_a_403_says_which_call_lacks_a_role_and_where_roles_are_given(client: Client, call: Call, said: str) -> None:
    error = refused(client, call, 403)
    assert isinstance(error, NexusPermissionError)
    assert said in str(error)
    for word in ("takes the token", "under Roles", "cloned", f"{call.method} {call.label}: HTTP 403"):
        assert word in str(error)
    assert str(error).endswith(NexusPermissionError.advice)
    assert "C-1" not in str(error)


@in_both_clients
@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 500])
def test_no_other_refusal_speaks_of_the_key(client: Client, status: int) -> None:
    error = refused(client, READ, status, key_expires="2020-01-01")
    assert error.situation == ""
    assert "API key" not in str(error)
