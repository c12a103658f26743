"""Paging, and every setting that makes it hard."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_nexus.api.timestamps import to_wire
from tests.sandbox.conftest import NOW, Client, Make, decoded

PATH = "/transactions/custodian"
START = NOW - timedelta(days=30)


def stamps(records: list[Any]) -> list[str]:
    return [decoded(bytes(record))["created"] for record in records]


@pytest.mark.parametrize("direction", ["Asc", "Desc"])
def test_full_read_equals_truth(shared: Client, direction: str) -> None:
    truth = shared.sandbox.truth("transactions")
    read = shared.read_all(PATH, sortBy="Created", sortDirection=direction, limit=77)
    assert read == (truth if direction == "Asc" else truth[::-1])
    assert len(truth) == 1200


def test_defaults(shared: Client) -> None:
    page = shared.page(PATH)
    assert (page.page, page.total, page.total_pages, len(page.records)) == (1, 1200, 24, 50)
    assert stamps(page.records) == sorted(stamps(page.records), reverse=True)


def test_window_equals_truth(shared: Client) -> None:
    start, end = START + timedelta(days=3), START + timedelta(days=9, hours=5)
    query = {"createdFrom": to_wire(start), "createdTill": to_wire(end)}
    read = shared.read_all(PATH, sortBy="created", sortDirection="asc", **query)
    assert read == shared.sandbox.truth("transactions", start, end)
    assert 100 < len(read) < 500
    assert shared.page(PATH, **query).filtering_parameters == query


def test_truth_counts_displayed_stamps(shared: Client) -> None:
    record = shared.sandbox.truth("transactions")[100]
    shown = decoded(record)["created"]
    start = NOW.fromisoformat(shown)
    assert record in shared.sandbox.truth("transactions", start, start + timedelta(seconds=1))
    assert record not in shared.sandbox.truth("transactions", start + timedelta(seconds=1), None)
    assert record not in shared.sandbox.truth("transactions", None, start)


def test_stamps_have_fractions_that_are_not_shown(shared: Client) -> None:
    shared.session.headers["request_iso8601"] = "false"
    full = stamps(shared.page(PATH, limit=100).records)
    shared.session.headers["request_iso8601"] = "true"
    assert sum(stamp[19:] != ".000Z" for stamp in full) > 90
    assert [stamp[:19] + "Z" for stamp in full] == stamps(shared.page(PATH, limit=100).records)


def test_cap(make: Make) -> None:
    client = make(max_limit=20)
    page = client.page(PATH, limit=500)
    assert (len(page.records), page.total, page.total_pages) == (20, 600, 30)
    assert client.read_all(PATH, limit=500, sortBy="created") == client.sandbox.truth("transactions")


def test_ignored_sort(make: Make) -> None:
    client = make(sort="ignored")
    for query in ({"sortBy": "created", "sortDirection": "Asc"}, {"sortBy": "status"}, {}):
        seen = stamps(client.page(PATH, **query).records)
        assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(("since", "until"), [(True, False), (True, True), (False, False), (False, True)])
def test_bounds(make: Make, since: bool, until: bool) -> None:
    client = make(since_inclusive=since, until_inclusive=until, tie_seconds=3600)
    hours = Counter(stamps(client.sandbox.truth("transactions")))
    first, second = sorted(hours)[100:102]
    page = client.page(PATH, createdFrom=first, createdTill=second)
    assert page.total == hours[first] * since + hours[second] * until


def test_bounds_meet_the_true_stamp(make: Make) -> None:
    client = make(until_inclusive=True)
    shown = decoded(client.sandbox.truth("transactions")[50])["created"]
    assert client.page(PATH, createdFrom=shown, createdTill=shown).total == 0, "the fraction lies past the second"


def test_ignored_filters(make: Make) -> None:
    client = make(filters="ignored")
    page = client.page(PATH, createdFrom=to_wire(NOW), type="BUY")
    assert 0 < page.total < 600
    assert page.filtering_parameters == {"type": "BUY"}


def test_other_filters_that_are_ignored(make: Make) -> None:
    client = make(ignored_filters=["type"])
    assert client.page(PATH, type="BUY").total == client.page(PATH).total
    assert client.page(PATH, type="BUY").filtering_parameters == {}
    assert client.page(PATH, direction="IN").total < client.page(PATH).total


def test_stable_ties(make: Make) -> None:
    client = make(tie_seconds=36_000)
    assert max(Counter(stamps(client.sandbox.truth("transactions"))).values()) > 5
    assert client.read_all(PATH, sortBy="created", limit=7) == client.sandbox.truth("transactions")


def test_shuffled_ties(make: Make) -> None:
    client = make(tie_seconds=36_000, ties="shuffled")
    reads = [client.page(PATH, sortBy="created", limit=40) for _ in range(4)]
    assert len({bytes(page.records[0]) for page in reads}) > 1
    assert len({tuple(stamps(page.records)) for page in reads}) == 1
    whole = [bytes(record) for record in client.page(PATH, limit=600, sortBy="created").records]
    assert sorted(whole) == sorted(client.sandbox.truth("transactions"))
    lost = set(client.sandbox.truth("transactions")) - set(client.read_all(PATH, sortBy="created", limit=7))
    assert lost, "pages that cut ties lose rows"


def test_any_row_of_a_tie_can_come_first(make: Make) -> None:
    client = make(tie_seconds=86_400, ties="shuffled")
    records = client.sandbox.truth("transactions")
    tied = {record for record in records if decoded(record)["created"] == decoded(records[0])["created"]}
    seen = {bytes(client.page(PATH, sortBy="created", limit=1).records[0]) for _ in range(len(tied) * 12)}
    assert len(tied) > 10
    assert seen == tied


def test_natural_ties_are_shuffled_too(make: Make) -> None:
    client = make(ties="shuffled")
    firsts = {bytes(client.page("/balances/hotwallet/mutations", limit=1).records[0]) for _ in range(12)}
    assert len(firsts) == 2


def test_total_error(make: Make) -> None:
    client = make(total_error=7)
    page = client.page(PATH, limit=10)
    assert (page.total, page.total_pages) == (607, 61)
    assert client.page(PATH, limit=10, page=61).records == []
    client.sandbox.configure(total_error=-1000)
    assert client.page(PATH).total == 0


def test_late_rows_turn_up(make: Make) -> None:
    client = make(late_share=0.5, late_seconds=7200, days=1)
    early = client.sandbox.truth("transactions")
    assert len(early) < 600
    client.sandbox.advance(7200)
    window = {"createdTill": to_wire(NOW)}
    late = client.read_all(PATH, sortBy="created", limit=100, **window)
    assert len(late) == 600
    assert late == client.sandbox.truth("transactions", None, NOW)
    assert len(client.sandbox.truth("transactions", at=NOW)) == len(early)


def test_late_rows_while_reading(make: Make) -> None:
    client = make(late_share=0.3, late_seconds=60, late_mode="while_reading", arrivals_per_hour=0, seconds_per_call=5)
    totals = [client.page(PATH, createdTill=to_wire(START + timedelta(days=10))).total for _ in range(14)]
    assert totals == sorted(totals)
    assert totals[0] < totals[5] < totals[-1] == len(client.sandbox.truth("transactions", None, START + timedelta(days=10)))


def test_rows_are_deleted_while_reading(make: Make) -> None:
    client = make(delete_share=0.2, delete_seconds=60, arrivals_per_hour=0, seconds_per_call=5)
    before = client.sandbox.truth("transactions")
    read = client.read_all(PATH, sortBy="created", limit=50)
    after = client.sandbox.truth("transactions")
    assert len(before) == 600
    assert len(after) < 550
    assert set(after) - set(read), "a plain read loses rows when others before them vanish"
    code = decoded(next(record for record in before if record not in after))["transactionCode"]
    assert client.get(f"{PATH}/{code}").status_code == 404


def test_what_comes_of_a_deleted_trade_is_gone_too(make: Make) -> None:
    client = make(delete_share=0.3, delete_seconds=1, arrivals_per_hour=0)
    client.sandbox.advance(1)
    codes = {decoded(record)["transactionCode"] for record in client.sandbox.truth("transactions")}
    assert len(codes) < 500
    broker = {decoded(record)["transactionCode"] for record in client.sandbox.truth("broker_transactions")}
    assert broker < codes
    booked = [decoded(record)["transactionCode"] for record in client.read_all("/balances/hotwallet/mutations", limit=500)]
    assert {code for code in booked if not code.startswith("TRF")} <= codes
    assert len(booked) == 2 * len(codes)


def test_odd_settings_count_from_their_change(make: Make) -> None:
    client = make(arrivals_per_hour=0)
    client.sandbox.advance(3600)
    client.sandbox.configure(delete_share=0.2, delete_seconds=60)
    assert len(client.sandbox.truth("transactions")) == 600
    client.sandbox.advance(60)
    assert len(client.sandbox.truth("transactions")) < 550


def test_arrivals(make: Make) -> None:
    client = make()
    client.sandbox.advance(86_400)
    assert 615 < client.page(PATH).total < 625
    client.sandbox.configure(arrivals_per_hour=100)
    assert 2990 < client.page(PATH).total < 3010
    client.sandbox.configure(arrivals_per_hour=0)
    assert client.page(PATH).total == 600
    assert client.page("/customer").total == 40


def test_page_zero(make: Make) -> None:
    client = make()
    assert client.get(PATH, page=0).json()["errors"] == ["InvalidQueryParameter"]
    client.sandbox.configure(page_zero="first")
    assert client.page(PATH, page=0).page == 1


def test_past_last_page(make: Make) -> None:
    client = make()
    assert client.page(PATH, page=13).records == []
    client.sandbox.configure(past_last_page="error")
    assert client.get(PATH, page=13).status_code == 400
    assert client.get(PATH, createdFrom=to_wire(NOW)).status_code == 200


@pytest.mark.parametrize(
    "query", [{"page": "x"}, {"limit": "0"}, {"createdFrom": "yesterday"}, {"sortBy": "nope"}, {"sortDirection": "up"}]
)
def test_bad_queries(shared: Client, query: dict[str, str]) -> None:
    answer = shared.get(PATH, **query)
    assert (answer.status_code, answer.json()["errors"]) == (400, ["InvalidQueryParameter"])


def test_filters_by_value(shared: Client) -> None:
    records = [decoded(record) for record in shared.sandbox.truth("transactions")]
    one = records[10]
    for name, field in (("customerCode", "customerCode"), ("type", "type"), ("cryptoCode", "cryptoCode"), ("status", "status")):
        expected = sum(record[field] == one[field] for record in records)
        assert shared.page(PATH, **{name: one[field].lower()}).total == expected, name
    both = shared.page(PATH, **{"type": "BUY|SELL"})
    assert both.total == sum(record["type"] in ("BUY", "SELL") for record in records)
    assert both.filtering_parameters == {"type": "BUY|SELL"}


def test_finished_filter(shared: Client) -> None:
    start, end = START + timedelta(days=5), START + timedelta(days=6)
    records = [decoded(record) for record in shared.sandbox.truth("orders")]
    inside = [each for each in records if each["finished"] and to_wire(start) <= each["finished"] < to_wire(end)]
    assert inside
    assert shared.page("/orders", finishedFrom=to_wire(start), finishedTill=to_wire(end)).total == len(inside)


def test_sort_by_a_field(shared: Client) -> None:
    codes = [
        decoded(bytes(record))["customerCode"] for record in shared.page("/customer", sortBy="customerCode", limit=60).records
    ]
    assert [code.casefold() for code in codes] == sorted(code.casefold() for code in codes)
    prices = [decoded(bytes(record))["amount"] for record in shared.page("/orders", sortBy="amount", limit=99).records]
    assert all(low <= high for low, high in pairwise(prices))


def test_names_without_case_and_empty_values(shared: Client) -> None:
    page = shared.page("/Transactions/CUSTODIAN/", LIMIT=3, SortBy="CREATED", createdfrom="", status="")
    assert len(page.records) == 3
    assert page.filtering_parameters == {}


def test_configure_keeps_writes_unless_data_changes(make: Make) -> None:
    client = make()
    client.post("/customer", customerCode="new-one", trustLevel="New")
    client.sandbox.configure(max_limit=5)
    assert client.get("/customer/new-one").status_code == 200
    client.sandbox.configure(seed=8)
    assert client.get("/customer/new-one").status_code == 404
