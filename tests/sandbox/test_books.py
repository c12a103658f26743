"""Reserves and balances add up to what orders, transfers, the ledger and transactions say, unless they are to be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest

from tests.sandbox.conftest import NOW, Client, decoded

START = NOW - timedelta(days=30)
Place = tuple[str, str | None, str]
WRONG = ("lost_mutation", "lost_ledger_entry", "doubled_fee", "price_of_another_day")


def reserves(client: Client, at: Any) -> dict[Place, Decimal]:
    values, found = client.values("/reserves", reservesTimeStamp=f"{at:%FT%TZ}"), defaultdict[Place, Decimal](Decimal)
    for each in values["currencyReserves"] + values["cryptoReserves"]:
        found[each["type"], each["exchangeCode"], each["code"]] += Decimal(each["total"])
    return found


def moved(client: Client) -> dict[Place, Decimal]:
    """What records say that each place has gained, by rules written down a second time."""
    found = defaultdict[Place, Decimal](Decimal)
    for order in map(decoded, client.sandbox.truth("orders")):
        pair, done = order["tradePair"], order["executed"]
        if done["amount"] is not None and order["finished"]:
            sign = {"Buy": 1, "Sell": -1}[order["action"]]
            found["Exchange", pair["exchangeCode"], pair["cryptoCode"]] += sign * done["amount"]
            found["Exchange", pair["exchangeCode"], pair["currencyCode"]] -= sign * done["value"] + done["fee"]
    for transfer in map(decoded, client.sandbox.truth("transfers")):
        ends, amount = transfer["address"], transfer["amount"]
        if transfer["status"] == "COMPLETED":
            if ends["sinkType"] != "HotWallet":
                found[ends["sinkType"], ends["sinkExchangeCode"], transfer["cryptoCode"]] += amount
            if ends["sourceType"] != "HotWallet":
                found[ends["sourceType"], ends["sourceExchangeCode"], transfer["cryptoCode"]] -= amount
    for entry in map(decoded, client.sandbox.truth("hot_wallet_mutations")):
        found["HotWallet", None, entry["cryptoCode"]] += entry["cryptoAmount"]
    return found


def wrong_places(client: Client) -> dict[Place, Decimal]:
    before, now, gained = reserves(client, START - timedelta(days=1)), reserves(client, NOW), moved(client)
    places = {place: now[place] - before[place] - gained.get(place, 0) for place in set(now) | set(gained)}
    return {place: lack for place, lack in places.items() if lack}


def wrong_balances(client: Client) -> dict[str, Decimal]:
    told = defaultdict[str, Decimal](Decimal)
    for each in client.values("/balances", balanceDateTime=f"{NOW:%FT%TZ}")["cryptoBalances"]:
        told[each["code"]] += each["total"]
    for each in map(decoded, client.sandbox.truth("transactions")):
        if each["status"] == "COMPLETED" and each["balanceMutation"]:
            told[each["cryptoCode"]] -= each["balanceMutation"]["crypto"]
    return {code: lack for code, lack in told.items() if lack}


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    with localcontext(prec=80):
        yield


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make(customers=60, transactions=3000, arrivals_per_hour=0, clock_speed=0)


@pytest.mark.parametrize("lives", ["short", "long"])
def test_books_are_right(make: Callable[..., Client], lives: str) -> None:
    client = make(customers=60, transactions=3000, lives=lives, arrivals_per_hour=0, clock_speed=0)
    assert wrong_places(client) == {}
    assert wrong_balances(client) == {}
    hot = {each["cryptoCode"]: Decimal(each["confirmedReserve"]) for each in client.get("/balances/hotwallet").json()}
    assert hot.keys() == {code for kind, _, code in reserves(client, NOW) if kind == "HotWallet"}


def test_a_moment_in_between_is_that_of_its_rows(client: Client) -> None:
    """Sums of old rows that were made for a later moment are no part of an earlier one."""
    late = reserves(client, NOW)
    early = reserves(client, NOW - timedelta(days=20))
    assert early != late
    assert reserves(client, NOW - timedelta(days=20)) == early
    assert reserves(client, NOW) == late


@pytest.mark.parametrize("wrong", WRONG)
def test_each_wrong_book_is_wrong_once(client: Client, wrong: str) -> None:
    client.sandbox.configure(wrong_books=[wrong])
    places, balances = wrong_places(client), wrong_balances(client)
    assert len(balances) == (wrong == "lost_mutation")
    assert len(places) == (wrong != "lost_mutation")
    if places:
        ((kind, _, code),) = places
        assert (kind, code in ("EUR", "USD", "GBP", "CHF")) == (
            ("HotWallet", False) if wrong == "lost_ledger_entry" else ("Exchange", True)
        )


def test_what_is_written_moves_too(client: Client) -> None:
    body = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Market", "crypto": "BTC", "currency": "EUR", "amount": 100}
    assert client.post("/orders", **body).status_code == 200
    before = reserves(client, NOW)["Exchange", "KRAKEN", "EUR"]
    client.sandbox.advance(86_400)
    after = reserves(client, NOW + timedelta(days=1))["Exchange", "KRAKEN", "EUR"]
    order = decoded(client.sandbox.truth("orders")[-1])
    open_before = [
        each
        for each in map(decoded, client.sandbox.truth("orders")[:-1])
        if each["tradePair"]["exchangeCode"] == "KRAKEN"
        and each["tradePair"]["currencyCode"] == "EUR"
        and each["executed"]["amount"] is not None
        and each["finished"] > f"{NOW:%FT%TZ}"
    ]
    sign = {"Buy": -1, "Sell": 1}
    gained = sum(sign[each["action"]] * each["executed"]["value"] - each["executed"]["fee"] for each in [*open_before, order])
    assert order["status"] == "FILLED"
    assert after - before == gained


def test_a_name_that_is_none_is_refused(make: Callable[..., Client]) -> None:
    with pytest.raises(ValueError, match=r"unknown wrong_books lost_fee"):
        make(wrong_books=["lost_fee"])
