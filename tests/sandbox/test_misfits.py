"""Records that do not fit their schema, fields that are gone, and how many records were served."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import requests

from airflow_provider_nexus.sandbox import Fault
from airflow_provider_nexus.sandbox.shapes import NO_AMOUNT, NO_DATE, many_digits
from tests.sandbox.conftest import Client, Make, decoded
from tests.sandbox.test_sums import grouped

NAMES = ("transactions", "broker_transactions", "customers", "accounts", "orders", "transfers", "mails", "hot_wallet_mutations")
AMOUNTS = {"transactions", "broker_transactions", "orders", "transfers", "hot_wallet_mutations"}
DATES = {"broker_transactions", "customers", "accounts", "orders", "transfers", "mails"}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for name, held in value.items() for k, v in leaves(held, f"{path}.{name}").items()}
    return {path: value}


def kind(value: Any) -> str:
    if value == NO_DATE:
        return "date"
    if value == NO_AMOUNT:
        return "amount"
    return "digits" if isinstance(value, Decimal) and len(value.as_tuple().digits) == 40 else ""


def differences(plain: list[bytes], spoiled: list[bytes]) -> list[dict[str, str]]:
    found = []
    for old, new in zip(map(decoded, plain), map(decoded, spoiled), strict=True):
        before, after = leaves(old), leaves(new)
        assert before.keys() == after.keys()
        found.append({path: kind(after[path]) for path in before if before[path] != after[path]})
    return found


@pytest.mark.parametrize("name", NAMES)
def test_one_field_of_a_share_of_the_rows(make: Make, name: str) -> None:
    client = make(transactions=3000, customers=1000)
    plain = client.sandbox.truth(name)
    client.sandbox.configure(misfit_share=0.2)
    found = differences(plain, client.sandbox.truth(name))
    hit = [each for each in found if each]
    assert all(len(each) == 1 for each in hit)
    assert {value for each in hit for value in each.values()} == {
        *({"digits", "amount"} if name in AMOUNTS else ()),
        *({"date"} if name in DATES else ()),
    }
    assert 0.1 < len(hit) / len(found) < 0.3
    assert not {path for each in hit for path in each} & {".created", ".transactionCode"}


@pytest.mark.parametrize("wanted", ["digits", "date", "amount"])
def test_kinds_to_choose(make: Make, wanted: str) -> None:
    client = make(misfit_share=1, misfits=(wanted,))
    for name in NAMES:
        offered = name in (DATES if wanted == "date" else AMOUNTS)
        for record in map(decoded, client.sandbox.truth(name)):
            assert [kind(value) for value in leaves(record).values() if kind(value)] == ([wanted] if offered else [])


def test_forty_digits() -> None:
    for text in ("0", "-0.5", "199.99", "-1E-08", "12345678901234567", "123456789012.12345678", "0.00", "1E+3"):
        sent = bytes(many_digits(Decimal(text)))
        assert re.fullmatch(rb"-?(0|[1-9]\d*)\.\d+", sent), sent
        assert len(Decimal(sent.decode()).as_tuple().digits) == 40
        assert abs(Decimal(sent.decode()) - Decimal(text)) < 1
        msgspec.json.decode(sent)


def test_the_same_in_lists_single_answers_and_truth(make: Make) -> None:
    client = make(misfit_share=0.5)
    listed = client.read_all("/transaction", limit=500)[::-1]
    assert listed == client.sandbox.truth("broker_transactions")
    for record in map(decoded, listed[:20]):
        assert client.values(f"/transaction/{record['transactionCode']}") == record


def test_children_and_short_lists(make: Make) -> None:
    client = make(misfit_share=0.5, other_shapes=["exchanges"])
    persons = [
        record
        for customer in map(decoded, client.sandbox.truth("customers"))
        for record in client.sandbox.truth("customer_persons", parent=customer["customerCode"])
    ]
    share = sum(any(map(kind, leaves(decoded(record)).values())) for record in persons) / len(persons)
    assert 0.2 < share < 0.8
    assert any(kind(value) for each in client.sandbox.truth("exchanges") for value in leaves(decoded(each)).values())


@pytest.mark.parametrize("query", [{"finishedFrom": "2026-02-10"}, {"amountFrom": "100"}, {"sortBy": "amount"}])
def test_filters_and_sorting_go_by_what_is_beneath(make: Make, query: dict[str, str]) -> None:
    client = make(transactions=2000)
    codes = [decoded(each)["orderCode"] for each in client.read_all("/orders", limit=500, **query)]
    client.sandbox.configure(misfit_share=1, removed_fields=["FINISHED"])
    assert [decoded(each)["orderCode"] for each in client.read_all("/orders", limit=500, **query)] == codes


def test_totals(make: Make) -> None:
    client = make(transactions=3000)
    plain = client.values("/transaction/totals")["totals"]
    client.sandbox.configure(misfit_share=1, misfits=["amount", "date"])
    assert client.values("/transaction/totals")["totals"] == plain
    client.sandbox.configure(misfits=["digits"])
    expected = grouped([decoded(each) for each in client.sandbox.truth("broker_transactions")])
    totals = client.values("/transaction/totals")["totals"]
    assert totals != plain
    assert {(each.pop("status"), each.pop("currencyCode")): each for each in totals} == expected


def test_removed_fields(make: Make) -> None:
    client = make(removed_fields=["PAYOUT", "finished", "cryptoAmount", "rate"], misfit_share=1)
    for name, gone in {"broker_transactions": {"payout", "finished", "cryptoAmount"}, "orders": {"finished"}}.items():
        assert not any(gone & decoded(record).keys() for record in client.sandbox.truth(name))
    record = decoded(client.page("/transaction").records[0])
    assert "payout" not in record
    assert "payout" not in client.values(f"/transaction/{record['transactionCode']}")
    assert "cryptoAmount" in decoded(client.sandbox.truth("hot_wallet_mutations")[0]), "a part of the key"
    assert "rate" not in decoded(client.sandbox.truth("currencies")[0])
    assert client.get("/transaction/totals").status_code == 200
    client.sandbox.configure(removed_fields=())
    assert "payout" in decoded(client.sandbox.truth("broker_transactions")[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"removed_fields": ["Created"]}, "Created can't be removed"),
        ({"removed_fields": ["transactionCode"]}, "transactionCode can't be removed"),
        ({"removed_fields": ["payoutt"]}, "did you mean 'payout'"),
        ({"removed_fields": "payout"}, "removed_fields is a list"),
        ({"misfits": ["dates"]}, "unknown misfits dates"),
        ({"misfit_share": 2}, "misfit_share is a share"),
        ({"lives": "eternal"}, "lives is 'eternal'"),
    ],
)
def test_refused(client: Client, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        client.sandbox.configure(**settings)


def test_records_served(client: Client) -> None:
    sandbox = client.sandbox
    assert sandbox.records_served == 0
    code = decoded(client.page("/transaction", limit=7).records[0])["transactionCode"]
    assert sandbox.records_served == 7
    client.values(f"/transaction/{code}")
    assert sandbox.records_served == 8
    portfolios = len(client.values("/portfolios"))
    currencies = len(client.values("/currencies")["currencies"])
    assert sandbox.records_served == 8 + portfolios + currencies
    client.values("/transaction/totals")
    client.get("/transaction/NOPE")
    sandbox.truth("customers")
    assert sandbox.records_served == 8 + portfolios + currencies, "sums, errors and the truth are no records served"
    sandbox.reset()
    assert sandbox.records_served == 0


def test_answers_that_do_not_arrive_serve_nothing(make: Make) -> None:
    client = make(faults=[Fault("status", status=503), Fault("garbage", first=2), Fault("drop_after", first=3)])
    for _ in range(2):
        client.get("/transaction")
    with pytest.raises(requests.ConnectionError):
        client.get("/transaction", limit=5)
    assert client.sandbox.records_served == 0
    client.get("/transaction", limit=5)
    assert client.sandbox.records_served == 5
