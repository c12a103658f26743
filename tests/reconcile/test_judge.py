"""Judgement of single places: exact whatever the digits, and no explanation that does not add up."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.reconcile.judge import Line, Outcome, alike, digits, since, together
from airflow_provider_nexus.reconcile.movements import Movement
from airflow_provider_nexus.reconcile.request import Tolerance

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG = Decimal("123456789012345678901234567890123456.000000000000000000000000000001")
AMOUNTS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e30"), max_value=Decimal("1e30"), places=24),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e50"), max_value=Decimal("1e50")),
    st.sampled_from([LONG, -LONG, Decimal("-0"), Decimal("-0.000"), Decimal("1E+5"), Decimal("5E-7"), Decimal("0.1000")]),
)
SMALL = st.integers(-50, 50).map(Decimal)


@pytest.fixture(autouse=True)
def usual_digits() -> Iterator[None]:
    """What a task calculates with: 28 digits."""
    with localcontext(decimal.DefaultContext):
        yield


def line(opening: Decimal = Decimal(0), moved: Decimal = Decimal(0), stated: Decimal = Decimal(0), code: str = "BTC") -> Line:
    return Line(book="reserves", place="Exchange KRAKEN", code=code, opening=opening, moved=moved, stated=stated)


def moved(amounts: list[Decimal]) -> list[tuple[timedelta, Movement]]:
    return [
        (timedelta(seconds=place), Movement(("a", "BTC"), amount, f"T{place}", "its mutation", NOW - timedelta(seconds=place)))
        for place, amount in enumerate(amounts)
    ]


@given(AMOUNTS, AMOUNTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_a_difference_has_every_digit(opening: Decimal, change: Decimal, stated: Decimal) -> None:
    one = line(opening, change, stated)
    exact = Fraction(stated) - Fraction(opening) - Fraction(change)
    assert Fraction(one.difference) == exact
    assert Fraction(digits(one.difference)) == exact
    assert Fraction(digits(one.difference, "+")) == exact
    assert {name: Fraction(one.dump()[name]) for name in ("opening", "expected")} == {
        "opening": Fraction(opening),
        "expected": Fraction(opening) + Fraction(change),
    }
    assert (one.judged(Tolerance()).outcome is Outcome.AGREES) is (exact == 0)


@given(AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_digits_are_plain(value: Decimal) -> None:
    text = digits(value)
    assert Fraction(text) == Fraction(value)
    assert set(text) <= set("-.0123456789")
    assert text != "-0"
    assert not ("." in text and text[-1] in ".0")


@given(AMOUNTS, AMOUNTS)
@settings(max_examples=60, deadline=None)
def test_a_tolerance_is_exact(stated: Decimal, allowed: Decimal) -> None:
    allowed = allowed.copy_abs()
    outcome = line(stated=stated, code="btc").judged(Tolerance({"BTC": allowed})).outcome
    expected = Outcome.TOLERATED if abs(Fraction(stated)) <= Fraction(allowed) else Outcome.DIFFERS
    assert outcome is (expected if stated else Outcome.AGREES)


@pytest.mark.parametrize(
    "given",
    [
        -1,
        "-0.01",
        "NaN",
        "Infinity",
        "1,5",
        "1_000",
        "\u0663",
        "",
        None,
        0.01,
        True,
        [],
        {"EUR": None},
        {"EUR": 0.5},
        {"": 1},
        {" ": 1},
    ],
)
def test_what_is_no_tolerance_is_refused(given: object) -> None:
    with pytest.raises(NexusConfigurationError, match="tolerance"):
        Tolerance(given)


@given(st.lists(SMALL | AMOUNTS, max_size=60), st.data())
@settings(max_examples=60, deadline=None)
def test_what_explains_adds_up(amounts: list[Decimal], data: st.DataObject) -> None:
    """Whatever is found is of what was given, each once, and is the difference to the last digit."""
    difference = data.draw(SMALL | AMOUNTS)
    given = {each.record: each for _, each in moved(amounts)}
    found = together(moved(amounts), difference)
    if found is None:
        assert not any(Fraction(amount) == -Fraction(difference) for amount in amounts), "a single one is always found"
        return
    records = [each.record for each in found]
    assert len(set(records)) == len(records)
    assert all(given[each.record].amount == each.amount for each in found)
    assert sum(Fraction(each.amount) for each in found) == -Fraction(difference)


@given(st.lists(AMOUNTS.filter(bool), min_size=1, max_size=80), st.data())
@settings(max_examples=40, deadline=None)
def test_few_of_the_nearest_are_found_and_all_up_to_a_distance(amounts: list[Decimal], data: st.DataObject) -> None:
    places = data.draw(
        st.one_of(
            st.lists(st.integers(0, min(39, len(amounts) - 1)), min_size=1, max_size=3, unique=True),
            st.lists(st.integers(0, min(11, len(amounts) - 1)), min_size=1, max_size=12, unique=True),
            st.integers(1, len(amounts)).map(lambda size: list(range(size))),
        )
    )
    with localcontext(prec=200):
        difference = -sum((amounts[place] for place in places), Decimal(0))
    assert together(moved(amounts), difference) is not None


def test_the_search_is_bounded() -> None:
    """Of thousands of movements, none of which explains anything, a bounded number is added up."""
    added = 0

    class Counted(Decimal):
        def __radd__(self, other: object) -> Decimal:
            nonlocal added
            added += 1
            return Decimal.__radd__(self, other)  # type: ignore[operator]

    many = [(distance, each._replace(amount=Counted(2))) for distance, each in moved([Decimal(2)] * 3000)]
    assert together(many, Decimal(-100_001)) is None
    assert added < 100_000


@given(st.lists(SMALL | AMOUNTS, max_size=60), SMALL | AMOUNTS)
@settings(max_examples=40, deadline=None)
def test_what_is_alike_is_the_difference_or_half_of_it(amounts: list[Decimal], difference: Decimal) -> None:
    found = alike([each for _, each in moved(amounts)], difference)
    times = [Fraction(-1), Fraction(1), Fraction(-1, 2)]
    assert all(any(Fraction(each.amount) == Fraction(difference) * time for time in times) for each in found)
    assert len(found) <= 10
    fit = [amount for amount in amounts if any(Fraction(amount) == Fraction(difference) * time for time in times)]
    assert len(found) == min(10, len(fit))


def test_the_newest_that_are_alike_come_first() -> None:
    found = alike([each for _, each in moved([Decimal(3)] * 30)], Decimal(-3))
    assert [each.record for each in found] == [f"T{place}" for place in range(10)]


def test_many_explanations_are_cut_for_the_eye_alone() -> None:
    one = line(stated=Decimal(1)).judged(Tolerance())
    found = together(moved([Decimal(1)] * 30), Decimal(-30))
    assert found
    assert len(found) == 30
    full = replace(one, explanations=found)
    assert full.see.endswith("and 20 more")
    assert len(full.dump()["explanations"]) == 30


def test_nothing_explains_nothing() -> None:
    assert together([], Decimal("-0.0")) == ()
    assert together([], Decimal(1)) is None
    assert since(NOW, [])[0].record == "no record"
