"""Rows by time and back, against the slow way."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.sandbox.data.broker import broker_timeline
from airflow_provider_nexus.sandbox.timeline import Timeline, every, several, ticks, twins

START = 1_000_000_000_000
ROWS = 60


def check(timeline: Timeline, count: int) -> None:
    stamps = [timeline.stamp(row) for row in range(count)]
    assert stamps == sorted(stamps)
    for moment in {each for stamp in stamps for each in (stamp - 1, stamp, stamp + 1) if each <= stamps[-1]}:
        assert timeline.first(moment) == bisect_left(stamps, moment)


@settings(max_examples=60, deadline=None)
@given(
    salt=st.integers(0, 2**64 - 1),
    span=st.integers(60, 10_000_000),
    count=st.integers(0, 60),
    gap=st.integers(1, 100_000),
    tie=st.sampled_from([0, 1, 7, 1000, 250_000]),
)
def test_every_timeline(salt: int, span: int, count: int, gap: int, tie: int) -> None:
    even = ticks(salt, START, START + span, count, gap, tie)
    check(even, ROWS + 40)
    check(twins(even, count), ROWS + 40)
    check(every(twins(even, count), 5, 1), 20 + 15)
    check(several(twins(even, count), 2), 2 * ROWS)
    check(broker_timeline(twins(even, count)), 40)
    assert even.first(START + span + 1 if not tie else START + span) <= count
    assert all(even.stamp(row) > START + span for row in range(count, count + 5))


def test_no_rows_after_the_span() -> None:
    even = ticks(3, START, START + 1000, 10, 0, 0)
    assert even.first(START + 10**12) == 10
