"""Moments as users give them: every kind that Airflow, pendulum and people make, and what is none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]
import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.moments import is_missing, moment, span_of_time
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError

JANUARY = datetime(2026, 1, 31, tzinfo=UTC)
MIDNIGHTS = [
    "2026-01-31",
    " 2026-01-31 ",
    "20260131",
    20260131,
    "2026-01-31T00:00:00",
    "2026-01-31T00:00:00Z",
    "2026-01-31T00:00:00+00:00",
    "2026-01-31 00:00:00+00:00",
    "20260131T000000",
    "20260131T000000+0000",
    "2026-01-31T00:00:00.0000000Z",
    "2026-01-31T01:00:00+01:00",
    date(2026, 1, 31),
    datetime(2026, 1, 31),
    JANUARY,
    datetime(2026, 1, 30, 19, tzinfo=timezone(timedelta(hours=-5))),
    datetime(2026, 1, 31, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
    pendulum.date(2026, 1, 31),
    pendulum.datetime(2026, 1, 31),
    pendulum.datetime(2026, 1, 31, 1, tz="Europe/Amsterdam"),
    pendulum.naive(2026, 1, 31),
    pd.Timestamp("2026-01-31", tz="UTC"),
    pd.Timestamp("2026-01-31T01:00", tz="Europe/Amsterdam"),
]


@pytest.mark.parametrize("given_as", MIDNIGHTS)
def test_every_kind_is_the_same_plain_moment(given_as: Any) -> None:
    found = moment(given_as, "start")
    assert (found, type(found), found.tzinfo) == (JANUARY, datetime, UTC)


@pytest.mark.parametrize(
    "nonsense",
    [
        *(
            "",
            " ",
            "None",
            "yesterday",
            "03:04",
            "2026-13-01",
            "2026-02-30",
            "{{ ds }}",
            "2026-01",
            "1769817600",
            "20260131000000",
        ),
        *(0, 1, 1769817600, True, 1.5, 20261331, b"2026-01-31", [], {}, object, float("nan"), pd.NaT),
        "0001-01-01T00:00:00+05:00",
    ],
)
def test_what_is_no_moment_is_named(nonsense: Any) -> None:
    with pytest.raises(NexusWindowError, match=r"^window_start: .*give one as in 2026-01-31T00:00:00Z$"):
        moment(nonsense, "window_start")


@pytest.mark.parametrize(("fold", "hour"), [(0, 0), (1, 1)])
def test_the_hour_that_comes_twice_is_told_apart(fold: int, hour: int) -> None:
    local = pendulum.datetime(2026, 10, 25, 2, 30, tz="Europe/Amsterdam", fold=fold)
    assert moment(local, "x") == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)))
def test_no_moment_moves(given_as: datetime) -> None:
    found = moment(given_as, "x")
    assert type(found) is datetime
    assert found == given_as.astimezone(UTC)
    there = pendulum.instance(given_as)  # which moves what lies in an hour that a clock leaves out
    # Python calls no moment of an hour that comes twice equal to one of another zone
    assert moment(there, "x") == there.astimezone(UTC)
    assert moment(found.isoformat(), "x") == found


@pytest.mark.parametrize(("given_as", "missing"), [(None, True), ("", True), (" None ", True), (0, False), ("0", False)])
def test_what_templates_make_of_nothing_is_missing(given_as: Any, missing: bool) -> None:
    assert is_missing(given_as) is missing


@pytest.mark.parametrize("given_as", [300, 300.0, timedelta(minutes=5), pendulum.duration(minutes=5)])
def test_spans(given_as: Any) -> None:
    found = span_of_time(given_as, "settle_lag", longest=timedelta(days=1))
    assert (found, type(found)) == (timedelta(minutes=5), timedelta)


@pytest.mark.parametrize("nonsense", ["300", None, -1, True, float("nan"), float("inf"), timedelta(-1), timedelta(2), 86_401])
def test_what_is_no_span_is_named(nonsense: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=r"^settle_lag is .*: give a timedelta or seconds, from 0 to 1 days$"):
        span_of_time(nonsense, "settle_lag", longest=timedelta(days=1))


@pytest.mark.parametrize(
    ("given_as", "why"),
    [
        ("2026-02-29", "day"),
        ("20260229", "day"),
        (20260229, "day"),
        (20261331, "month"),
        ("2026-04-31T00:00:00Z", "day"),
        ("20260229T000000", "day"),
        ("2026-13-01", "month"),
        ("2026-00-01", "month"),
        ("2026-01-00", "day"),
        ("2026-01-01T25:00", "hour"),
        ("2026-01-01T10:60", "minute"),
        ("2026-01-01T10:00:60", "second"),
    ],
)
def test_a_day_that_does_not_exist_is_told_as_such(given_as: Any, why: str) -> None:
    with pytest.raises(
        NexusWindowError, match=rf"^end: '?{given_as}'? is not in the calendar, there is no such .* \({why} "
    ) as caught:
        moment(given_as, "end")
    assert "no ISO 8601 moment" not in str(caught.value)


def test_a_leap_day_exists() -> None:
    assert moment("2028-02-29", "end") == datetime(2028, 2, 29, tzinfo=UTC)
