from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.extract.plan import PlannedWindow, divide, plan
from airflow_provider_nexus.extract.source import PAGE_SIZE
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.sandbox import Sandbox
from tests.client.socket_server import SocketServer, answer
from tests.extract.serving import client_of, sandbox_and_client

NOW = datetime(2026, 6, 2, 0, 30, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
TRANSACTIONS = get_resource("transactions")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, NexusClient]]:
    with sandbox_and_client(transactions=4000, days=30, now=NOW) as pair:
        yield pair


def planned(client: NexusClient, start: Any, end: Any, max_windows: int, **options: Any) -> list[PlannedWindow]:
    return plan(client, TRANSACTIONS, choose_window(arguments=(start, end)), max_windows, **options)


def assert_cover(windows: list[PlannedWindow], start: datetime, end: datetime, max_windows: int) -> None:
    assert 1 <= len(windows) <= max_windows
    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(windows))
    assert all(window.start < window.end and not window.start.microsecond for window in windows)


class Records:
    """Made-up records by the second that they lie in, counted as a server would, and how often that was asked."""

    def __init__(self, start: datetime, seconds: list[int]) -> None:
        self._start, self._seconds, self.asked = start, sorted(seconds), 0

    def __call__(self, start: datetime, end: datetime) -> int:
        self.asked += 1
        first, last = (bisect_left(self._seconds, (moment - self._start).total_seconds()) for moment in (start, end))
        return last - first


@settings(max_examples=200, deadline=None)
@given(
    max_windows=st.integers(1, 40),
    begin=st.integers(0, 2 * 86_400),
    length=st.integers(1, 400 * 86_400),
    lumps=st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.3), st.integers(0, 3000)), max_size=5),
)
def test_any_distribution_is_covered_and_about_equal(
    max_windows: int, begin: int, length: int, lumps: list[tuple[float, float, int]]
) -> None:
    seconds = [
        int((place * (1 - width) + width * number / records) * length)
        for place, width, records in lumps
        for number in range(records)
    ]
    start = MAY + timedelta(seconds=begin)
    end = start + timedelta(seconds=length)
    count = Records(start, seconds)
    windows = divide(count, start, end, max_windows)
    assert_cover(windows, start, end, max_windows)
    assert count.asked <= 16 * max_windows + 8
    for window in windows:
        assert window.records == count(window.start, window.end)
        assert len(windows) == 1 or window.records >= PAGE_SIZE
    goal = len(seconds) / max(1, min(max_windows, len(seconds) // PAGE_SIZE))
    if max(Counter(seconds).values(), default=0) <= goal / 4:
        assert max(window.records or 0 for window in windows) <= max(2.25 * goal, 2 * PAGE_SIZE)


def test_records_of_one_second_are_one_window() -> None:
    count = Records(MAY, [500_000] * 1000)
    windows = divide(count, MAY, MAY + timedelta(days=30), 8)
    assert_cover(windows, MAY, MAY + timedelta(days=30), 8)
    assert [window.records for window in windows] == [1000]


def test_even_days_are_cut_at_midnight() -> None:
    count = Records(MAY, list(range(0, 80 * 86_400, 600)))
    windows = divide(count, MAY, MAY + timedelta(days=80), 8)
    assert [(window.start - MAY).days for window in windows] == list(range(0, 80, 10))
    assert {window.records for window in windows} == {1440}


def test_a_day_is_cut_at_full_hours() -> None:
    count = Records(MAY, list(range(0, 86_400, 10)))
    windows = divide(count, MAY, MAY + timedelta(days=1), 8)
    assert [(window.start - MAY).total_seconds() / 3600 for window in windows] == list(range(0, 24, 3))


def test_a_midnight_is_worth_a_small_imbalance() -> None:
    windows = divide(Records(MAY, list(range(0, 11 * 86_400, 60))), MAY, MAY + timedelta(days=11), 12)
    hours = [(window.end - MAY).total_seconds() / 3600 for window in windows]
    assert hours[:2] == [24, 45]  # where 22 and 44 would be equal


def test_a_business_that_grows_has_about_equal_windows() -> None:
    days = [int((number / 10_000) ** 0.5 * 100 * 86_400) for number in range(10_000)]
    windows = divide(Records(MAY, days), MAY, MAY + timedelta(days=100), 10)
    assert len(windows) == 10
    assert max(window.records or 0 for window in windows) <= 1.3 * 1000


def test_calls_are_bounded_when_the_records_lie_in_a_few_seconds() -> None:
    bursts = [burst * 2_000_000 + second for burst in range(12) for second in range(3) for _ in range(100)]
    count = Records(MAY, bursts)
    windows = divide(count, MAY, MAY + timedelta(days=300), 4)
    assert_cover(windows, MAY, MAY + timedelta(days=300), 4)
    assert count.asked <= 4 * 16 + 8


@given(said=st.lists(st.none() | st.integers(0, 10_000), max_size=40), max_windows=st.integers(1, 9))
def test_counts_that_make_no_sense_still_give_a_cover(said: list[int | None], max_windows: int) -> None:
    answers = iter([5000, *said])
    end = MAY + timedelta(days=9)
    windows = divide(lambda *_: next(answers, None), MAY, end, max_windows)
    assert_cover(windows, MAY, end, max_windows)
    assert sum(window.records or 0 for window in windows) == 5000
    assert all((window.records or 0) >= PAGE_SIZE for window in windows)


@pytest.mark.parametrize(
    ("start", "end", "ends"),
    [
        (MAY, MAY + timedelta(days=8), [0, 2, 4, 6, 8]),
        (MAY, MAY + timedelta(seconds=2), [0, 1 / 86_400, 2 / 86_400]),
    ],
)
def test_a_server_that_does_not_count_is_asked_once(start: datetime, end: datetime, ends: list[float]) -> None:
    asked = []
    windows = divide(lambda *bounds: asked.append(bounds), start, end, 4)
    assert_cover(windows, start, end, 4)
    assert [start, *(window.end for window in windows)] == [start + timedelta(days=days) for days in ends]
    assert {window.records for window in windows} == {None}
    assert len(asked) == 1


@settings(max_examples=25, deadline=None)
@given(first=st.integers(0, 29 * 86_400), length=st.integers(1, 30 * 86_400), max_windows=st.integers(1, 20))
def test_a_sandbox_is_divided(running: tuple[Sandbox, NexusClient], first: int, length: int, max_windows: int) -> None:
    sandbox, client = running
    start = NOW - timedelta(days=30) + timedelta(seconds=first)
    end = min(start + timedelta(seconds=length), NOW)
    windows = planned(client, start, end, max_windows, settle_lag=timedelta(0))
    assert_cover(windows, start, end, max_windows)
    there = [len(sandbox.truth("transactions", window.start, window.end)) for window in windows]
    assert [window.records for window in windows] == there
    goal = sum(there) / max(1, min(max_windows, sum(there) // PAGE_SIZE))
    assert max(there) <= max(2.25 * goal, 2 * PAGE_SIZE)


@pytest.mark.parametrize("end", [None, "2027-01-01", "2026-06-02T00:30:00Z"])
def test_an_end_that_is_open_or_to_come_is_settled(running: tuple[Sandbox, NexusClient], end: str | None) -> None:
    _, client = running
    windows = planned(client, MAY, end, 4)
    settled = NOW if end and end.startswith("2026") else NOW - timedelta(minutes=5)
    assert (windows[0].start, windows[-1].end, len(windows)) == (MAY, settled, 4)


def test_nothing_is_settled_yet(running: tuple[Sandbox, NexusClient]) -> None:
    assert planned(running[1], NOW, None, 4) == []


def test_an_empty_span_is_one_window(running: tuple[Sandbox, NexusClient]) -> None:
    assert planned(running[1], "2020-01-01", "2021-01-01", 4) == [
        PlannedWindow(datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC), 0)
    ]


@pytest.mark.parametrize(
    "server",
    [
        {"sort": "ignored"},
        {"filters": "ignored"},
        {"since_inclusive": False, "until_inclusive": True},
        {"tie_seconds": 3600},
        {"total_error": 7},
    ],
    ids=str,
)
def test_whatever_the_server_does_the_plan_covers(server: dict[str, Any]) -> None:
    with sandbox_and_client(transactions=2000, days=10, now=NOW, **server) as (sandbox, client):
        start, end = NOW - timedelta(days=10), NOW - timedelta(hours=1)
        windows = planned(client, start, end, 6)
        assert_cover(windows, start, end, 6)
        assert sum(len(sandbox.truth("transactions", each.start, each.end)) for each in windows) == len(
            sandbox.truth("transactions", start, end)
        )
        assert sandbox.call_count <= 1 + 16 * 6 + 8


def test_only_totals_are_asked_for(running: tuple[Sandbox, NexusClient]) -> None:
    sandbox, _ = running
    client, before = client_of(sandbox), sandbox.call_count
    planned(client, MAY, NOW, 8)
    assert 8 < sandbox.call_count - before <= 8 * 9
    assert {call.query["limit"] for call in sandbox.calls[before - sandbox.call_count :]} == {"1"}
    client.session.close()


def test_a_server_without_a_date_is_refused() -> None:
    page = b'{"message":null,"errors":null,"values":{"page":1,"total":0,"totalPages":0,"records":[]}}'
    with SocketServer(answer(page)) as server:
        sandboxed: Any = type("There", (), {"token": "t0ken", "base_url": server.base_url})
        with pytest.raises(NexusWindowError, match="no Date header"):
            planned(client_of(sandboxed), MAY, None, 4)


@pytest.mark.parametrize("name", ["prices", "payment_methods", "customer_persons"])
def test_a_resource_without_windows_is_refused(running: tuple[Sandbox, NexusClient], name: str) -> None:
    with pytest.raises(NexusConfigurationError, match=f"{name} has no windows"):
        plan(running[1], get_resource(name), choose_window(arguments=(MAY, NOW)), 4)


@pytest.mark.parametrize("max_windows", [0, -1])
def test_at_least_one_window_is_allowed(running: tuple[Sandbox, NexusClient], max_windows: int) -> None:
    with pytest.raises(NexusConfigurationError, match=f"max_windows is {max_windows}"):
        planned(running[1], MAY, NOW, max_windows)
