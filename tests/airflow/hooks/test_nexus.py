from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pendulum
import pytest
from airflow.sdk import Connection

from airflow_provider_nexus.exceptions import (
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusNotFoundError,
    NexusUnknownResourceError,
    NexusUnprovedError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=30, transactions=250, days=2, clock_speed=0, amounts="awkward") as running, connection(running):
        yield running


def test_nothing_is_read_before_it_is_needed() -> None:
    NexusHook("a_connection_that_is_not_there")


def test_run_types_what_the_catalogue_knows(sandbox: Sandbox) -> None:
    page = NexusHook().run("GET", "/transactions/custodian", params={"limit": 5})
    record = page["records"][0]
    assert isinstance(record["created"], pendulum.DateTime)
    assert record["created"].timezone_name == "UTC"
    assert all(isinstance(value, Decimal | None) for value in record["requestedAmounts"].values())
    assert page["total"] == 250


def test_get_record(sandbox: Sandbox) -> None:
    raw = json.loads(sandbox.truth("orders")[0], parse_float=Decimal)
    record = NexusHook().get_record("orders", raw["orderCode"])
    assert (record["orderCode"], record["amount"]) == (raw["orderCode"], Decimal(raw["amount"]))
    assert record["created"].to_iso8601_string() == raw["created"]
    with pytest.raises(NexusNotFoundError):
        NexusHook().get_record("orders", "ORD-NONE")
    with pytest.raises(NexusUnknownResourceError, match="orders"):
        NexusHook().get_record("order", "x")


def test_one_transfer_is_found_in_the_list(sandbox: Sandbox) -> None:
    code = json.loads(sandbox.truth("transfers")[0])["transferCode"]
    assert NexusHook().get_record("transfers", code, plain=True)["transferCode"] == code
    with pytest.raises(NexusNotFoundError, match="none of the last 30 days has the code 'TRF-NONE'"):
        NexusHook().get_record("transfers", "TRF-NONE")


def test_iter_records_is_complete_ordered_and_lazy(sandbox: Sandbox) -> None:
    hook = NexusHook()
    records = list(hook.iter_records("transactions", page_size=37))
    order = [(record["created"], record["transactionCode"]) for record in records]
    assert order == sorted(set(order))
    assert {code for _, code in order} == {json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions")}
    before = sandbox.call_count
    assert next(iter(hook.iter_records("transactions", page_size=10)))
    assert sandbox.call_count - before <= 4


def test_iter_records_takes_a_window_and_filters(sandbox: Sandbox) -> None:
    start, end = sandbox.now - timedelta(hours=20), sandbox.now - timedelta(hours=2)
    windowed = list(NexusHook().iter_records("orders", start=start, end=end))
    assert len(windowed) == len(sandbox.truth("orders", start, end)) > 0
    customer = json.loads(sandbox.truth("transactions")[0])["customerCode"]
    filtered = list(NexusHook().iter_records("transactions", filters={"customerCode": customer}))
    assert {record["customerCode"] for record in filtered} == {customer}


@pytest.mark.parametrize("resource", ["trust_levels", "buckets", "portfolios", "currencies", "reserves", "label_partner"])
def test_iter_records_of_what_has_no_window(sandbox: Sandbox, resource: str) -> None:
    assert len(list(NexusHook().iter_records(resource))) == len(sandbox.truth(resource)) > 0


def test_iter_records_of_a_child(sandbox: Sandbox) -> None:
    for raw in sandbox.truth("customers"):
        code = json.loads(raw)["customerCode"]
        found = list(NexusHook().iter_records("customer_bank_accounts", parent=code))
        assert len(found) == len(sandbox.truth("customer_bank_accounts", parent=code))


def test_iter_records_is_never_silently_short(sandbox: Sandbox) -> None:
    sandbox.configure(total_error=1)
    try:
        with pytest.raises(NexusUnprovedError):
            list(NexusHook().iter_records("orders"))
    finally:
        sandbox.configure(total_error=0)


def test_one_connection_serves_all_calls_of_a_hook(sandbox: Sandbox) -> None:
    hook, before = NexusHook(), sandbox.connection_count
    list(hook.iter_records("transactions", page_size=10))
    hook.run("GET", "/labelpartner")
    assert sandbox.connection_count - before == 1


def test_writes_need_leave(sandbox: Sandbox) -> None:
    body = {"customerCode": "NEW-1", "trustLevel": "Trusted"}
    with connection(sandbox, extra={"allow_writes": None}):
        before = sandbox.call_count
        with pytest.raises(NexusWriteRefusedError, match="Allow writes"):
            NexusHook().run("POST", "/customer", json=body)
        assert sandbox.call_count == before


@pytest.mark.parametrize(
    ("changes", "ok", "words"),
    [
        ({}, True, "answers as tenant"),
        ({"password": "wrong"}, False, "does not take the token"),
        ({"host": "http://127.0.0.1:9"}, False, "can't be reached"),
        ({"password": ""}, False, "has no API token"),
        ({"host": "http://example.com"}, False, "plain http"),
        ({"extra": {"enviroment": "test"}}, False, "did you mean 'environment'?"),
        ({"extra": {"environment": "live"}, "host": ""}, False, "unknown Nexus environment 'live'"),
    ],
)
def test_the_connection_test_speaks_to_a_person(sandbox: Sandbox, changes: dict[str, Any], ok: bool, words: str) -> None:
    with connection(sandbox, **changes):
        success, message = NexusHook().test_connection()
    assert (success, words in message) == (ok, True), message
    assert sandbox.token not in message


def test_a_role_that_may_not_read_the_tenant_still_connects(sandbox: Sandbox) -> None:
    sandbox.configure(roles={"narrow-token": frozenset()})
    try:
        with connection(sandbox, password="narrow-token"):
            success, message = NexusHook().test_connection()
    finally:
        sandbox.configure(roles={})
    assert (success, "403" in message) == (True, True), message


def test_uri_and_form_connections_mean_the_same(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = "allow_writes=true&timeout=12.5&retries=2&environment=test"
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_URI", sandbox.connection_uri.partition("?")[0] + f"?{extra}")
    settings = NexusHook("nexus_uri").settings
    assert (settings.timeout, settings.retries, settings.allow_writes) == (12.5, 2, True)
    assert settings.environment.base_url == sandbox.base_url
    form = Connection(
        conn_id="f", conn_type="nexus", host="", port=0, password="t" * 20, extra='{"environment": "production", "timeout": null}'
    )
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_FORM", form.as_json())
    settings = NexusHook("nexus_form", timeout=7).settings
    assert (settings.environment.name, settings.timeout, settings.retries) == ("production", 7, 5)
    assert "t" * 20 not in repr(settings)


def test_an_unknown_extra_is_refused(sandbox: Sandbox) -> None:
    with connection(sandbox, extra={"time_out": 5}), pytest.raises(NexusConfigurationError, match="did you mean 'timeout'"):
        NexusHook().run("GET", "/labelpartner")


def understood(conn: Connection, monkeypatch: pytest.MonkeyPatch, *, as_uri: bool) -> str:
    """The base URL of a connection that is given as JSON or as a URI."""
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_FIELDS", conn.get_uri() if as_uri else conn.as_json())
    return NexusHook("nexus_fields").settings.environment.base_url


TEST = "https://api.test.casp.quantoznexus.com"
FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, TEST),
    ({"host": "", "schema": "", "login": "", "port": None}, TEST),
    ({"login": " "}, TEST),
    ({"schema": "https", "host": "nexus.bank.example"}, "https://nexus.bank.example"),
    ({"schema": "HTTPS", "host": "nexus.bank.example", "port": 8443}, "https://nexus.bank.example:8443"),
    ({"schema": "https", "host": "https://nexus.bank.example"}, "https://nexus.bank.example"),
    ({"schema": "http", "host": "127.0.0.1", "port": 8585}, "http://127.0.0.1:8585"),
    ({"host": "nexus.bank.example", "port": 443}, "https://nexus.bank.example"),
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"schema": "https"}, "has a schema and no host"),
    ({"schema": "http"}, "has a schema and no host"),
    ({"port": 443}, "has a port and no host"),
    ({"port": 8585, "schema": "https"}, "has a port and no host"),
    ({"schema": "v1", "host": "nexus.bank.example"}, "field schema that is neither http nor https"),
    ({"schema": "public"}, "field schema that is neither http nor https"),
    ({"schema": "http", "host": "nexus.bank.example"}, "plain http would send the token in the clear"),
    ({"schema": "http", "host": "https://nexus.bank.example"}, "host begins otherwise"),
    ({"schema": "https", "host": "http://127.0.0.1"}, "host begins otherwise"),
    ({"login": "me"}, "has a login, which Nexus has no use for: leave it empty"),
    ({"login": "secret-token-of-mine", "password": None}, "put the API token in the password field, and leave the login"),
]


@pytest.mark.parametrize("as_uri", [False, True], ids=["JSON", "URI"])
@pytest.mark.parametrize(("fields", "base_url"), FIELDS)
def test_every_field_of_a_connection_counts(
    fields: dict[str, Any], base_url: str, as_uri: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = Connection(conn_id="nexus_fields", conn_type="nexus", **{"password": "t" * 20, **fields})
    assert understood(conn, monkeypatch, as_uri=as_uri) == base_url


@pytest.mark.parametrize("as_uri", [False, True], ids=["JSON", "URI"])
@pytest.mark.parametrize(("fields", "said"), REFUSED)
def test_no_field_of_a_connection_is_ignored(
    fields: dict[str, Any], said: str, as_uri: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = Connection(conn_id="nexus_fields", conn_type="nexus", **{"password": "t" * 20, **fields})
    with pytest.raises(NexusConfigurationError, match=said) as caught:
        understood(conn, monkeypatch, as_uri=as_uri)
    assert "secret-token-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "ended"),
    [
        ("nexus://:tttttttttttttttttttt@/?environment=test", TEST),
        ("nexus://:tttttttttttttttttttt@nexus.bank.example:443/", "https://nexus.bank.example"),
        ("nexus://:tttttttttttttttttttt@nexus.bank.example:443/https", "https://nexus.bank.example"),
        ("nexus://:tttttttttttttttttttt@https%3A%2F%2Fnexus.bank.example/", "https://nexus.bank.example"),
        ("nexus://:tttttttttttttttttttt@nexus.bank.example:443/api?environment=test", "neither http nor https"),
        ("nexus://tttttttttttttttttttt@nexus.bank.example", "has a login.*put the API token in the password"),
        ("nexus://me:tttttttttttttttttttt@nexus.bank.example", "has a login"),
        ("nexus://:tttttttttttttttttttt@:443/", "has a port and no host"),
    ],
)
def test_a_connection_as_a_uri(uri: str, ended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_NEXUS_FIELDS", uri)
    if ended.startswith("https:"):
        assert NexusHook("nexus_fields").settings.environment.base_url == ended
        return
    with pytest.raises(NexusConfigurationError, match=ended):
        _ = NexusHook("nexus_fields").settings


NEW = "the-new-key"


@pytest.fixture
def rotating(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A sandbox that takes a second key."""
    sandbox.configure(roles={NEW: ["read", "write"]})
    yield sandbox
    sandbox.configure(roles={}, revoked=())


def test_a_hook_goes_on_with_the_key_that_the_connection_holds_by_now(rotating: Sandbox) -> None:
    hook, before = NexusHook(), rotating.call_count
    walk = hook.iter_records("transactions", page_size=10)
    read = [next(walk)["transactionCode"]]
    rotating.configure(revoked=[rotating.token])
    with connection(rotating, password=NEW):
        read += [record["transactionCode"] for record in walk]
    assert len(set(read)) == len(read) == len(rotating.truth("transactions"))
    assert [call.status for call in rotating.calls[before:]].count(401) == 1


def test_a_hook_whose_key_is_revoked_asks_once_and_fails(rotating: Sandbox) -> None:
    hook = NexusHook()
    hook.run("GET", "/labelpartner")
    rotating.configure(revoked=[rotating.token])
    before = rotating.call_count
    with pytest.raises(NexusAuthenticationError, match="revoked"):
        hook.run("POST", "/customer", json={"customerCode": "NEW-2", "trustLevel": "Trusted"})
    assert rotating.call_count - before == 1


@pytest.mark.parametrize(
    ("days", "words"),
    [(40, ""), (3, "The API key expires on"), (-3, "The API key expired on")],
)
@pytest.mark.parametrize("roles", [["read"], []])
def test_the_connection_test_warns_of_the_end_of_the_key(rotating: Sandbox, days: int, words: str, roles: list[str]) -> None:
    rotating.configure(roles={NEW: roles})
    day = (rotating.now + timedelta(days=days)).date().isoformat()
    with connection(rotating, password=NEW, extra={"key_expires": day}):
        success, message = NexusHook().test_connection()
    assert success, message
    assert (words in message, "API key expire" in message) == (True, bool(words)), message
    assert ("(HTTP 403)" in message) is not bool(roles)


def test_the_connection_test_says_that_a_refused_key_has_expired(sandbox: Sandbox) -> None:
    with connection(sandbox, password="wrong", extra={"key_expires": "2020-01-01"}):
        success, message = NexusHook().test_connection()
    assert not success
    assert "expired on 2020-01-01" in message


def test_a_task_says_in_its_log_once_that_its_key_ends(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    day = (sandbox.now + timedelta(days=3)).date().isoformat()
    with connection(sandbox, extra={"key_expires": day}), NexusHook() as hook:
        list(hook.iter_records("transactions", page_size=50))
        hook.run("GET", "/labelpartner")
    said = [line for line in capsys.readouterr().out.splitlines() if "API key" in line]
    assert len(said) == 1
    assert f"sandbox: The API key expires on {day}" in said[0]
