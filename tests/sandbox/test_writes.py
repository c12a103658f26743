"""Calls that change something, and what comes of it as the clock moves on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.sandbox.conftest import NOW, Client, Make, decoded
from tests.sandbox.writing import BUY, CUSTODIAN, codes, new_customer, ok


def test_customer(client: Client) -> None:
    made = new_customer(
        client,
        email="a@example.org",
        portfolioCode="PRIVATE",
        firstName="Ω",
        data={"MixedCase": "1"},
        bankAccounts=[{"bankAccountNumber": "NL01", "bankAccountName": "A"}],
        accounts=[{"accountType": "BROKER", "customerCryptoAddress": "bc1qxxxxxxxxxxxx", "cryptoCode": "BTC", "ip": "192.0.2.1"}],
    )
    assert (made["status"], made["trustlevel"], made["portFolioCode"], made["created"]) == (
        "ACTIVE",
        "Trusted",
        "PRIVATE",
        "2026-03-01T12:00:00Z",
    )
    assert (made["data"], made["bankAccount"], made["isBusiness"]) == ({"MixedCase": "1"}, "NL01", False)
    assert [(each["accountStatus"], each["dcCode"]) for each in made["accounts"]] == [("NEW", "BTC")]
    listed = client.page("/customer", limit=1)
    assert (listed.total, decoded(bytes(listed.records[0]))["customerCode"]) == (41, "acme-1")
    assert client.page("/customer/acme-1/bankaccounts").total == 1
    assert decoded(client.sandbox.truth("customers")[-1])["customerCode"] == "acme-1"
    changed = ok(client.put("/customer/acme-1", trustLevelCode="New", city="Ghent", fieldsToClear=["email"], firstName=None))
    assert (changed["trustlevel"], changed["city"], changed["email"], changed["firstName"]) == ("New", "Ghent", None, "Ω")
    gone = ok(client.call("DELETE", "/customer/acme-1"))
    assert (gone["customerStatus"], [each["accountStatus"] for each in gone["accounts"]]) == ("DELETED", ["DELETED"])
    assert client.values("/customer/acme-1")["status"] == "DELETED"
    assert codes(client.call("DELETE", "/customer/acme-1")) == (400, ["CustomerAlreadyDeleted"])


def test_seeded_customer_is_changed(client: Client) -> None:
    before = client.values("/customer/C0000000")
    ok(client.put("/customer/C0000000", Status="Blocked"))
    after = client.values("/customer/C0000000")
    assert after == {**before, "status": "BLOCKED"}
    assert client.page("/customer", status="blocked").total >= 1
    assert codes(client.post("/buy/custodian", customerCode="C0000000", **BUY)) == (400, ["InvalidCustomerStatus"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "CustomerCodeRequired"),
        ({"customerCode": "a b", "trustLevel": "New"}, "InvalidCustomerCode"),
        ({"customerCode": "x", "trustLevel": "Nope"}, "ValidationError"),
        ({"customerCode": "x", "trustLevel": "New", "status": "BLOCKED"}, "ValidationError"),
        ({"customerCode": "x", "trustLevel": "New", "portfolioCode": "NOPE"}, "PortfolioNotFound"),
        ({"customerCode": "x", "trustLevel": "New", "email": "nobody"}, "InvalidEmailAddress"),
        ({"customerCode": "C0000000", "trustLevel": "New"}, "CustomerExists"),
    ],
)
def test_customer_refused(client: Client, body: dict[str, str], code: str) -> None:
    answer = client.post("/customer", **body)
    assert codes(answer) == (400, [code])
    assert all(isinstance(problem, str) for problem in answer.json()["values"])


def test_duplicates_can_conflict(make: Make) -> None:
    client = make(duplicate_status=409)
    assert client.post("/customer", customerCode="C0000000", trustLevel="New").status_code == 409


def test_bad_bodies(client: Client) -> None:
    for body in (b"{", b"[1]"):
        assert codes(client.call("POST", "/customer", data=body)) == (400, ["InvalidRequestBody"])


def test_names_are_bound_without_case(client: Client) -> None:
    made = ok(client.post("/customer", CustomerCode="acme-2", TRUSTLEVEL="new", Email=None))
    assert (made["customerCode"], made["status"]) == ("acme-2", "NEW")


def test_account(client: Client) -> None:
    new_customer(client)
    made = ok(
        client.post("/customer/acme-1/accounts", accountType="BROKER", customerCryptoAddress="bc1qxxxxxxxxxxxx", cryptoCode="btc")
    )
    code = made["accountCode"]
    assert (len(code), made["accountStatus"], made["activated"]) == (8, "NEW", None)
    client.sandbox.advance(30)
    assert ok(client.get(f"/accounts/activate/{code}")) is None
    active = client.values(f"/accounts/{code}")
    assert (active["accountStatus"], active["activated"]) == ("ACTIVE", "2026-03-01T12:00:30Z")
    assert codes(client.get(f"/accounts/activate/{code}")) == (400, ["InvalidAccountStatus"])
    ok(client.call("DELETE", f"/accounts/{code}"))
    assert client.values(f"/accounts/{code}")["accountStatus"] == "DELETED"
    assert codes(client.call("DELETE", f"/accounts/{code}")) == (400, ["AccountAlreadyDeleted"])
    assert codes(client.call("DELETE", "/accounts/NOPE")) == (404, ["AccountNotFound"])
    bad = client.post("/customer/acme-1/accounts", accountType="BROKER", customerCryptoAddress="x", cryptoCode="BTC")
    assert codes(bad) == (400, ["ERRORMESSAGE007"])


def test_persons(client: Client) -> None:
    path = "/customer/C0000000/person"
    made = ok(
        client.post(path, lastName="Doe", types=["director", "Other"], ownershipPercentage=0.25, nationalityCountryCode="nl")
    )
    assert (made["types"], made["nationality"]["name"], made["updatedOn"]) == (["Director", "Other"], "Netherlands", None)
    assert made["ownershipPercentage"] == Decimal("0.2500")
    changed = ok(client.put(f"{path}/{made['id']}", firstName="J", fieldsToClear=["Type.Director", "lastName"]))
    assert (changed["firstName"], changed["lastName"], changed["types"], changed["updatedBy"]) == ("J", None, ["Other"], "api")
    assert [decoded(bytes(each))["id"] for each in client.page(path).records] == [made["id"]]
    ok(client.call("DELETE", f"{path}/{made['id']}"))
    assert client.page(path).total == 0
    for body in ({"types": ["Boss"]}, {"dateOfBirth": "1.1.2000"}, {"ownershipPercentage": 2}):
        assert codes(client.post(path, **body)) == (400, ["ValidationError"])


def test_bank_accounts(client: Client) -> None:
    path = "/customer/C0000000/bankAccounts"
    seeded = decoded(bytes(client.page(path).records[0]))
    bank = {"bicCode": "NEWBNL2A", "name": "New Bank", "countryCode": "NL"}
    made = ok(client.post(path, number="NL99", currencyCode="EUR", isPrimary=True, bank=bank))
    primary = {each["number"]: each["isPrimary"] for each in map(decoded, client.read_all(path))}
    assert primary == {seeded["number"]: False, "NL99": True}
    assert made["bank"]["name"] == "New Bank"
    assert client.values("/customer/C0000000")["bankAccount"] == "NL99"
    ok(client.put(f"{path}/{seeded['id']}", number=seeded["number"], customerCode="C0000000", isPrimary=True))
    primary = {each["number"]: each["isPrimary"] for each in map(decoded, client.read_all(path))}
    assert primary == {seeded["number"]: True, "NL99": False}
    ok(client.call("DELETE", f"{path}/{made['id']}"))
    assert client.page(path).total == 1
    assert codes(client.post(path, number="NL1")) == (400, ["ValidationError"])


def test_mails(client: Client) -> None:
    body = {"type": "ReviewRequest", "references": {"customerCode": "C0000000"}, "recipient": {"email": "a@example.org "}}
    made = ok(client.post("/mail", **body))
    assert (made["status"], made["sent"], made["content"]["html"]) == ("ReadyToSend", "", None)
    changed = ok(client.put(f"/mail/{made['code']}", content={"subject": "S", "html": "<b>", "text": "T"}))
    assert changed["content"] == {"subject": "S", "html": "<b>", "text": "T"}
    client.sandbox.advance(5)
    sent = ok(client.put(f"/mail/{made['code']}/sent"))
    assert (sent["status"], sent["sent"]) == ("Sent", "2026-03-01T12:00:05Z")
    ready = decoded(bytes(client.page("/mail", status="ReadyToSend").records[0]))
    assert ok(client.put(f"/mail/{ready['code']}/sent"))["status"] == "Sent"
    for recipient, code in (
        ({"email": "x"}, "InvalidEmailAddress"),
        ({"email": "a@b.c", "cc": "a@b.c,x"}, "InvalidCCEmailAddress"),
    ):
        assert codes(client.post("/mail", **{**body, "recipient": recipient})) == (400, [code])
    assert codes(client.post("/mail", **{**body, "references": {}})) == (400, ["ValidationError"])


def test_orders(client: Client) -> None:
    body = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Market", "crypto": "BTC", "currency": "EUR", "amount": 1000}
    made = ok(client.post("/orders", **body))
    assert (made["status"], made["finished"], made["originalValidTill"]) == ("Initiated", None, "2026-03-02T12:00:00Z")
    assert made["amount"] == Decimal("1000.00")
    assert ok(client.put(f"/orders/{made['orderCode']}/cancel")) is None
    client.sandbox.advance(60)
    gone = client.values(f"/orders/{made['orderCode']}")
    assert (gone["status"], gone["finished"]) == ("CANCELLED", "2026-03-01T12:00:00Z")
    assert codes(client.put(f"/orders/{made['orderCode']}/cancel")) == (400, ["InvalidOrderStatus"])
    other = ok(client.post("/orders", **body))
    assert other["orderCode"] != made["orderCode"]
    client.sandbox.advance(2 * 86_400)
    assert client.values(f"/orders/{other['orderCode']}")["finished"]
    assert codes(client.post("/orders", **{**body, "exchangeCode": "NOPE"})) == (404, ["ExchangeNotFound"])
    assert codes(client.post("/orders", **{**body, "type": "Limit"})) == (400, ["ValidationError"])
    assert codes(client.post("/orders", exchangeCode="KRAKEN")) == (400, ["ValidationError"])


def test_transfers(client: Client) -> None:
    body = {"sourceType": "HotWallet", "sinkType": "Exchange", "sinkExchangeCode": "KRAKEN", "amount": 0.5, "cryptoCode": "BTC"}
    assert ok(client.post("/transfers", **body)) is None
    newest = decoded(bytes(client.page("/transfers", limit=1).records[0]))
    assert (newest["type"], newest["status"], newest["amount"]) == ("DEPOSIT", "Initiated", Decimal("0.50000000"))
    assert newest["address"]["sinkExchangeCode"] == "KRAKEN"
    client.sandbox.advance(2 * 86_400)
    found = [each for each in map(decoded, client.sandbox.truth("transfers")) if each["transferCode"] == newest["transferCode"]]
    assert found[0]["status"].isupper()
    assert found[0]["finished"]


def test_buckets_and_portfolios(client: Client) -> None:
    assert [each["code"] for each in ok(client.post("/buckets", code="B0", name="Mine"))] == ["B0"]
    assert client.page("/buckets").total == 301
    assert ok(client.post("/portfolios", code="P1")) == [{"code": "P1", "name": "P1", "mailsEnabled": True}]
    assert [each["code"] for each in client.values("/portfolios")][-1] == "P1"
    assert codes(client.post("/portfolios", code="P1")) == (400, ["PortfolioExists"])
    assert codes(client.post("/buckets", code="B1")) == (400, ["ValidationError"])


def test_the_rate_of_a_part_of_an_interval(client: Client) -> None:
    path = "/interest/custodian/schedules"
    schedule = decoded(client.read_all(path)[0])
    part = schedule["intervals"][1]["subIntervals"][2]
    changed = ok(client.put(f"/interest/custodian/subintervals/{part['id'].upper()}", adjustedRate=0.07))
    assert changed == {**part, "adjustedRate": Decimal("0.07")}
    assert decoded(client.read_all(path)[0])["intervals"][1]["subIntervals"][2] == changed
    assert client.values(f"/interest/custodian/intervals/{schedule['intervals'][1]['id']}")["subIntervals"][2] == changed
    assert codes(client.get("/interest/custodian/intervals/7")) == (404, ["IntervalNotFound"])


def test_who_is_on_a_list_is_found(client: Client) -> None:
    client.sandbox.configure(sanctioned=["Ada van Dam", "BC1Q7", "ada VAN dam"])

    def hits(**body: object) -> dict[str, int]:
        found = ok(client.post("/sanction/search", **body))
        return {code: len(entries) for code, entries in found["listResults"].items()}

    assert hits(name="ADA  van dam") == {"EU": 1, "OFAC": 0, "UN": 1}
    assert hits(name="dam ada van") == hits(name="Ada van") == hits() == {"EU": 0, "OFAC": 0, "UN": 0}
    assert hits(name="dam ada van", fuzzySearch=True, lists="OFAC|UN") == {"OFAC": 0, "UN": 1}
    assert hits(cryptoAddress="bc1q7") == {"EU": 0, "OFAC": 1, "UN": 0}
    client.sandbox.configure(sanctioned=())
    assert hits(name="Ada van Dam") == {"EU": 0, "OFAC": 0, "UN": 0}


def test_hits_that_were_marked_as_no_match(client: Client) -> None:
    lists = [{"code": "EU", "version": "52.0"}, {"code": "OFAC", "version": "52.0"}]
    for environment in ("TEST", "PROD"):
        marked = client.post("/sanction/validatedentry", entityCode="7", environmentCode=environment, sanctionLists=lists)
        assert (marked.status_code, marked.content) == (200, b"")
    path = "/sanction/validatedentry/EU/7"
    assert [each["environmentCode"] for each in client.values(path)] == ["TEST", "PROD"]
    assert client.call("DELETE", f"{path}?EnvironmentCode=TEST").content == b""
    assert [each["environmentCode"] for each in client.values(path)] == ["PROD"]
    assert len(client.values("/sanction/validatedentry/OFAC/7", EnvironmentCode="TEST")) == 1
    assert client.values("/sanction/validatedentry/EU/8") == []


def test_written_rows_lie_in_the_window_of_their_stamp(client: Client) -> None:
    new_customer(client)
    ok(client.post("/buy/custodian", customerCode="acme-1", **BUY))
    client.sandbox.advance(3 * 86_400)
    assert client.read_all(CUSTODIAN, sortBy="created", limit=50) == client.sandbox.truth("transactions")
    start = NOW - timedelta(seconds=1)
    window = [
        decoded(record)["customerCode"] for record in client.sandbox.truth("transactions", start, NOW + timedelta(seconds=1))
    ]
    assert "acme-1" in window


def test_reset_drops_writes(client: Client) -> None:
    new_customer(client)
    client.sandbox.reset()
    assert client.get("/customer/acme-1").status_code == 404
