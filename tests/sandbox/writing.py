"""What the tests of writing calls share."""

from __future__ import annotations

from typing import Any

from tests.sandbox.conftest import Client, decoded

BUY = {"cryptoCode": "BTC", "currencyCode": "EUR", "fiatValue": 250.5, "paymentMethodCode": "CUST_BUY_IDEAL"}
CUSTODIAN = "/transactions/custodian"


def ok(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return decoded(answer.content)["values"] if answer.content else None


def codes(answer: Any) -> tuple[int, list[str]]:
    return answer.status_code, answer.json()["errors"]


def new_customer(client: Client, code: str = "acme-1", **more: Any) -> Any:
    return ok(client.post("/customer", customerCode=code, trustLevel="Trusted", status="ACTIVE", **more))


def transaction(client: Client, code: str) -> Any:
    return client.values(f"{CUSTODIAN}/{code}")
