from __future__ import annotations

import json
import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.totals import DeliveredTotals
from airflow_provider_nexus.load.account import LineAccount

RESOURCE = get_resource("broker_transactions")
READER = RowReader(RESOURCE)


def raw(code: str, payout: str = "null", currency: str = "EUR", status: str = "BuyCompleted", fee: str = "0") -> bytes:
    return (
        f'{{"transactionCode":{json.dumps(code)},"created":"2026-01-01T00:00:00Z","status":"{status}",'
        f'"currencyCode":"{currency}","payout":{payout},"bankCommission":{fee}}}'
    ).encode()


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=18), max_size=20))
def test_sums_are_exact(values: list[Decimal]) -> None:
    tally = LineAccount(READER)
    for number, value in enumerate(values):
        tally.add([READER.read(raw(f"T{number}", payout=f"{value:f}"))])
    expected = sum((Fraction(value) for value in values), Fraction())
    assert Fraction(tally.sums.get(("payout", "EUR"), Decimal())) == expected


def test_sums_of_far_apart_sizes_keep_every_digit() -> None:
    tally = LineAccount(READER)
    for code, value in (("A", "1" * 40), ("B", "1e-40"), ("C", "0.1")):
        tally.add([READER.read(raw(code, payout=value))])
    assert tally.sums_by_field["payout"]["EUR"] == "1" * 40 + ".1" + "0" * 38 + "1"


def test_sums_are_kept_by_currency_and_nulls_are_left_out() -> None:
    tally = LineAccount(READER)
    for record in (raw("A", "1.10"), raw("B", "2", "USD"), raw("C"), raw("D", "-0.10")):
        tally.add([READER.read(record)])
    assert tally.sums_by_field["payout"] == {"EUR": "1.00", "USD": "2"}
    assert tally.records == 4
    assert (tally.first.key, tally.last.key) == ("A", "D")  # type: ignore[union-attr]


def test_the_key_digest_is_of_the_set() -> None:
    codes = [f"T{number}" for number in range(50)]

    def digest(order: list[str]) -> str:
        tally = LineAccount(READER)
        for code in order:
            tally.add([READER.read(raw(code))])
        return tally.key_digest

    shuffled = random.Random(1).sample(codes, len(codes))
    assert digest(codes) == digest(shuffled)
    assert digest(codes) != digest(codes[1:])
    assert digest(codes) != digest([*codes[1:], "T99"])


ROWS = [raw("A", "1.10"), raw("B", "2.20"), raw("C", "5", "USD", "SellCompleted", "0.25")]
TOTALS = [
    {
        "status": "BUYCOMPLETED",
        "currencyCode": "EUR",
        "transactionCount": 2,
        "payoutValue": Decimal("3.3"),
        "bankCommission": None,
    },
    {
        "status": "SELLCOMPLETED",
        "currencyCode": "USD",
        "transactionCount": 1,
        "payoutValue": 5,
        "bankCommission": Decimal("0.250"),
    },
]


def differences(totals: list[dict[str, object]]) -> list[str]:
    tally = DeliveredTotals(READER, RESOURCE.totals_fields)
    tally.add([READER.read(record) for record in ROWS])
    return tally.differences(totals)


def test_totals_that_agree_leave_no_difference() -> None:
    assert differences(TOTALS) == []


@pytest.mark.parametrize(
    ("row", "field", "value", "line"),
    [
        (0, "transactionCount", 3, "count of BUYCOMPLETED EUR: 2 delivered, 3 in the totals"),
        (
            0,
            "payoutValue",
            Decimal("3.30000001"),
            "payout in the sum of BUYCOMPLETED EUR: 3.30 delivered, 3.30000001 in the totals",
        ),
        (1, "bankCommission", Decimal(0), "bankCommission in the sum of SELLCOMPLETED USD: 0.25 delivered, 0 in the totals"),
        (1, "tradeValue", Decimal(1), "tradeValue in the sum of SELLCOMPLETED USD: 0 delivered, 1 in the totals"),
    ],
)
def test_totals_that_differ_are_named(row: int, field: str, value: object, line: str) -> None:
    totals = [dict(total) for total in TOTALS]
    totals[row][field] = value
    assert differences(totals) == [line]


def test_a_status_that_only_one_side_has_is_a_difference() -> None:
    assert differences(TOTALS[:1]) != []
    assert differences([*TOTALS, {"status": "BLOCKED", "currencyCode": "EUR", "transactionCount": 1}]) != []


def test_an_amount_that_can_not_be_added_up_is_named() -> None:
    tally, rows = LineAccount(READER), [READER.read(raw("A", amount)) for amount in ("1", "1e-3000")]
    tally.add(rows[:1])
    with pytest.raises(NexusDataError, match="payout"):
        tally.add(rows[1:])
