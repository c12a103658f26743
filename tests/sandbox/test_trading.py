"""Trading calls, and what comes of them as the clock moves on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_nexus.sandbox.data.customers import BROKER_PLACE
from tests.sandbox.conftest import NOW, Client, decoded
from tests.sandbox.writing import BUY, CUSTODIAN, codes, new_customer, ok, transaction


def test_buy_in_custody(client: Client) -> None:
    new_customer(client)
    simulated = ok(client.post("/buy/custodian/simulate", customerCode="acme-1", **BUY))["transaction"]
    assert (simulated["status"], simulated["transactionCode"]) == ("SIMULATED", None)
    assert client.page(CUSTODIAN, customerCode="acme-1").total == 0
    made = ok(client.post("/buy/custodian", customerCode="acme-1", data={"Key": "v"}, paymentReference="r", **BUY))["transaction"]
    assert (made["type"], made["status"], made["paymentReference"], made["data"]) == ("BUY", "Initiated", "r", {"Key": "v"})
    assert (made["fiatAmountToPay"], made["requestedAmounts"]["fiatValue"]) == (Decimal("250.50"), Decimal("250.50"))
    newest = decoded(bytes(client.page(CUSTODIAN, limit=1).records[0]))
    assert newest["transactionCode"] == made["transactionCode"]
    assert "data" not in newest
    assert client.page("/customer/acme-1/accounts", cryptoCode="BTC").total == 1
    assert client.values("/balances/customers/acme-1")["cryptoBalances"] == []
    assert client.page("/balances/hotwallet/mutations", transactionCode=made["transactionCode"]).total == 2
    client.sandbox.advance(600)
    done = transaction(client, made["transactionCode"])
    assert (done["status"], done["executedAmounts"]) == ("COMPLETED", done["requestedAmounts"])
    balance = client.values("/balances/customers/acme-1")["cryptoBalances"]
    assert [(each["code"], each["total"]) for each in balance] == [("BTC", done["balanceMutation"]["crypto"])]


def test_repeated_posts_make_two(client: Client) -> None:
    new_customer(client)
    made = {ok(client.post("/buy/custodian", customerCode="acme-1", **BUY))["transaction"]["transactionCode"] for _ in range(2)}
    assert len(made) == 2
    assert client.page(CUSTODIAN, customerCode="acme-1").total == 2


def bought(client: Client) -> None:
    new_customer(client)
    new_customer(client, "acme-2")
    ok(client.post("/buy/custodian", customerCode="acme-1", **BUY))
    client.sandbox.advance(600)


SOURCE = {"customerCode": "acme-1", "cryptoCode": "BTC", "currencyCode": "EUR", "cryptoAmount": 0.001}
TAKING: list[tuple[str, dict[str, Any]]] = [
    ("/sell/custodian", {**SOURCE, "paymentMethodCode": "CUST_SELL_SEPA"}),
    ("/clawback/custodian", SOURCE),
    ("/sendout/custodian", {"paymentMethodCode": "CUST_SENDOUT", "source": SOURCE, "destination": {"address": "bc1qabcdefghij"}}),
    (
        "/sendtobucket/custodian",
        {"paymentMethodCode": "CUST_SENDTOBUCKET", "source": SOURCE, "destination": {"bucketCode": "BUCKET0001"}},
    ),
    (
        "/sendinternal/custodian",
        {"paymentMethodCode": "CUST_SENDINTERNAL", "source": SOURCE, "destination": {"customerCode": "acme-2"}},
    ),
    (
        "/swap/custodian",
        {"paymentMethodCode": "CUST_SWAP", "customerCode": "acme-1", "source": SOURCE, "destination": {"cryptoCode": "ETH"}},
    ),
]


@pytest.mark.parametrize(("path", "body"), TAKING, ids=[path for path, _ in TAKING])
def test_taking_from_a_balance(client: Client, path: str, body: dict[str, Any]) -> None:
    bought(client)
    amount = Decimal("0.00100000")
    before = client.values("/balances/customers/acme-1")["cryptoBalances"][0]["total"]
    if path not in ("/clawback/custodian", "/sendtobucket/custodian"):
        assert "SIMULATED" in client.post(f"{path}/simulate", **body).text
    values = ok(client.post(path, **body))
    made = values.get("transaction") or values["sourceTransaction"]
    if "sourceTransaction" in values:
        other = values["destinationTransaction"]
        assert (made["linkedTransactionCode"], other["linkedTransactionCode"]) == (
            other["transactionCode"],
            made["transactionCode"],
        )
        assert (made["direction"], other["direction"]) == ("SOURCE", "DESTINATION")
    client.sandbox.advance(600)
    assert transaction(client, made["transactionCode"])["status"] == "COMPLETED"
    after = {each["code"]: each["total"] for each in client.values("/balances/customers/acme-1")["cryptoBalances"]}
    assert after["BTC"] == before - amount
    if path == "/sendinternal/custodian":
        assert client.values("/balances/customers/acme-2")["cryptoBalances"][0]["total"] == amount
    if path == "/swap/custodian":
        assert after["ETH"] > 0
    body = {**body, "cryptoAmount": 5} if "source" not in body else {**body, "source": {**SOURCE, "cryptoAmount": 5}}
    refused = client.post(path, **body)
    assert codes(refused) == (400, ["LowBalance"])
    assert refused.json()["values"] == {"limitReasons": ["LowBalance"]}


def test_gift_and_requests(client: Client) -> None:
    new_customer(client)
    gift = ok(client.post("/gift/custodian", customerCode="acme-1", **{**BUY, "paymentMethodCode": "CUST_GIFT"}))["transaction"]
    client.sandbox.advance(60)
    assert transaction(client, gift["transactionCode"])["status"] == "COMPLETED"
    body = {"cryptoCode": "BTC", "currencyCode": "EUR", "cryptoAmount": 0.01, "paymentMethodCode": "CUST_RECEIVEIN"}
    asked = ok(client.post("/paymentrequest/custodian", callbackUrl="https://example.org/cb", **body))
    assert asked["paymentUri"].startswith("bitcoin:")
    assert (asked["transaction"]["customerCode"], asked["transaction"]["type"]) == (None, "RECEIVEIN")
    client.sandbox.advance(600)
    page = client.page(f"{CUSTODIAN}/{asked['transaction']['transactionCode']}/callbacks")
    assert {decoded(bytes(each))["url"] for each in page.records} == {"https://example.org/cb"}


def test_broker_trades_of_casp(client: Client) -> None:
    new_customer(client)
    made = ok(client.post("/brokerbuy", customerCode="acme-1", destinationAddress="bc1qabcdefghij", **BUY))["transaction"]
    assert (made["type"], made["destinationCryptoAddress"]) == ("BROKERBUY", "bc1qabcdefghij")
    classic = client.values(f"/transaction/{made['transactionCode']}")
    assert (classic["status"], classic["tradeValue"]) == ("BuyIncasso", Decimal("250.50"))
    client.sandbox.advance(600)
    assert client.values(f"/transaction/{made['transactionCode']}")["status"] == "BuyCompleted"
    asked = ok(client.post("/paymentrequest/brokersell", customerCode="acme-1", **{**BUY, "paymentMethodCode": "SELL_SEPA"}))[
        "transaction"
    ]
    assert asked["type"] == "BROKERSELL"
    assert client.page("/transaction").total == 242
    assert decoded(client.sandbox.truth("broker_transactions")[-1])["transactionCode"] == asked["transactionCode"]


def test_broker_trades_of_classic(client: Client) -> None:
    account = decoded(client.sandbox.truth("accounts")[BROKER_PLACE])
    assert account["accountType"] == "Broker"
    body = {"paymentMethodCode": "BUY_IDEAL", "accountCode": account["accountCode"], "amount": 100, "currency": "EUR"}
    price = ok(client.post("/buy/broker/simulate", **body))
    assert (
        price["totalCurrencyToPay"]
        == price["totalCurrency"] + price["currencyBankFee"] + price["currencyServiceFee"] + price["currencyNetworkFee"]
    )
    started = ok(client.post("/buy/broker", **body))
    assert (started["status"], started["customerCode"]) == ("BuyIncasso", "C0000000")
    sell = {"accountCode": account["accountCode"], "paymentMethodCode": "SELL_SEPA", "cryptoAmount": 0.1}
    assert ok(client.post("/sell/broker/simulate", **sell))["valueInFiatBeforeFees"] > 0
    sold = ok(client.post("/sell/broker", **sell))
    assert sold["cryptoAddress"].endswith(" ")
    client.sandbox.advance(600)
    for code, status in ((started["transactionCode"], "BuyCompleted"), (sold["transactionCode"], "SellCompleted")):
        record = client.values(f"/transaction/{code}")
        assert (record["status"], bool(record["finished"])) == (status, True)
    assert codes(client.post("/sell/broker", **{**sell, "accountCode": "ANONE000"})) == (404, ["AccountNotFound"])


def test_requested_price_has_a_band(client: Client) -> None:
    new_customer(client)
    price = client.values("/prices/eur/btc")["prices"]["BTC"]["buy"]
    for factor, code in (("1.2", "RequestedHigherThanMaximum"), ("0.8", "RequestedLowerThanMinimum")):
        wanted = float(price * Decimal(factor))
        assert codes(client.post("/buy/custodian", customerCode="acme-1", requestedPrice=wanted, **BUY)) == (400, [code])
    assert client.post("/buy/custodian", customerCode="acme-1", requestedPrice=float(price), **BUY).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"customerCode": "nobody"}, (404, ["CustomerNotFound"])),
        ({"cryptoCode": "DOGE"}, (400, ["CryptoCurrencyNotFound"])),
        ({"currencyCode": "SEK"}, (400, ["CurrencyNotFound"])),
        ({"paymentMethodCode": "NOPE"}, (400, ["PaymentMethodNotFound"])),
        ({"fiatValue": -1}, (400, ["ValidationError"])),
        ({"fiatValue": "much"}, (400, ["ValidationError"])),
        ({"fiatValue": None}, (400, ["ValidationError"])),
        ({"accountCode": "ANONE000"}, (404, ["AccountNotFound"])),
    ],
)
def test_trades_refused(client: Client, change: dict[str, Any], code: tuple[int, list[str]]) -> None:
    new_customer(client)
    assert codes(client.post("/buy/custodian", **{"customerCode": "acme-1", **BUY, **change})) == code
    assert client.page(CUSTODIAN, customerCode="acme-1").total == 0


def test_new_customers_may_not_trade(client: Client) -> None:
    ok(client.post("/customer", customerCode="new", trustLevel="New"))
    assert codes(client.post("/buy/custodian", customerCode="new", **BUY)) == (400, ["InvalidCustomerStatus"])
    ok(client.put("/customer/new", status="ACTIVE"))
    assert client.post("/buy/custodian", customerCode="new", **BUY).status_code == 200


def test_staged_and_cancelled(client: Client) -> None:
    new_customer(client)
    made = ok(client.post("/brokerbuy", customerCode="acme-1", stage=True, **BUY))["transaction"]
    client.sandbox.advance(86_400)
    assert transaction(client, made["transactionCode"])["status"] == "Staged"
    path = f"{CUSTODIAN}/{made['transactionCode']}/cancel"
    assert ok(client.call("POST", path, data=b"null"))["transaction"]["status"] == "CANCELLED"
    assert codes(client.post(path)) == (400, ["InvalidTransactionStatus"])
    assert transaction(client, made["transactionCode"])["status"] == "CANCELLED"
    assert codes(client.post(f"{CUSTODIAN}/NOPE/cancel")) == (404, ["TransactionNotFound"])


def test_cancelling_a_seeded_transaction(client: Client) -> None:
    blocked = next(each for each in map(decoded, client.sandbox.truth("transactions")) if each["status"] == "BLOCKED")
    ok(client.post(f"{CUSTODIAN}/{blocked['transactionCode']}/cancel"))
    assert transaction(client, blocked["transactionCode"])["status"] == "CANCELLED"
    assert client.page(CUSTODIAN, transactionCode=blocked["transactionCode"], status="cancelled").total == 1


def test_payout(client: Client) -> None:
    bought(client)
    body = {**SOURCE, "paymentMethodCode": "CUST_SELL_SEPA"}
    code = ok(client.post("/sell/custodian", **body))["transaction"]["transactionCode"]
    path = f"{CUSTODIAN}/{code}"
    assert codes(client.put(f"{path}/payout")) == (400, ["InvalidTransactionStatus"])
    client.sandbox.advance(150)
    assert transaction(client, code)["status"] == "ToPayout"
    confirming = ok(client.put(f"{path}/payoutconfirming", paymentReference="P-1"))["transaction"]
    assert (confirming["status"], confirming["paymentReference"]) == ("PayoutConfirming", "P-1")
    client.sandbox.advance(86_400)
    assert transaction(client, code)["status"] == "PayoutConfirming", "it waits for the call"
    assert ok(client.put(f"{path}/payout"))["transaction"]["status"] == "COMPLETED"


def test_sells_wait_for_their_payout(client: Client) -> None:
    client.sandbox.configure(payouts="awaited", customers=50, transactions=2000, days=2)
    since = (NOW - timedelta(hours=6)).isoformat()

    def statuses(*, of_late: bool) -> dict[str, str]:
        records = map(decoded, client.sandbox.truth("transactions", end=NOW))
        sells = [each for each in records if each["type"] == "SELL" and (each["created"] >= since) is of_late]
        return {each["transactionCode"]: each["status"] for each in sells}

    client.sandbox.advance(7 * 86_400)
    assert "COMPLETED" in statuses(of_late=False).values()
    assert "ToPayout" not in statuses(of_late=False).values()
    assert "COMPLETED" not in statuses(of_late=True).values()
    code = next(code for code, status in statuses(of_late=True).items() if status == "ToPayout")
    assert ok(client.put(f"{CUSTODIAN}/{code}/payout"))["transaction"]["status"] == "COMPLETED"
    assert [each for each, status in statuses(of_late=True).items() if status == "COMPLETED"] == [code]
