"""Envelopes, error shapes, endpoints without an envelope, and the forms of stamps."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.api.timestamps import normalise
from tests.sandbox.conftest import NOW, Client, decoded

ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z?")


def first(client: Client, name: str, parent: str = "") -> Any:
    return decoded(client.sandbox.truth(name, parent=parent)[0])


def test_success(shared: Client) -> None:
    body = shared.get("/labelpartner").json()
    assert list(body) == ["message", "errors", "values"]
    assert (body["message"], body["errors"]) == ("Successfully processed your request", None)


def test_help_of_bad_filters(shared: Client) -> None:
    customers = shared.get("/customer", status="gone")
    assert (customers.status_code, customers.json()["errors"]) == (400, ["InvalidQueryParameter"])
    assert customers.json()["values"] == {"validCustomerStatus": ["NEW", "UNDERREVIEW", "BLOCKED", "ACTIVE", "DELETED"]}
    for path in ("/accounts", "/customer/C0000000/accounts"):
        accounts = shared.get(path, status="gone")
        assert (accounts.status_code, list(accounts.json()["values"])) == (400, ["allowedFilterValues"])
    assert shared.get("/transaction", status="gone").status_code == 200


def test_validation_gives_an_array(shared: Client) -> None:
    answer = shared.post("/customer", customerCode="x")
    assert (answer.status_code, answer.json()["values"]) == (400, ["trustLevel is required"])


def test_without_envelope(shared: Client) -> None:
    assert isinstance(shared.get("/balances/hotwallet").json(), list)
    assert set(shared.get("/balances/hotwallet/btc").json()) >= {"cryptoCode", "available"}
    balances = shared.get("/labelpartner/balance").json()
    assert balances["BTC"]["balanceCurrencyCode"] == "BTC"
    chart = shared.get("/api/MinuteChart/GetDefault/30", currency="EUR", dcCode="BTC").json()
    assert [(len(each["data"]), each["step"], each["type"]) for each in chart] == [
        (30, "true", "line"),
        (30, "false", "arearange"),
    ]
    assert [len(each["data"][0]) for each in chart] == [2, 3]
    assert chart[0]["data"][1][0] - chart[0]["data"][0][0] == 60_000
    problem = shared.get("/prices/EUR/NOPE/historic")
    assert (problem.status_code, problem.json()["status"], "errors" in problem.json()) == (404, 404, False)


def test_extra_reads(shared: Client) -> None:
    assert len(shared.values("/prices/eur/btc/historic", hours=2)["priceData"]) == 12
    assert list(shared.values("/prices/eur/btc")["prices"]) == ["BTC"]
    assert shared.get("/prices/xxx").json()["errors"] == ["CurrencyNotFound"]
    assert {each["exchange"]["code"] for each in shared.values("/tradepairs/kraken")["tradePairs"]} == {"KRAKEN"}
    assert shared.page("/customer/C0000000/accounts").total == 4
    assert shared.values("/customer/C0000000/limits/broker/buy", cryptoCode="BTC")["remaining"]["yearlyLimit"] is None
    assert shared.values("/customer/C0000000/personalData")["lastName"]
    assert shared.values("/customer/C0000000/complianceHistory")["records"][-1]["status"] == "NEW"
    code = first(shared, "broker_transactions")["transactionCode"]
    assert shared.get(f"/transaction/{code}/callbacks").status_code == 200
    assert shared.values(f"/transaction/{code}/flows")["transactionCode"] == code
    summary = shared.values("/customer/C0000000/trace/summary")
    assert sum(each["count"] for each in summary) == shared.page("/customer/C0000000/trace").total


def test_document_bytes(shared: Client) -> None:
    for record in map(decoded, shared.sandbox.truth("customers")):
        for document in shared.sandbox.truth("documents", parent=record["customerCode"]):
            answer = shared.get("/integrations/documentstore/file", filePath=decoded(document)["filePath"])
            assert answer.content.startswith(b"%PDF")
            assert answer.headers["content-type"] == "application/pdf"
            return
    pytest.fail("no customer has a document")


def test_documents_need_a_customer(shared: Client) -> None:
    assert shared.get("/integrations/documentstore/list").status_code == 400


def test_filtering_parameters_are_text(shared: Client) -> None:
    page = shared.page("/transaction", isSettled="false", startDate="2026-02-10T01:00:00+01:00", Status="BuyCompleted")
    expected = {"isSettled": "False", "startDate": "2026-02-10T00:00:00Z", "status": "BuyCompleted"}
    assert page.filtering_parameters == expected
    assert shared.page("/mail").filtering_parameters == {"sortBy": "Created", "sortDirection": "Desc"}
    total = shared.page("/transaction").total
    assert page.total < total
    mixed = [shared.page("/transaction", customerIsBusiness=each).total for each in ("true", "False")]
    assert sum(mixed) == total
    assert all(mixed)


def test_payment_methods_not_bound_to_one_are_listed_too(shared: Client) -> None:
    records = [decoded(bytes(each)) for each in shared.page("/paymentmethod", currency="USD").records]
    assert {each["currencyCode"] for each in records} == {None, "USD"}
    kinds = [
        decoded(bytes(each))["transactionType"] for each in shared.page("/paymentmethod", transactionType="BrokerBuy").records
    ]
    assert kinds
    assert all("BROKERBUY" in kind for kind in kinds)


def stamps(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {k: v for name, held in value.items() for k, v in stamps(held, f"{path}.{name}").items()}
    if isinstance(value, list):
        return {k: v for held in value for k, v in stamps(held, path).items()}
    return {path: value} if isinstance(value, str) and STAMP.fullmatch(value) else {}


PATHS = ("/customer", "/transaction", "/transactions/custodian", "/accounts", "/orders", "/transfers", "/mail", "/currencies")
MORE = ("/balances/hotwallet/mutations", "/reserves", "/prices/eur", "/labelpartner/balance", "/tradepairs", "/buckets")


@pytest.mark.parametrize("path", PATHS + MORE)
def test_one_form_with_the_header(shared: Client, path: str) -> None:
    found = stamps(shared.get(path).json())
    assert found
    assert all(ISO.fullmatch(stamp) for stamp in found.values()), found


def test_forms_without_the_header(shared: Client) -> None:
    forms = {
        "/customer": r"T..:..:..",
        "/transaction": r"T..:..:..",
        "/orders": r"T..:..:..",
        "/transfers": r"T..:..:..",
        "/mail": r"T..:..:..Z",
        "/balances/hotwallet/mutations": r"T..:..:..Z",
        "/transactions/custodian": r"T..:..:..\....Z",
        "/accounts": r"T..:..:..\........Z",
    }
    del shared.session.headers["request_iso8601"]
    try:
        for path, form in forms.items():
            record = shared.get(path).json()["values"]["records"][0]
            assert re.fullmatch(r"[\d-]{10}" + form, record["created"]), path
            assert normalise(record["created"])
        prices = shared.values("/prices/eur")
        assert re.fullmatch(r"[\d-]{10}T..:..:..\....", prices["prices"]["BTC"]["updated"])
        page = shared.page("/mail", startDate="2026-02-10")
        assert page.filtering_parameters["startDate"] == "2026-02-10T00:00:00Z"
    finally:
        shared.session.headers["request_iso8601"] = "true"


def test_dates_without_zone_are_utc(shared: Client) -> None:
    start = (NOW - timedelta(days=4)).astimezone(UTC)
    same = [
        shared.page("/mail", startDate=text).total
        for text in (start.isoformat(), start.strftime("%Y-%m-%dT%H:%M:%S"), start.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"))
    ]
    assert len(set(same)) == 1
    assert datetime.fromisoformat(first(shared, "mails")["created"]) < start


def test_balance_of_the_past(shared: Client) -> None:
    assert shared.values("/balances", balanceDateTime="2020-01-01T00:00:00Z")["cryptoBalances"] == []
    assert shared.values("/balances", balanceDateTime="") == shared.values("/balances")
    assert shared.get("/reserves?reservesTimeStamp=").status_code == 200
