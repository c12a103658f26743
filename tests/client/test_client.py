"""The words of the catalogue against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import msgspec
import pendulum
import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.client.client import NexusClient, typed_values
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusNotFoundError,
    NexusResponseError,
    NexusUnknownResourceError,
    NexusWriteRefusedError,
)
from airflow_provider_nexus.sandbox import Sandbox
from tests.client.serving import session_for
from tests.client.socket_server import SocketServer, answer

KINDS = {"money": Decimal, "time": pendulum.DateTime, "date": date, "text": str, "integer": int, "flag": bool}
WITH_RECORD = [name for name, resource in RESOURCES.items() if resource.member_path]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0, unknown_fields=True) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[NexusClient]:
    with session_for(sandbox.base_url, token=sandbox.token) as session:
        yield NexusClient(session)


def first(sandbox: Sandbox, name: str) -> dict[str, Any]:
    record: dict[str, Any] = envelope.decode(sandbox.truth(name)[0])
    return record


def check_types(fields: tuple[Field, ...], record: dict[str, Any], seen: set[str]) -> None:
    """Fail on a value that is not of the type of its field."""
    for field in fields:
        value: Any = record.get(field.name)
        if value is None:
            continue
        if field.kind in KINDS:
            assert type(value).__name__ == KINDS[field.kind].__name__, (field.name, value)
            assert field.kind != "time" or value.timezone_name == "UTC"
            seen.add(field.kind)
        if isinstance(value, str) and "text" in field.also:
            continue
        for child in value if field.kind == "list" and field.children else [value] if field.kind == "object" else []:
            check_types(field.children, child, seen)


class TestGetRecord:
    @pytest.mark.parametrize("name", WITH_RECORD)
    def test_values_are_typed(self, sandbox: Sandbox, client: NexusClient, name: str) -> None:
        resource, seen = get_resource(name), set[str]()
        truth = first(sandbox, name)
        record = client.get_record(name, truth[resource.key[0]])
        assert record[resource.key[0]] == truth[resource.key[0]]
        check_types(resource.schema.fields, record, seen)
        assert "text" in seen
        assert ("time" in seen) == any(field.kind == "time" for _, field in resource.schema.walk())

    def test_money_is_to_the_digit(self, sandbox: Sandbox, client: NexusClient) -> None:
        truth = first(sandbox, "transactions")
        amount = client.get_record("transactions", truth["transactionCode"])["requestedAmounts"]["cryptoAmount"]
        assert amount.as_tuple() == Decimal(truth["requestedAmounts"]["cryptoAmount"]).as_tuple()

    def test_unknown_code(self, client: NexusClient) -> None:
        with pytest.raises(NexusNotFoundError):
            client.get_record("customers", "nobody")

    @pytest.mark.parametrize("code", ["a/b", "../transfers", "a b", "a?b#c", "50%", "é", "a%2Fb"])
    def test_code_is_percent_encoded(self, code: str) -> None:
        reply = answer(msgspec.json.encode({"values": {"customerCode": code}}))
        with SocketServer(reply) as server, session_for(server.base_url) as session:
            assert NexusClient(session).get_record("customers", code) == {"customerCode": code}
        path = server.asked[0].target
        assert path.startswith("/customer/")
        assert not set(path.removeprefix("/customer/")) & set("/ ?#")
        assert unquote(path) == f"/customer/{code}"

    @pytest.mark.parametrize("name", ["customer", "transaction", "zzz", ""])
    def test_unknown_resource(self, client: NexusClient, name: str) -> None:
        with pytest.raises(NexusUnknownResourceError):
            client.get_record(name, "C1")

    @pytest.mark.parametrize("name", ["transfers", "prices", "customer_persons", "label_partner"])
    def test_resource_without_single_records(self, sandbox: Sandbox, client: NexusClient, name: str) -> None:
        before = sandbox.call_count
        with pytest.raises(NexusConfigurationError, match=f"no call for one record of {name}: iterate"):
            client.get_record(name, "X")
        assert sandbox.call_count == before

    @pytest.mark.parametrize("body", [b"", b'{"values":null}', b'{"values":[]}', b"[]"])
    def test_no_record_in_the_answer(self, body: bytes) -> None:
        with SocketServer(answer(body)) as server, session_for(server.base_url) as session:
            client = NexusClient(session)
            with pytest.raises(NexusResponseError, match="an answer without a record"):
                client.get_record("customers", "C1")

    def test_version_of_the_catalogue(self) -> None:
        with SocketServer(answer(b'{"values":{"customerCode":"C"}}')) as server, session_for(server.base_url) as session:
            NexusClient(session).get_record("customers", "C")
        assert server.asked[0].headers["api_version"] == "1.2"


class TestRun:
    def test_page_is_typed(self, client: NexusClient) -> None:
        page = client.run("get", "/transactions/custodian", params={"limit": 3, "status": None})
        assert (page["page"], len(page["records"])) == (1, 3)
        assert type(page["total"]) is int
        for record in page["records"]:
            check_types(get_resource("transactions").schema.fields, record, set())

    @pytest.mark.parametrize(
        ("path", "name"),
        [("/portfolios", "portfolios"), ("labelpartner", "label_partner"), ("/Balances/HotWallet?x=1", "hot_wallet_balances")],
    )
    def test_arrays_and_objects_are_typed(self, client: NexusClient, path: str, name: str) -> None:
        values = client.run("GET", path)
        for record in values if isinstance(values, list) else [values]:
            check_types(get_resource(name).schema.fields, record, set())

    def test_keyed_records_are_typed(self, client: NexusClient) -> None:
        prices = client.run("GET", "/prices/EUR")["prices"]
        balances = client.run("GET", "/labelpartner/balance")
        for name, records in (("prices", prices), ("broker_balances", balances)):
            seen = set[str]()
            for record in records.values():
                check_types(get_resource(name).schema.fields, record, seen)
            assert {"money", "time"} <= seen

    def test_what_lies_beside_keyed_records_is_typed(self, client: NexusClient) -> None:
        prices = client.run("GET", "/prices/EUR")
        assert isinstance(prices["created"], pendulum.DateTime)
        assert list(prices) == ["created", "currencyCode", "prices"] or set(prices) >= {"created", "currencyCode", "prices"}
        assert prices["currencyCode"] == "EUR"

    def test_lists_are_typed(self, client: NexusClient) -> None:
        reserves = client.run("GET", "/reserves")
        for record in [*reserves["currencyReserves"], *reserves["cryptoReserves"]]:
            check_types(get_resource("reserves").schema.fields, record, set())

    def test_path_outside_the_catalogue_is_decoded_only(self, sandbox: Sandbox, client: NexusClient) -> None:
        totals = client.run("GET", "/transaction/totals")["totals"]
        assert type(totals[0]["transactionCount"]) is int
        assert not any(type(value) is float for value in totals[0].values())

    def test_a_write(self, sandbox: Sandbox, client: NexusClient) -> None:
        before = len(sandbox.truth("portfolios"))
        client.run(" post ", "/portfolios", json={"code": "NEW", "name": "New"})
        assert len(sandbox.truth("portfolios")) == before + 1

    def test_a_write_that_is_not_allowed(self, sandbox: Sandbox) -> None:
        before = sandbox.call_count
        with session_for(sandbox.base_url, token=sandbox.token, writes=False) as session, pytest.raises(NexusWriteRefusedError):
            NexusClient(session).run("post", "/portfolios", json={})
        assert sandbox.call_count == before

    def test_empty_body_and_own_version(self) -> None:
        with SocketServer(answer(b"")) as server, session_for(server.base_url) as session:
            assert NexusClient(session).run("PUT", "/orders/O1/cancel", api_version="9.9") is None
        assert server.asked[0].headers["api_version"] == "9.9"

    @pytest.mark.parametrize("values", [None, "text", 5, [], {}, [1, None]])
    def test_odd_values_pass(self, values: object) -> None:
        assert typed_values(get_resource("orders"), values) == values


class TestFetch:
    def test_records_are_the_bytes_of_the_server(self, sandbox: Sandbox, client: NexusClient) -> None:
        params = {"sortBy": "created", "sortDirection": "Asc", "limit": 1000}
        found = client.fetch(get_resource("orders"), params=params)
        assert found.value.raw == sandbox.truth("orders")
        assert found.value.total == len(found.value.raw)
        assert found.server_time == sandbox.now.replace(microsecond=0)

    def test_parent_in_the_path(self, sandbox: Sandbox, client: NexusClient) -> None:
        code = first(sandbox, "customers")["customerCode"]
        found = client.fetch(get_resource("customer_bank_accounts"), parent=code)
        assert sorted(found.value.raw) == sorted(sandbox.truth("customer_bank_accounts", parent=code))
        assert sandbox.calls[-1].path == f"/customer/{code}/bankaccounts"

    def test_parent_in_the_query(self, sandbox: Sandbox, client: NexusClient) -> None:
        code = first(sandbox, "customers")["customerCode"]
        client.fetch(get_resource("documents"), parent=code, params={"limit": 5})
        assert sandbox.calls[-1].query == {"customercode": code, "limit": "5"}

    def test_parent_is_percent_encoded(self) -> None:
        with SocketServer(answer(b'{"values":{"records":[],"total":0}}')) as server, session_for(server.base_url) as session:
            NexusClient(session).fetch(get_resource("customer_persons"), parent="a/../b")
        assert server.asked[0].target == "/customer/a%2F..%2Fb/person"

    @pytest.mark.parametrize(
        "name", ["currencies", "reserves", "balances", "hot_wallet_balances", "broker_balances", "label_partner"]
    )
    def test_snapshots(self, sandbox: Sandbox, client: NexusClient, name: str) -> None:
        found = client.fetch(get_resource(name)).value.raw
        assert len(found) == len(sandbox.truth(name)) > 0
