from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.exceptions import NexusConfigurationError

IBAN = "NL91ABNA0417164300"
READS = [
    *(resource.collection_path("C1") for resource in RESOURCES.values()),
    *(resource.record_path("C1") for resource in RESOURCES.values() if resource.member_path),
    "/customer/C1/comments/7/history",
    "/customer/C1/limits/broker/buy",
    "/accounts/AC1",
    "/accounts/activate",
    "/transaction/totals",
    "/sanction/lists/uploads/latest",
    "/interest/custodian/schedules/7/subintervals/7",
    "/prices/EUR/BTC/historic?hours=3",
    "/api/MinuteChart/GetDefault/30",
    "/integrations/documentstore/file",
]
TRADES = [
    "/buy/broker",
    "/sell/broker",
    "/brokerbuy",
    "/paymentrequest/brokersell",
    "/buy/custodian",
    "/sell/custodian",
    "/gift/custodian",
    "/sendinternal/custodian",
    "/sendout/custodian",
    "/swap/custodian",
    "/paymentrequest/custodian",
]
POSTS = [
    *TRADES,
    "/clawback/custodian",
    "/sendtobucket/custodian",
    "/sanction/validatedentry",
    "/customer",
    "/customer/C1/accounts",
    "/customer/C1/person",
    "/customer/C1/bankaccounts",
    "/transactions/custodian/T1/cancel",
    "/orders",
    "/transfers",
    "/portfolios",
    "/buckets",
    "/mail",
    "/integrations/documentstore/file",
]
STATES = [
    "/customer/C1",
    "/customer/C1/person/P1",
    "/customer/C1/bankaccounts/B1",
    "/orders/O1/cancel",
    "/mail/M1",
    "/mail/M1/sent",
    "/transactions/custodian/T1/payoutconfirming",
]


class TestWhatACallDoes:
    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_reads(self, method: str, path: str) -> None:
        call = Call(method, path)
        assert (call.changes_something, call.is_repeatable) == (False, True)

    @pytest.mark.parametrize(
        "path",
        [
            "/accounts/activate/AC1",
            "accounts/activate/AC1",
            "/Accounts/Activate/AC1",
            "/customer/C1/accounts/activate/AC1",
            "/accounts/activate/AC1?x=1",
            "/accounts/%61ctivate/AC1",
            "https://api.quantoznexus.com/accounts/activate/AC1",
        ],
    )
    def test_get_that_activates(self, path: str) -> None:
        call = Call("GET", path)
        assert (call.changes_something, call.is_repeatable) == (True, False)

    @pytest.mark.parametrize("path", POSTS)
    def test_posts(self, path: str) -> None:
        call = Call("POST", path)
        assert (call.changes_something, call.is_repeatable) == (True, False)

    @pytest.mark.parametrize("path", TRADES)
    @pytest.mark.parametrize("end", ["/simulate", "/Simulate", "/simulate?x=1"])
    def test_simulations_change_nothing(self, path: str, end: str) -> None:
        call = Call("POST", path + end)
        assert (call.changes_something, call.is_repeatable) == (False, True)

    @pytest.mark.parametrize(
        "path", ["/sanction/search", "sanction/search", "/Sanction/Search", "https://api.quantoznexus.com/sanction/search?x=1"]
    )
    def test_screening_changes_nothing(self, path: str) -> None:
        call = Call("POST", path)
        assert (call.changes_something, call.is_repeatable) == (False, True)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/buy/custodian?next=/simulate"),
            ("POST", "/clawback/custodian/simulate"),
            ("POST", "/customer/simulate"),
            ("POST", "/customer/C1/sanction/search"),
            ("POST", "/sanction%2Fsearch"),
            ("POST", "/sanction/search/L1"),
            ("PUT", "/sanction/search"),
            ("DELETE", "/sanction/search"),
            ("POST", "/buy/custodian%2Fsimulate"),
            ("POST", "/buy/simulated"),
            ("PUT", "/customer/simulate"),
            ("DELETE", "/customer/simulate"),
        ],
    )
    def test_what_only_looks_like_a_simulation(self, method: str, path: str) -> None:
        assert Call(method, path).changes_something

    @pytest.mark.parametrize("path", STATES)
    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_states_can_be_set_twice(self, method: str, path: str) -> None:
        call = Call(method, path)
        assert (call.changes_something, call.is_repeatable) == (True, True)

    @pytest.mark.parametrize("end", ["/payout", "/Payout", "/payout?x=1", "/%70ayout"])
    def test_payout_is_money(self, end: str) -> None:
        call = Call("PUT", "/transactions/custodian/T1" + end)
        assert (call.changes_something, call.is_repeatable) == (True, False)

    @pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "MKCOL"])
    def test_unknown_methods_are_not_trusted(self, method: str) -> None:
        call = Call(method, "/customer/C1")
        assert (call.changes_something, call.is_repeatable) == (True, False)

    def test_no_path(self) -> None:
        with pytest.raises(NexusConfigurationError):
            _ = Call("GET", "//[x").changes_something


class TestLabel:
    @pytest.mark.parametrize(
        ("path", "label"),
        [
            ("/customer", "/customer"),
            (f"/customer/{IBAN}", "/customer/{code}"),
            (f"customer/{IBAN}/bankAccounts/7", "/customer/{code}/bankAccounts/{code}"),
            ("/transactions/custodian/TX1/cancel", "/transactions/custodian/{code}/cancel"),
            (f"/customer?email=a@b.nl&bankAccount={IBAN}", "/customer"),
            (f"/balances/customers/{IBAN}", "/balances/customers/{code}"),
            (f"/paymentmethod/SEPA/fees/customer/{IBAN}", "/paymentmethod/{code}/fees/customer/{code}"),
            ("/paymentmethod/SEPA/fees/tag/vip", "/paymentmethod/{code}/fees/tag/{code}"),
            (f"/customer/{IBAN}/complianceHistory", "/customer/{code}/complianceHistory"),
            ("/sanction/lists/uploads/latest", "/sanction/lists/uploads/latest"),
            ("/sanction/validatedentry/EU/vandeVries", "/sanction/validatedentry/{code}/{code}"),
            ("/prices/EUR/BTC/historic", "/prices/{code}/{code}/historic"),
            ("https://api.quantoznexus.com/mail/M1/sent", "/mail/{code}/sent"),
            ("/customer/a%2Fb", "/customer/{code}"),
            ("/", "/"),
            ("", "/"),
        ],
    )
    def test_codes_are_blanked(self, path: str, label: str) -> None:
        assert Call("GET", path).label == label

    @pytest.mark.parametrize("path", [*READS, *POSTS, *STATES])
    def test_words_of_the_api_stay(self, path: str) -> None:
        words = [word for word in path.partition("?")[0].split("/") if word.isalpha() and word not in ("EUR", "BTC")]
        assert [word for word in Call("GET", path).label.split("/") if word.isalpha()] == words

    @given(
        st.text(st.characters(categories=["L", "Nd"], include_characters="-_.@ "), min_size=1).filter(lambda code: len(code) > 25)
    )
    def test_no_code_is_ever_seen(self, code: str) -> None:
        for path in (f"/customer/{code}", f"/customer/{code}/accounts?x={code}", f"/{code}"):
            assert code.strip() not in Call("GET", path).label


class TestVersion:
    @pytest.mark.parametrize(
        ("path", "version"),
        [
            *((resource.collection_path("P"), resource.api_version) for resource in RESOURCES.values()),
            ("/labelpartner/balance?x=1", "1.1"),
            ("https://api.quantoznexus.com/labelpartner/balance", "1.1"),
            ("/api/MinuteChart/GetDefault/30", "1.0"),
            ("api/minutechart/getdefault/30?currency=EUR", "1.0"),
            ("/buy/custodian", "1.2"),
            ("/unheard/of", "1.2"),
        ],
    )
    def test_by_path(self, path: str, version: str) -> None:
        assert Call("GET", path).version == version

    def test_own_wins(self) -> None:
        assert Call("GET", "/labelpartner/balance", api_version="2.0").version == "2.0"


class TestBody:
    @pytest.mark.parametrize(
        ("json", "body"),
        [
            (None, None),
            ({}, b"{}"),
            ({"amount": Decimal("199.99998000")}, b'{"amount":199.99998000}'),
            ({"amount": Decimal("0.30000000000000004"), "n": 10**19}, b'{"amount":0.30000000000000004,"n":10000000000000000000}'),
            ([Decimal("123456789012.12345678"), True, None, "é"], '[123456789012.12345678,true,null,"é"]'.encode()),
            (
                {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "on": date(2026, 1, 2)},
                b'{"at":"2026-01-02T03:04:05Z","on":"2026-01-02"}',
            ),
        ],
    )
    def test_text(self, json: Any, body: bytes | None) -> None:
        assert Call("POST", "/orders", json=json).body == body

    def test_digits_of_small_decimals(self) -> None:
        body = Call("POST", "/orders", json=[Decimal("-1E-05"), Decimal("0.00001")]).body or b""
        assert [Decimal(text) for text in body.decode()[1:-1].split(",")] == [Decimal("-0.00001"), Decimal("0.00001")]

    @pytest.mark.parametrize("json", [{"a": object()}, {1: {2: {(1, 2): 3}}}, [lambda: 1], {"a": "\ud800"}])
    def test_what_json_cannot_hold(self, json: Any) -> None:
        with pytest.raises(NexusConfigurationError, match=r"the body of POST /customer/\{code\} can't be written as JSON"):
            _ = Call("POST", f"/customer/{IBAN}", json=json).body

    @pytest.mark.parametrize(
        ("json", "place"),
        [
            ({"amount": 12345678.12345679}, "json.amount"),
            ({"source": {"cryptoAmount": 0.1}}, "json.source.cryptoAmount"),
            ([{"values": (1, 2.0)}], "json[0].values[1]"),
            ({"a": [float("inf")]}, "json.a[0]"),
            ({"a": float("nan")}, "json.a"),
            (1e5, "json"),
            ({"a": Decimal("NaN")}, "json.a"),
            ({"customerCode": 10000001}, "json.customerCode"),
            ({"destination": {"accountcode": 1}}, "json.destination.accountcode"),
            ({"lines": [{"CryptoCode": True}]}, "json.lines[0].CryptoCode"),
        ],
    )
    def test_what_is_not_what_it_was_meant_to_be(self, json: Any, place: str) -> None:
        with pytest.raises(NexusConfigurationError, match=re.escape(f"{place} is ") + ".*nothing was sent"):
            _ = Call("POST", "/orders", json=json).body


@pytest.mark.parametrize("sent", ["PUT", "GET", "DELETE"])
@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/transactions/custodian/./payout", r"the part '\.'"),
        ("/transactions/custodian/../payout", r"the part '\.\.'"),
        ("/transactions/custodian/%2e%2E/payout", r"the part '\.\.'"),
        ("/transactions/custodian//payout", "an empty part"),
        ("/customer/None", "the part None, as where a template has no value"),
        ("/customer/", "an empty part"),
        ("customer/?x=1", "an empty part"),
        ("https://api.quantoznexus.com/customer/../orders", r"the part '\.\.'"),
        ("/customer/C1\r\nHost: x", "characters that no path has"),
        ("/customer/C1#x", "has a #"),
        ("/customer/\ud800", "characters that no path has"),
    ],
)
def test_a_path_that_leads_elsewhere(sent: str, path: str, what: str) -> None:
    with pytest.raises(NexusConfigurationError, match=what):
        Call(sent, path)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_with_a_body_was_meant_otherwise(method: str) -> None:
    with pytest.raises(NexusConfigurationError, match=f"a {method} of /orders takes no body: give the method that is meant"):
        Call(method, "/orders", json={"amount": 1})


@pytest.mark.parametrize(
    "path", ["", "/", "https://api.quantoznexus.com", "/customer/...", "/customer/.hidden", "/customer/%2Fx"]
)
def test_a_path_that_does_not(path: str) -> None:
    assert Call("GET", path).path == path
