"""Bodies are held to what the sources declare: required names, kinds, lengths and words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Client, decoded
from tests.sandbox.writing import BUY, codes, new_customer, ok

BANK = {"number": "NL01", "currencyCode": "EUR", "isPrimary": False}
STORE = {"name": "files", "DocumentStoreType": "AzureFiles", "parameters": {"account": "a", "key": "k", "shareName": "s"}}
MAIL = {"type": "ReviewRequest", "references": {"customerCode": "C0000000"}, "recipient": {"email": "a@example.org"}}
NOTE = {"type": "Technical", "level": "Info", "title": "t", "message": "m"}
SEND = {
    "paymentMethodCode": "CUST_SENDOUT",
    "source": {"customerCode": "C0000000", "cryptoCode": "BTC", "currencyCode": "EUR", "cryptoAmount": 1},
    "destination": {"address": "bc1q"},
}
CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", "/customer", {"customerCode": "x"}, "trustLevel is required"),
    (
        "POST",
        "/customer",
        {"customerCode": "x" * 41, "trustLevel": "New"},
        "customerCode has 41 characters, at most 40 are taken",
    ),
    ("POST", "/customer", {"customerCode": "x", "trustLevel": "New", "isBusiness": "yes"}, "isBusiness is not of the kind flag"),
    ("POST", "/customer", {"customerCode": "x", "trustLevel": "New", "data": ["a"]}, "data is not of the kind object"),
    (
        "POST",
        "/customer",
        {"customerCode": "x", "trustLevel": "New", "riskQualification": "Huge"},
        "riskQualification is one of None, Low, Medium, High, VeryHigh",
    ),
    ("PUT", "/customer/C0000000", {"status": "GONE"}, "status is one of NEW, ACTIVE, UNDERREVIEW, BLOCKED, DELETED"),
    ("POST", "/customer/C0000000/bankaccounts", {**BANK, "number": "1" * 41}, "number has 41 characters, at most 40 are taken"),
    (
        "POST",
        "/customer/C0000000/bankaccounts",
        {**BANK, "currencyCode": "EURO"},
        "currencyCode has 4 characters, at most 3 are taken",
    ),
    ("POST", "/customer/C0000000/bankaccounts", {**BANK, "name": "n" * 81}, "name has 81 characters, at most 80 are taken"),
    ("POST", "/customer/C0000000/bankaccounts", {**BANK, "isPrimary": None}, "isPrimary is required"),
    ("POST", "/customer/C0000000/person", {"types": "Director"}, "types is not of the kind list"),
    ("POST", "/integrations/documentstore/type", {"code": "c" * 41, "name": "n"}, "code has 41 characters, at most 40 are taken"),
    ("POST", "/integrations/documentstore/type", {"code": "c"}, "name is required"),
    (
        "POST",
        "/integrations/documentstore/type",
        {"code": "c", "name": "n" * 101},
        "name has 101 characters, at most 100 are taken",
    ),
    (
        "POST",
        "/integrations/documentstore",
        {"documentStoreType": "AzureFiles", "name": "files"},
        "DocumentStoreType is required",
    ),
    ("POST", "/mail", {**MAIL, "type": "Greeting"}, "type is one of NewAccountRequested, "),
    ("POST", "/mail", {**MAIL, "recipient": "a@example.org"}, "recipient is not of the kind object"),
    ("PUT", "/mail/nope", {"subject": "S"}, "content is required"),
    ("POST", "/notifications", {**NOTE, "level": "Loud"}, "level is one of Info, Warning, Error"),
    ("POST", "/notifications", {**NOTE, "title": ""}, "title is required"),
    ("POST", "/buckets", {"code": "B"}, "name is required"),
    ("POST", "/portfolios", {"name": "P"}, "code is required"),
    ("POST", "/orders", {"exchangeCode": "KRAKEN"}, "action is required"),
    ("POST", "/transfers", {"sourceType": "Wallet"}, "sourceType is one of Exchange, HotWallet, Coldstore, Other"),
    ("POST", "/buy/custodian", {**BUY, "customerCode": 7}, "customerCode is not of the kind text"),
    ("POST", "/buy/custodian", {**BUY, "customerCode": "C0000000", "fiatValue": "much"}, "fiatValue is not of the kind number"),
    (
        "POST",
        "/brokerbuy",
        {**BUY, "customerCode": "C0000000", "callbackUrl": "https://" + "h" * 249},
        "callbackUrl has 257 characters, at most 256 are taken",
    ),
    ("POST", "/sendout/custodian", {**SEND, "destination": {}}, "destination.address is required"),
    ("POST", "/sendout/custodian", {**SEND, "source": {"customerCode": "C0000000"}}, "source.cryptoAmount is required"),
    ("PUT", "/transactions/custodian/X/payout", {"customerBankAccountId": "7"}, "customerBankAccountId is not of the kind guid"),
    ("PUT", "/paymentmethod/BUY_IDEAL/fees/customer", {"customerCode": "C0000000"}, "value is required"),
]


@pytest.mark.parametrize(("method", "path", "body", "problem"), CASES)
def test_refused(shared: Client, method: str, path: str, body: dict[str, Any], problem: str) -> None:
    answer = shared.call(method, path, json=body)
    assert codes(answer) == (400, ["ValidationError"])
    assert any(text.startswith(problem) for text in answer.json()["values"]), answer.text


def test_names_without_case_unknown_names_and_nulls_are_no_matter(client: Client) -> None:
    made = ok(client.post("/customer", CUSTOMERCODE="acme", TrustLevel="new", Nonsense={"a": 1}, Email=None, IsBusiness=None))
    assert (made["customerCode"], made["isBusiness"]) == ("acme", False)


def test_amounts_can_be_texts(client: Client) -> None:
    new_customer(client)
    bought = ok(client.post("/buy/custodian", **{**BUY, "customerCode": "acme-1", "fiatValue": "250.50"}))
    assert str(bought["transaction"]["requestedAmounts"]["fiatValue"]) == "250.50"


@pytest.mark.parametrize("changed", [{"number": "NL02"}, {"customerCode": "C0000001"}])
def test_number_and_customer_of_a_bank_account_can_not_be_changed(client: Client, changed: dict[str, str]) -> None:
    path = "/customer/C0000000/bankaccounts"
    made = ok(client.post(path, **BANK))
    same = {"number": "NL01", "customerCode": "C0000000"}
    answer = client.put(f"{path}/{made['id']}", **{**same, **changed})
    assert codes(answer) == (400, ["ValidationError"])
    assert answer.json()["values"] == [f"{next(iter(changed))} can't be changed"]
    renamed = ok(client.put(f"{path}/{made['id']}", **same, name="N", bank={"bicCode": "INGBNL2A"}))
    assert (renamed["name"], renamed["number"], renamed["bank"]["city"]) == ("N", "NL01", "Amsterdam")
    assert decoded(client.read_all(path)[0])["name"] == "N"


def test_only_the_type_of_a_store_is_told_by_its_case(client: Client) -> None:
    ok(client.call("DELETE", "/integrations/documentstore"))
    assert codes(client.get("/integrations/documentstore")) == (404, ["DocumentStoreNotFound"])
    wrong = {name: value for name, value in STORE.items() if name != "DocumentStoreType"} | {"documentstoretype": "AzureFiles"}
    assert codes(client.post("/integrations/documentstore", **wrong)) == (400, ["ValidationError"])
    made = ok(client.post("/integrations/documentstore", **{**STORE, "NAME": "x", "MAXFILECOUNT": 3}))
    assert (made["documentStoreType"], made["shareName"], made["maxFileCount"]) == ("AzureFiles", "s", 3)
    assert "key" not in str(made)
    assert ok(client.put("/integrations/documentstore", Description="d", Name=None))["description"] == "d"
    assert client.values("/integrations/documentstore")["maxFileCount"] == 3


def test_a_body_of_null_is_like_none(client: Client) -> None:
    answer = client.call("POST", "/integrations/documentstore", data="null")
    assert answer.json()["values"] == ["DocumentStoreType is required"]


def test_a_payment_request_needs_no_amount(client: Client) -> None:
    body = {"cryptoCode": "BTC", "currencyCode": "EUR", "paymentMethodCode": "CUST_RECEIVEIN", "customerCode": "C0000000"}
    asked = ok(client.post("/paymentrequest/custodian", **body))
    assert asked["transaction"]["requestedAmounts"] is None
    assert asked["paymentUri"].startswith("bitcoin:")
    client.sandbox.advance(86_400)
    assert client.values(f"/transactions/custodian/{asked['transaction']['transactionCode']}")["executedAmounts"] is None
