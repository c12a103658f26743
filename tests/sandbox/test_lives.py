"""Long lives: shares and ages of ends, what stays when a row is taken back, and lists, totals and balances that agree."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.sandbox.data.progress import LONGEST_LIFE, long_life
from airflow_provider_nexus.sandbox.stamps import DAY, MINUTE
from tests.sandbox.conftest import NOW, Client, Make, decoded
from tests.sandbox.counting import counted
from tests.sandbox.test_sums import balances, grouped, mutations, nonzero

QUIET = {"lives": "long", "days": 10, "arrivals_per_hour": 0}
"""After 80 days nothing changes any more."""
DAYS = 86_400


def read(client: Client, name: str, at: datetime | None = None) -> dict[str, Any]:
    key = {"orders": "orderCode", "transfers": "transferCode"}.get(name, "transactionCode")
    return {record[key]: record for record in map(decoded, client.sandbox.truth(name, at=at))}


def test_shares_of_lives() -> None:
    lives = [long_life(seed) for seed in range(100_000)]
    bounds = (DAY // 1000, DAY * 3 // 100, 3 * DAY, 20 * DAY, 45 * DAY)
    shares = [sum(low <= life.ends < high for life in lives) / len(lives) for low, high in pairwise(bounds)]
    assert shares == pytest.approx([0.80, 0.14, 0.05, 0.01], abs=0.005)
    assert sum(life.is_cancelled for life in lives) / len(lives) == pytest.approx(0.03, abs=0.003)
    back = [life for life in lives if life.taken_back]
    assert len(back) / len(lives) == pytest.approx(0.0097, abs=0.001)
    assert not any(life.is_cancelled for life in back)
    assert all(DAY // 10 <= life.taken_back - life.ends < 25 * DAY for life in back)
    assert max(life.taken_back or life.ends for life in lives) < LONGEST_LIFE
    assert min(life.settles for life in lives) >= MINUTE
    assert all(life.settles < DAY * 3 // 100 for life in lives if life.ends >= 20 * DAY), "held within the hour"


def test_short_is_the_default(make: Make) -> None:
    assert make().sandbox.truth("transactions") == make(lives="short").sandbox.truth("transactions")
    assert make().sandbox.truth("transactions") != make(lives="long").sandbox.truth("transactions")


def test_statuses_of_both_views_in_the_end(make: Make) -> None:
    client = make(**QUIET, transactions=20_000)
    client.sandbox.advance(80 * DAYS)
    broker, custodian = read(client, "broker_transactions"), read(client, "transactions")
    counts = Counter(each["status"] for each in broker.values())
    assert set(counts) == {"BuyCompleted", "SellCompleted", "BuyCancelled", "SellReturned", "BuyRefunded"}
    unstamped = [each for each in broker.values() if each["finished"] is None]
    assert {each["status"] for each in unstamped} == {"BuyCancelled", "SellReturned"}
    assert len(unstamped) / len(broker) == pytest.approx(0.03, abs=0.006)
    back = [each for each in broker.values() if each["finished"] and each["status"] in ("BuyRefunded", "SellReturned")]
    assert {each["status"] for each in back} == {"BuyRefunded", "SellReturned"}
    assert len(back) / len(broker) == pytest.approx(0.0097, abs=0.004)
    assert {custodian[each["transactionCode"]]["status"] for each in back + unstamped} == {"CANCELLED"}
    assert {each["status"] for each in custodian.values()} == {"COMPLETED", "CANCELLED"}


@pytest.mark.parametrize(
    ("name", "transactions"), [("broker_transactions", 4000), ("transactions", 2000), ("orders", 8000), ("transfers", 20_000)]
)
def test_only_the_status_changes_when_it_is_taken_back(make: Make, name: str, transactions: int) -> None:
    client = make(**QUIET, transactions=transactions)
    after = read(client, name, NOW + timedelta(days=80))
    changed = set()
    for day in (0, 10):
        for code, old in read(client, name, NOW + timedelta(days=day)).items():
            if old["status"] in ("BuyCompleted", "SellCompleted", "COMPLETED", "FILLED"):
                changed |= {field for field in old if old[field] != after[code][field]} - {"reason", "isSettled"}
    assert changed == {"status"}


@pytest.mark.parametrize("name", ["orders", "transfers"])
def test_orders_and_transfers(make: Make, name: str) -> None:
    client = make(**QUIET, transactions=20_000)
    client.sandbox.advance(80 * DAYS)
    rows = read(client, name)
    good = "FILLED" if name == "orders" else "COMPLETED"
    assert {each["status"] for each in rows.values()} == {good, "CANCELLED", "REJECTED"}
    unstamped = [each for each in rows.values() if each["finished"] is None]
    assert {each["status"] for each in unstamped} == {"CANCELLED"}
    assert len(unstamped) / len(rows) == pytest.approx(0.03, abs=0.012)
    assert any(each["status"] == "CANCELLED" and each["finished"] for each in rows.values())
    found = client.read_all(f"/{name}", limit=1000, finishedFrom=to_wire(NOW + timedelta(days=1)))
    wanted = {each[f"{name[:-1]}Code"] for each in rows.values() if each["finished"] and each["finished"] >= "2026-03-02T12"}
    assert {decoded(each)[f"{name[:-1]}Code"] for each in found} == wanted
    assert wanted


def sums(client: Client, **query: Any) -> dict[Any, Any]:
    held = client.values("/transaction/totals", **query)["totals"]
    return {(each.pop("status"), each.pop("currencyCode")): {name: float(value) for name, value in each.items()} for each in held}


QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"isSettled": "true"},
    {"isSettled": "false", "type": "Buy"},
    {"status": "BuyRefunded"},
    {"startDate": to_wire(NOW - timedelta(days=6)), "endDate": to_wire(NOW - timedelta(days=2)), "isSettled": "True"},
)


@pytest.mark.parametrize("query", QUERIES)
def test_totals_agree_with_the_list_at_every_moment(make: Make, query: dict[str, str]) -> None:
    client = make(lives="long", days=10, transactions=3000, tie_seconds=60, customers=20)
    for days in (0, 0.5, 9, 30):
        client.sandbox.advance(days * DAYS)
        records = [decoded(each) for each in client.read_all("/transaction", limit=2000, **query)]
        expected = {group: {name: float(value) for name, value in each.items()} for group, each in grouped(records).items()}
        assert sums(client, **query) == expected
        if "isSettled" in query:
            assert {each["isSettled"] for each in records} <= {query["isSettled"].lower() == "true"}
    assert records


@pytest.mark.parametrize(("since", "until"), [(True, False), (False, True), (True, True), (False, False)])
def test_totals_have_the_bounds_of_the_list(make: Make, since: bool, until: bool) -> None:
    client = make(lives="long", transactions=4000, tie_seconds=600, since_inclusive=since, until_inclusive=until)
    stamps = sorted({decoded(each)["created"] for each in client.sandbox.truth("broker_transactions")})
    query = {"startDate": stamps[50], "endDate": stamps[60]}
    listed = client.page("/transaction", **query).total
    assert sum(each["transactionCount"] for each in sums(client, **query).values()) == listed
    inside = client.page("/transaction", startDate=stamps[52], endDate=stamps[58]).total
    assert listed > inside


@pytest.mark.parametrize("days", [0, 20, 60, 75])
def test_balances_of_long_lives(make: Make, days: int) -> None:
    client = make(**{**QUIET, "days": 30}, transactions=4500)
    client.sandbox.advance(days * DAYS)
    records = [decoded(record) for record in client.sandbox.truth("transactions")]
    assert nonzero(balances(client)) == nonzero(mutations(records))
    client.sandbox.advance(30 * DAYS)
    later = [decoded(record) for record in client.sandbox.truth("transactions")]
    assert nonzero(balances(client)) == nonzero(mutations(later)), "what was kept is still true"


def test_what_was_taken_back_cannot_be_cancelled(make: Make) -> None:
    client = make(**QUIET, transactions=6000)
    client.sandbox.advance(80 * DAYS)
    gone = next(code for code, each in read(client, "broker_transactions").items() if each["status"] == "BuyRefunded")
    assert client.post(f"/transactions/custodian/{gone}/cancel").status_code == 400


def test_a_cancellation_over_the_api_is_stamped(make: Make) -> None:
    client = make(lives="long", days=10, transactions=6000)
    held = [code for code, each in read(client, "broker_transactions").items() if each["status"] in ("Blocked", "PayoutOnHold")]
    assert held
    assert client.post(f"/transactions/custodian/{held[0]}/cancel").status_code == 200
    assert read(client, "broker_transactions")[held[0]]["finished"] == "2026-03-01T12:00:00Z"


def test_lives_can_be_changed(make: Make) -> None:
    client = make(transactions=4500, days=100)
    balances(client)
    client.sandbox.configure(lives="long")
    assert client.sandbox.truth("orders") == make(transactions=4500, days=100, lives="long").sandbox.truth("orders")
    assert nonzero(balances(client)) == nonzero(mutations([decoded(each) for each in client.sandbox.truth("transactions")]))


def test_telling_all_broker_transactions_costs_the_same_for_each(make: Make) -> None:
    """What a record costs does not grow with their number."""
    each = []
    for transactions in (2_500, 20_000):
        sandbox = make(lives="long", transactions=transactions, days=90, customers=500).sandbox
        with counted() as work:
            records = len(sandbox.truth("broker_transactions"))
        assert records == transactions * 2 // 5
        each.append(work.calls / records)
    assert each[1] < 1.5 * each[0], each
