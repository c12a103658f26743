"""Counts and sums by day: of every record once, in bounded number, and right after records were taken away."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.account import Account, LineAccount, TableAccount
from airflow_provider_nexus.load.claims import contradictions
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.days import Days
from airflow_provider_nexus.load.rows import TableConverter
from tests.load.manifests import manifest_of

RESOURCE = get_resource("broker_transactions")
ORIGIN = Origin(datetime(2026, 2, 1, tzinfo=UTC), "count")


def raws(*records: tuple[str, str, str]) -> list[bytes]:
    """Records by stamp, currency and payout."""
    form = '{"transactionCode":"T%s","created":"%s","status":"BuyCompleted","currencyCode":"%s","payout":%s}'
    return [(form % (number, *record)).encode() for number, record in enumerate(records)]


def lines(*records: tuple[str, str, str]) -> LineAccount:
    reader = RowReader(RESOURCE)
    account = LineAccount(reader)
    account.add(reader.decoded([reader.read(raw) for raw in raws(*records)]))
    return account


def rows_of(*records: tuple[str, str, str]) -> list[Any]:
    reader = RowReader(RESOURCE)
    return list(TableConverter(RESOURCE).rows([reader.read(raw) for raw in raws(*records)], ORIGIN))


def typed(*records: tuple[str, str, str]) -> TableAccount:
    account = TableAccount(Table(RESOURCE))
    account.add(rows_of(*records))
    return account


def stored(account: Account[Any]) -> list[dict[str, Any]]:
    return [each.dump() for each in account.members()["days"]]


def days_from(first: str, number: int) -> list[tuple[str, str, str]]:
    start = datetime.fromisoformat(first)
    return [(f"{start + timedelta(days=place):%FT%TZ}", "EUR", str(place)) for place in range(number)]


MIXED = [
    ("2026-01-01T23:59:59Z", "EUR", "1.10"),
    ("2026-01-02T01:30:00+02:00", "EUR", "0.20"),  # the first of January in UTC
    ("2026-01-02T00:00:00Z", "USD", "5"),
    ("2026-01-02T00:00:00.0000001Z", "EUR", "-0.30"),
    ("0001-01-01T00:00:00Z", "EUR", "7"),  # as .NET has it for never
]


@pytest.mark.parametrize("account", [lines, typed])
def test_records_count_on_the_day_of_their_creation_in_utc(account: Any) -> None:
    found = {each["day"]: (each["records"], each["sums"]["payout"]) for each in stored(account(*MIXED))}
    sums = {day: {code: Decimal(value) for code, value in by_code.items()} for day, (_, by_code) in found.items()}
    assert {day: number for day, (number, _) in found.items()} == {"0001-01-01": 1, "2026-01-01": 2, "2026-01-02": 2}
    assert sums == {
        "0001-01-01": {"EUR": Decimal(7)},
        "2026-01-01": {"EUR": Decimal("1.3")},
        "2026-01-02": {"EUR": Decimal("-0.3"), "USD": Decimal(5)},
    }


@pytest.mark.parametrize("account", [lines, typed])
def test_one_day_has_the_sums_of_the_manifest(account: Any) -> None:
    one = account(*MIXED[:2])
    assert stored(one) == [{"day": "2026-01-01", "records": 2}]
    sums = one.sums_by_field
    assert Days.load(one.days.dump(), sums).same_as(one.days)
    assert not Days.load(one.days.dump(), {"payout": {"EUR": "1.31"}}).same_as(one.days)


def test_records_without_a_stamp_have_a_place_of_their_own() -> None:
    reader = RowReader(RESOURCE)
    account = LineAccount(reader)
    found = reader.decoded([reader.read(raw) for raw in raws(*MIXED[:2])])
    account.add([found[0], found[1]._replace(stamp="")])
    assert [(each["day"], each["records"]) for each in stored(account)] == [("", 1), ("2026-01-01", 1)]
    rows, account_of_rows = rows_of(*MIXED[:2]), typed()
    place = Table(RESOURCE).place("created")
    account_of_rows.add([rows[0], (*rows[1][:place], None, *rows[1][place + 1 :])])
    assert [(each["day"], each["records"]) for each in stored(account_of_rows)] == [("", 1), ("2026-01-01", 1)]


@pytest.mark.parametrize("name", ["balances", "customer_persons", "currencies"])
def test_a_resource_without_stamps_has_no_day(name: str) -> None:
    table = Table(get_resource(name))
    account = TableAccount(table)
    account.add([("K", ORIGIN.read_at, "whole", "0" * 64, *[None] * (len(table.columns) - 4))])
    assert stored(account) == [{"day": "", "records": 1}]


@pytest.mark.parametrize("account", [lines, typed])
@pytest.mark.parametrize(
    ("number", "length", "entries"),
    [(400, 10, 400), (401, 7, 14), (12_000, 7, 395), (12_300, 4, 34)],
)
def test_more_than_four_hundred_are_added_up_by_month_then_by_year(account: Any, number: int, length: int, entries: int) -> None:
    found = account(*days_from("2026-01-01T12:00:00", number))
    days = stored(found)
    assert {len(each["day"]) for each in days} == {length}
    assert len(days) == entries
    assert sum(each["records"] for each in days) == number
    payouts = [Decimal(each.get("sums", {}).get("payout", {}).get("EUR", 0)) for each in days]
    assert sum(payouts) == number * (number - 1) // 2
    assert Days.load(found.days.dump(), found.sums_by_field).same_as(found.days)


def test_what_is_taken_away_leaves_its_day() -> None:
    rows, account = rows_of(*MIXED), typed(*MIXED)
    account.add([rows[0], rows[2], rows[3]], -1)
    assert [(each["day"], each["records"]) for each in stored(account)] == [("0001-01-01", 1), ("2026-01-01", 1)]
    assert account.days.same_as(typed(MIXED[1], MIXED[4]).days)
    account.add([rows[1], rows[4]], -1)
    assert stored(account) == []
    account.add([*rows, rows[1], rows[4]])
    account.add([rows[1], rows[4]], -1)
    assert account.days.same_as(typed(*MIXED).days)


def test_the_order_and_the_batches_do_not_matter() -> None:
    rows = rows_of(*days_from("2026-01-01T00:00:00", 900))
    whole, pieces = TableAccount(Table(RESOURCE)), TableAccount(Table(RESOURCE))
    whole.add(rows)
    for start in range(len(rows) - 30, -1, -30):
        pieces.add(rows[start : start + 30])
    assert stored(whole) == stored(pieces)


def test_days_of_several_manifests_add_up_to_those_of_all() -> None:
    both, parts = days_from("2025-12-20T00:00:00", 420), Days()
    for some in (both[:30], both[30:31], both[31:]):
        account = typed(*some)
        parts.merge(Days.load(account.days.dump(), account.sums_by_field))
    assert parts.same_as(typed(*both).days)
    expected = defaultdict[str, Decimal](Decimal)
    for stamp, _, value in both:
        expected[stamp[:7]] += Decimal(value)
    assert {day: value for (day, field, _), value in parts.sums.items() if field == "payout"} == expected


@pytest.mark.parametrize(
    ("members", "is_sound"),
    [
        ({"days": [{"day": "2026-01-01", "records": 2}]}, True),
        ({"days": []}, False),
        ({"days": [{"day": "2026-01-01", "records": 3}]}, False),
        ({"days": [{"day": "2026-01-01", "records": 1}, {"day": "", "records": 1}]}, False),
        ({"days": [{"day": "2026-01", "records": 1, "sums": {"a": {"EUR": "3.0"}}}, {"day": "", "records": 1}]}, True),
        ({"days": [{"day": "2026-01", "records": 1, "sums": {"a": {"EUR": "9" * 3000}}}, {"day": "", "records": 1}]}, False),
        ({"days": [{"day": "2026", "records": 1, "sums": {"a": {"E" * 9: "1", "EUR": "3"}}}, {"day": "", "records": 1}]}, False),
    ],
)
def test_days_that_do_not_add_up_contradict_their_manifest(members: dict[str, Any], is_sound: bool) -> None:
    proof = {"total_first": 2, "total_last": 2, "unique": 2}
    base = manifest_of(records=2, sums={"a": {"EUR": "3"}}, **members)
    manifest = msgspec.structs.replace(base, proof=msgspec.structs.replace(base.proof, **proof))
    assert ("its days don't add up to its records and sums" in list(contradictions(manifest, 0))) is not is_sound
