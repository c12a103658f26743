"""Comparisons of made-up records: what Nexus says is answered by plain objects, as many servers as bounds can be understood."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import Copy
from airflow_provider_nexus.sync.compare import MOST_CALLS, Comparison

RESOURCE = get_resource("broker_transactions")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
LENGTH = 86_400
WHOLE = Window(BEGIN, BEGIN + timedelta(seconds=LENGTH))
ENOUGH = 3


@dataclass(frozen=True)
class Made:
    """A record: when it was made in milliseconds after the beginning, and what totals tell of it."""

    made: int
    status: str = "BUYCOMPLETED"
    amount: int = 100
    settled: bool = False

    @property
    def second(self) -> datetime:
        return BEGIN + timedelta(seconds=self.made // 1000)


Records = Mapping[int, Made]


def totals_of(records: Iterable[Made], *, flags: bool) -> Totals:
    totals = Totals()
    for each in records:
        totals.add((each.status, "EUR", each.settled if flags else None), 1, {"payout": Decimal(each.amount) / 100})
    return totals


class HeldCopy:
    def __init__(self, records: Records) -> None:
        self.records = dict(records)

    def totals(self, start: datetime, end: datetime) -> Totals:
        return totals_of((each for each in self.records.values() if start <= each.second < end), flags=True)


class Server:
    """Says totals."""

    def __init__(self, records: Records, *, since_inclusive: bool, until_inclusive: bool) -> None:
        self.records, self._since_in, self._until_in = records, since_inclusive, until_inclusive

    def run(self, method: str, path: str, *, params: dict[str, str]) -> dict[str, Any]:
        since, until = (_milliseconds(params[name]) for name in (RESOURCE.created.since, RESOURCE.created.until))  # type: ignore[union-attr]
        flag = params.get("isSettled")
        totals: dict[str, list[Made]] = {}
        for each in self.records.values():
            inside = (since <= each.made if self._since_in else since < each.made) and (
                each.made <= until if self._until_in else each.made < until
            )
            if inside and (flag is None or str(each.settled).lower() == flag):
                totals.setdefault(each.status, []).append(each)
        return {"totals": [_said(status, held) for status, held in totals.items()]}


class WithoutTotals:
    def run(self, *_: Any, **__: Any) -> dict[str, Any]:
        raise NexusNotFoundError("GET", "/transaction/totals", status=404)


def _milliseconds(text: str) -> int:
    return int((datetime.fromisoformat(text) - BEGIN) / timedelta(milliseconds=1))


def _said(status: str, held: list[Made]) -> dict[str, Any]:
    payout = sum(Decimal(each.amount) for each in held) / 100
    return {"status": status, "currencyCode": "EUR", "transactionCount": len(held), "payoutValue": payout}


def differences(copy: HeldCopy, server: Any) -> tuple[list[Window], int]:
    comparison = Comparison(cast(NexusClient, server), RESOURCE, cast(Copy, copy), ENOUGH)
    found = comparison.differences(WHOLE)
    assert found is not None
    return found, comparison.calls


def repair(copy: HeldCopy, truth: Records, spans: list[Window]) -> None:
    def inside(each: Made) -> bool:
        return any(span.start <= each.second < span.end for span in spans)

    copy.records = {key: each for key, each in copy.records.items() if not inside(each)}
    copy.records |= {key: each for key, each in truth.items() if inside(each)}


STATUSES = st.sampled_from(["BUYCOMPLETED", "BUYINCASSO", "SELLRETURNED"])
# Whole seconds close to each other and to the middle of the day, where bounds matter, and any other moment.
MOMENTS = st.one_of(
    st.integers(1, 20).map(lambda second: 2000 * second),
    st.integers(21_598, 21_602).map(lambda second: 2000 * second),
    st.integers(1000, 1000 * LENGTH - 1001),
)
RECORDS = st.builds(Made, MOMENTS, STATUSES, st.integers(0, 10_000), st.booleans())
WORLDS = st.lists(RECORDS, min_size=1, max_size=60).map(lambda records: dict(enumerate(records)))
CHANGES = st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["gone", "other", "flag", "new"]), RECORDS), max_size=6)
BOUNDS = st.tuples(st.booleans(), st.booleans())


def changed(world: Records, changes: list[tuple[int, str, Made]]) -> dict[int, Made]:
    truth = dict(world)
    for number, (key, kind, other) in enumerate(changes):
        if kind == "new":
            truth[1000 + number] = other
        elif key in truth and kind == "gone":
            del truth[key]
        elif key in truth and kind == "flag":
            truth[key] = replace(truth[key], settled=not truth[key].settled)
        elif key in truth:
            truth[key] = replace(truth[key], status=other.status, amount=other.amount)
    return truth


@settings(max_examples=400, deadline=None)
@given(WORLDS, CHANGES, BOUNDS)
def test_reading_what_differs_makes_the_totals_agree(
    world: Records, changes: list[tuple[int, str, Made]], bounds: tuple[bool, bool]
) -> None:
    truth, copy = changed(world, changes), HeldCopy(world)
    server = Server(truth, since_inclusive=bounds[0], until_inclusive=bounds[1])
    for _ in range(1 + len(changes)):
        spans, calls = differences(copy, server)
        assert calls <= 2 + 2 * (len(changes) + 1) * 2 * math.ceil(math.log2(LENGTH))
        if not spans:
            break
        repair(copy, truth, spans)
    assert spans == []
    assert totals_of(copy.records.values(), flags=True).same_as(totals_of(truth.values(), flags=True))


@settings(max_examples=400, deadline=None)
@given(WORLDS, st.integers(0, 59), st.sampled_from(["gone", "other", "flag", "new"]), RECORDS, BOUNDS)
def test_one_change_is_found_at_once(world: Records, key: int, kind: str, other: Made, bounds: tuple[bool, bool]) -> None:
    truth, copy = changed(world, [(key, kind, other)]), HeldCopy(world)
    spans, _ = differences(copy, Server(truth, since_inclusive=bounds[0], until_inclusive=bounds[1]))
    moved = [each for each in (truth.keys() | world.keys()) if truth.get(each) != world.get(each)]
    for each in moved:
        second = truth.get(each, world.get(each)).second  # type: ignore[union-attr]
        assert any(span.start <= second < span.end for span in spans)


@settings(max_examples=200, deadline=None)
@given(WORLDS, BOUNDS)
def test_what_is_equal_costs_one_call_for_each_way_to_ask(world: Records, bounds: tuple[bool, bool]) -> None:
    server = Server(world, since_inclusive=bounds[0], until_inclusive=bounds[1])
    assert differences(HeldCopy(world), server) == ([], 2)


def test_spans_are_small_and_in_order() -> None:
    world = {key: Made(1000 * 800 * key) for key in range(1, 100)}
    truth = {**world, 10: replace(world[10], status="SELLRETURNED"), 90: replace(world[90], amount=1)}
    spans, calls = differences(HeldCopy(world), Server(truth, since_inclusive=True, until_inclusive=False))
    assert [span.start <= world[key].second < span.end for span, key in zip(spans, (10, 90), strict=True)] == [True, True]
    assert sum(span.seconds for span in spans) < LENGTH / 10
    assert calls <= 16


def test_a_server_without_totals_is_told() -> None:
    comparison = Comparison(cast(NexusClient, WithoutTotals()), RESOURCE, cast(Copy, HeldCopy({})), ENOUGH)
    assert comparison.differences(WHOLE) is None


@pytest.mark.parametrize("key", [1, 50, 99])
def test_records_of_one_second_are_not_halved_for_ever(key: int) -> None:
    world = {number: Made(5_000_000) for number in range(100)}
    truth = {each: record for each, record in world.items() if each != key}
    spans, calls = differences(HeldCopy(world), Server(truth, since_inclusive=True, until_inclusive=False))
    assert [span.seconds for span in spans] == [3]
    assert calls <= 2 + 2 * math.ceil(math.log2(LENGTH))


class Restless:
    """Says something else at each call, of so many records that each second would have to be asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, *_: Any, params: dict[str, str], **__: Any) -> dict[str, Any]:
        self.calls += 1
        until = _milliseconds(params[RESOURCE.created.until])  # type: ignore[union-attr]
        count = until + self.calls if until > 0 else 0
        return {"totals": [{"status": "BUYCOMPLETED", "currencyCode": "EUR", "transactionCount": count, "payoutValue": count}]}


def test_a_server_that_says_something_else_at_each_call_is_not_asked_for_ever() -> None:
    world = {key: Made(1000 * 800 * key) for key in range(1, 100)}
    server = Restless()
    comparison = Comparison(cast(NexusClient, server), RESOURCE, cast(Copy, HeldCopy(world)), ENOUGH)
    spans = comparison.differences(WHOLE)
    assert server.calls == comparison.calls <= MOST_CALLS + 2
    assert comparison.is_cut
    # What is left is named as large as it is: nothing that differs is left out.
    assert spans == [WHOLE]
