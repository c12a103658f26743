"""Every call that a client of the vendor makes is served by the sandbox, in the shape that is declared for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from airflow_provider_nexus.sandbox import Sandbox
from tests.sandbox.conftest import NOW, Client, decoded
from tests.sandbox.replay.reading import READING
from tests.sandbox.replay.shapes import misfit
from tests.sandbox.replay.writing import WRITING
from tests.sandbox.writing import ok

FEE, SCHEDULES = "/paymentmethod/BUY_SEPA/fees", "/interest/custodian/schedules"
CUSTOMER = "C0000000"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Sandbox(seed=7, customers=60, transactions=1200, now=NOW, clock_speed=0, amounts="awkward") as sandbox:
        held = Client(sandbox)
        yield held
        held.session.close()


def first(client: Client, path: str, name: str, **query: Any) -> str:
    return str(decoded(bytes(client.page(path, limit=1, **query).records[0]))[name])


def documented(client: Client) -> str:
    codes = [decoded(bytes(each))["customerCode"] for each in client.page("/customer", limit=60).records]
    return next(str(code) for code in codes if client.page("/integrations/documentstore/list", customerCode=code).total)


def posted(client: Client, path: str, told: str, **body: Any) -> str:
    made = ok(client.post(path, **body))
    return str((made[0] if isinstance(made, list) else made)[told])


def fee(client: Client, kind: str, who: str, code: str) -> str:
    ok(client.put(f"{FEE}/{kind}", **{who: code, "value": 0.1}))
    return code


def uploaded(client: Client) -> str:
    fields = {"filePath": f"{new(client)}.txt", "customerCode": CUSTOMER, "documentStoreTypeCode": "ID"}
    return str(ok(client.call("POST", "/integrations/documentstore/file", data=fields, files={"file": b"x"}))["filePath"])


def judged(client: Client) -> str:
    entity = new(client)
    lists = [{"code": code, "version": "52.0"} for code in ("EU", "OFAC")]
    assert client.post("/sanction/validatedentry", entityCode=entity, environmentCode="TEST", sanctionLists=lists).ok
    return entity


def interval(client: Client) -> Any:
    return decoded(bytes(client.page(SCHEDULES).records[0]))["intervals"][0]


def new(client: Client) -> str:
    return f"new-{client.sandbox.call_count}"


def bought(client: Client) -> str:
    body = {"customerCode": CUSTOMER, "cryptoCode": "BTC", "currencyCode": "EUR", "paymentMethodCode": "CUST_BUY_IDEAL"}
    return str(ok(client.post("/buy/custodian", **body, fiatValue=9))["transaction"]["transactionCode"])


def order(client: Client) -> str:
    body = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Market", "crypto": "BTC", "currency": "EUR", "amount": 10}
    return posted(client, "/orders", "orderCode", **body)


def account(client: Client, **query: Any) -> str:
    return first(client, f"/customer/{CUSTOMER}/accounts", "accountCode", status="Active", **query)


def broker_account(client: Client) -> str:
    records = map(decoded, client.page(f"/customer/{CUSTOMER}/accounts", status="Active", limit=50).records)
    return str(next(each["accountCode"] for each in records if each["accountType"] == "Broker"))


def new_account(client: Client) -> str:
    body = {"accountType": "BROKER", "customerCryptoAddress": "bc1qxxxxxxxxxxxx", "cryptoCode": "BTC"}
    return posted(client, f"/customer/{CUSTOMER}/accounts", "accountCode", **body)


def held_crypto(client: Client) -> str:
    records = client.values(f"/balances/customers/{CUSTOMER}")["cryptoBalances"]
    return str(max(records, key=lambda each: each["available"])["code"])


NAMES: dict[str, Callable[[Client], str]] = {
    "customer": lambda client: CUSTOMER,
    "business": lambda client: next(
        str(each["customerCode"])
        for each in map(decoded, client.page("/customer", limit=60).records)
        if each["isBusiness"] and each["status"] == "ACTIVE"
    ),
    "new": new,
    "made": lambda client: posted(
        client, "/customer", "customerCode", customerCode=new(client), trustLevel="Trusted", status="ACTIVE"
    ),
    "account": account,
    "broker_account": broker_account,
    "new_account": new_account,
    "crypto": held_crypto,
    "person": lambda client: posted(client, f"/customer/{CUSTOMER}/person", "id", firstName="A"),
    "bank_account": lambda client: posted(
        client, f"/customer/{CUSTOMER}/bankaccounts", "id", number="NL99", currencyCode="EUR", isPrimary=False
    ),
    "bank": lambda client: posted(client, "/banks", "id", bicCode=new(client)),
    "broker": lambda client: first(client, "/transaction", "transactionCode"),
    "transaction": lambda client: first(client, "/transactions/custodian", "transactionCode"),
    "running": bought,
    "to_pay_out": lambda client: first(client, "/transactions/custodian", "transactionCode", status="ToPayout|PayoutConfirming"),
    "order": lambda client: first(client, "/orders", "orderCode"),
    "open_order": order,
    "mail": lambda client: first(client, "/mail", "code"),
    "documented": documented,
    "file": lambda client: first(client, "/integrations/documentstore/list", "filePath", customerCode=documented(client)),
    "uploaded": uploaded,
    "bucket": lambda client: posted(client, "/buckets", "code", code=new(client), name="N"),
    "document_type": lambda client: posted(client, "/integrations/documentstore/type", "code", code=new(client), name="N"),
    "customer_with_fee": lambda client: fee(client, "customer", "customerCode", CUSTOMER),
    "tag_with_fee": lambda client: fee(client, "tag", "customerTag", "vip"),
    "schedule": lambda client: posted(client, SCHEDULES, "id", cryptoCode="BTC"),
    "planned": lambda client: first(client, SCHEDULES, "id"),
    "interval": lambda client: str(interval(client)["id"]),
    "part": lambda client: str(interval(client)["subIntervals"][0]["id"]),
    "comment": lambda client: first(client, f"/customer/{CUSTOMER}/comments", "guid"),
    "judged": judged,
}


def filled(client: Client, value: Any, *, quoted: bool = False) -> Any:
    """A value with the codes of the sandbox in place of the words in braces."""
    if isinstance(value, dict):
        return {name: filled(client, each) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(client, each) for each in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\{(\w+)\}", lambda found: _quoted(NAMES[found[1]](client), quoted=quoted), value)


def _quoted(code: str, *, quoted: bool) -> str:
    return quote(code, safe="/") if quoted else code


def send(client: Client, voice: str, call: str, body: Any) -> requests.Response:
    """The call as the client of that name sends it."""
    method, path = call.split(" ", 1)
    name, _, version = voice.partition(" ")
    headers = {"Accept": "application/json"} if name == "casp" else {"api_version": version or "1.2"}
    options: dict[str, Any] = {"headers": headers}
    whole = filled(client, body)
    if (method, path) == ("POST", "/integrations/documentstore/file"):
        options |= {"files": {"file": ("a.txt", whole.pop("file").encode(), "text/plain")}, "data": whole}
    elif body == "null":
        options |= {"data": b"null", "headers": {**headers, "Content-Type": "application/json"}}
    elif body is not None:
        options |= {"json": whole}
    return client.call(method, filled(client, path, quoted=True), **options)


def check(answer: requests.Response, shape: str) -> None:
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
    if shape == "empty":
        assert answer.content == b""
    elif shape == "bytes":
        assert answer.content
        assert "json" not in answer.headers["Content-Type"]
    else:
        _check_json(decoded(answer.content), shape)


def _check_json(body: Any, shape: str) -> None:
    kind = shape.removeprefix("bare ")
    if kind == shape:
        assert list(body) == ["message", "errors", "values"]
        assert body["errors"] is None
        body = body["values"]
    if kind == "null":
        assert body is None
    elif kind.startswith("paged "):
        assert list(body) == ["page", "total", "totalPages", "filteringParameters", "records"]
        assert all(isinstance(value, str) for value in body["filteringParameters"].values())
        assert not misfit(f"[{kind.removeprefix('paged ')}]", body["records"], "records")
    else:
        assert not misfit(kind, body, "values")


@pytest.mark.parametrize(("voice", "call", "shape"), READING)
def test_reading(client: Client, voice: str, call: str, shape: str) -> None:
    check(send(client, voice, call, None), shape)


@pytest.mark.parametrize(("voice", "call", "shape", "body"), WRITING)
def test_writing(client: Client, voice: str, call: str, shape: str, body: Any) -> None:
    check(send(client, voice, call, body), shape)
