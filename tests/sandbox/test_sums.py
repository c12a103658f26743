"""Totals and balances against the records that they are made of."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest

from airflow_provider_nexus.api.timestamps import to_wire
from tests.sandbox.conftest import NOW, Client, Make, decoded

SUMMED = {
    "payoutValue": "payout",
    "tradeValue": "tradeValue",
    "bankCommission": "bankCommission",
    "partnerCommission": "partnerCommission",
    "networkCommission": "networkCommission",
}


def grouped(records: list[Any]) -> dict[tuple[str, str], dict[str, Decimal]]:
    groups: dict[tuple[str, str], dict[str, Decimal]] = {}
    with localcontext() as context:
        context.prec = 60
        for record in records:
            group = groups.setdefault((record["status"].upper(), record["currencyCode"]), defaultdict(Decimal))
            group["transactionCount"] += 1
            for name, source in SUMMED.items():
                group[name] += Decimal(str(record[source] or 0))
    return groups


@pytest.mark.parametrize(
    "query", [{}, {"startDate": to_wire(NOW - timedelta(days=9)), "type": "Sell"}, {"status": "BUYCOMPLETED"}]
)
def test_totals(make: Make, query: dict[str, str]) -> None:
    client = make(transactions=3000)
    records = [decoded(record) for record in client.read_all("/transaction", limit=500, sortBy="created", **query)]
    answer = client.values("/transaction/totals", **query)
    expected = grouped(records)
    found = {(each.pop("status"), each.pop("currencyCode")): each for each in answer["totals"]}
    assert {group: {name: Decimal(str(value)) for name, value in each.items()} for group, each in found.items()} == expected
    assert set(answer["filteringParameters"]) == set(query)
    assert all(status.isupper() for status, _ in found)
    assert len(found) > 2 if not query else found


def test_totals_are_written_without_exponents(make: Make) -> None:
    text = make(transactions=3000).get("/transaction/totals").text
    assert "E-" not in text
    assert "E+" not in text


def balances(client: Client, path: str = "/balances", **query: Any) -> dict[str, Decimal]:
    return {each["code"]: Decimal(str(each["total"])) for each in client.values(path, **query)["cryptoBalances"]}


def mutations(records: list[Any]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    with localcontext() as context:
        context.prec = 60
        for record in records:
            if record["balanceMutation"] and record["status"] == "COMPLETED":
                sums[record["cryptoCode"]] += Decimal(str(record["balanceMutation"]["crypto"]))
    return sums


def nonzero(sums: dict[str, Decimal]) -> dict[str, Decimal]:
    return {code: value for code, value in sums.items() if value}


@pytest.mark.parametrize("settings", [{"transactions": 4500, "days": 60}, {"delete_share": 0.3, "delete_seconds": 1}])
def test_balances(make: Make, settings: dict[str, Any]) -> None:
    client = make(**settings)
    client.sandbox.advance(3600)
    records = [decoded(record) for record in client.sandbox.truth("transactions")]
    assert nonzero(balances(client)) == nonzero(mutations(records))
    assert balances(client) == balances(client), "the same from what was kept"
    code = decoded(client.sandbox.truth("customers")[0])["customerCode"]
    own = [record for record in records if record["customerCode"] == code]
    assert nonzero(balances(client, f"/balances/customers/{code}")) == nonzero(mutations(own))
    earlier = NOW - timedelta(days=10)
    then = [decoded(record) for record in client.sandbox.truth("transactions", at=earlier)]
    if "delete_share" not in settings:
        assert nonzero(balances(client, balanceDateTime=to_wire(earlier))) == nonzero(mutations(then))


def test_balances_follow_a_cancellation(make: Make) -> None:
    client = make(transactions=4500, days=60)
    client.values("/balances")
    blocked = [
        each
        for each in map(decoded, client.sandbox.truth("transactions"))
        if each["status"] == "BLOCKED" and each["type"] == "SELL"
    ]
    before = {each["code"]: each["locked"] for each in client.values("/balances")["cryptoBalances"]}
    client.post(f"/transactions/custodian/{blocked[0]['transactionCode']}/cancel")
    after = {each["code"]: each["locked"] for each in client.values("/balances")["cryptoBalances"]}
    changed = {code for code in before if before[code] != after[code]}
    assert changed == {blocked[0]["cryptoCode"]}


def test_available_is_total_less_locked(client: Client) -> None:
    for each in client.values("/balances")["cryptoBalances"]:
        assert each["available"] == each["total"] - each["locked"]
