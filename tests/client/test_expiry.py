from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.client.expiry import Expiry, ExpiryLog, Stage
from airflow_provider_nexus.client.settings import read_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError
from tests.client.serving import jwt

DAY = datetime(2027, 3, 31, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


def expiry(token: str = "opaque", **extra: Any) -> Expiry | None:
    return read_settings(token=token, host="http://127.0.0.1:9", extra=extra).expiry


def ends(token: str = "opaque", **extra: Any) -> datetime | None:
    found = expiry(token, **extra)
    return found.ends if found else None


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ("2027-03-31", NEXT),
        (" 2027-03-31 ", NEXT),
        ("20270331", NEXT),
        (20270331, NEXT),
        ("2027-03-31T12:00:00Z", DAY + timedelta(hours=12)),
        ("2027-03-31T12:00", DAY + timedelta(hours=12)),
        ("2027-03-31 12:00:00", DAY + timedelta(hours=12)),
        ("2027-03-31T12:00:00.5+02:00", DAY + timedelta(hours=10, microseconds=500_000)),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_what_the_connection_says(given: object, end: datetime | None) -> None:
    """A day is the last one on which the key works."""
    assert ends(key_expires=given) == end


@pytest.mark.parametrize(
    "given",
    [
        "31-03-2027",
        "31/03/2027",
        "2027-02-30",
        "2027-03",
        "soon",
        "None",
        "1774915200",
        1774915200,
        20270331.0,
        True,
        ["2027-03-31"],
        {},
        "0001-01-01T00:00:00+02:00",
    ],
)
def test_what_is_no_day(given: object) -> None:
    with pytest.raises(NexusConfigurationError, match=r"'key_expires' is .+: give the last day of the API key as in"):
        ends(key_expires=given)


@pytest.mark.parametrize("days", [-1, 1.5, "x", True, 3651, float("nan")])
def test_days_that_are_none(days: object) -> None:
    with pytest.raises(NexusConfigurationError, match="key_warning_days"):
        expiry(key_warning_days=days)


@pytest.mark.parametrize("exp", [DAY.timestamp(), int(DAY.timestamp())])
def test_a_key_that_says_its_end_itself(exp: float) -> None:
    found = expiry(jwt({"exp": exp, "sub": "x"}))
    assert found is not None
    assert (found.ends, found.stated) == (DAY, "2027-03-31T00:00:00Z")


NESTED = '{"exp":' + "[" * 100_000
HOSTILE = [
    *(jwt({"exp": exp}) for exp in (10**30, -5, 0, 1.7e300, True, False, None, "soon", "1774915200", [1], {"exp": 1})),
    *(
        jwt(text)
        for text in ('{"exp":NaN}', '{"exp":1e999}', '{"exp":' + "9" * 6000 + "}", NESTED, "[]", "1", "", "no JSON", "{")
    ),
    jwt({}),
    jwt({"EXP": 1774915200}),
    "a.b.c",
    "a.b",
    "a..c",
    "....",
    jwt({"exp": 1774915200}) + ".more",
    f"h.{json.dumps({'exp': 1774915200})}.s".replace(" ", ""),
    "h.eyJleHAiOjE3NzQ5MTUyMDB9=.s",
]


@pytest.mark.parametrize("token", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_such_key_is_passed_over_in_silence(token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert ends(token) is None
    assert ends(token, key_expires="2027-03-31") == NEXT
    assert not caplog.records


@pytest.mark.parametrize(
    ("own", "given", "end", "said"),
    [
        (DAY, "2027-03-31", DAY, "it says itself"),
        (DAY + timedelta(hours=23), "2027-03-31", DAY + timedelta(hours=23), "it says itself"),
        (NEXT, "2027-03-31", NEXT, "it says itself"),
        (DAY, "2027-03-31T00:00:00Z", DAY, "it says itself"),
        (DAY, "2027-04-30", DAY, "it says itself (key_expires of the connection says 2027-04-30; the earlier counts)"),
        (
            DAY + timedelta(days=30),
            "2027-03-31",
            NEXT,
            "key_expires of the connection says (it says 2027-04-30T00:00:00Z itself; the earlier counts)",
        ),
        (
            DAY,
            "2027-03-31T00:05:00Z",
            DAY,
            "it says itself (key_expires of the connection says 2027-03-31T00:05:00Z; the earlier counts)",
        ),
    ],
)
def test_of_two_ends_the_earlier_counts_and_both_are_told(own: datetime, given: str, end: datetime, said: str) -> None:
    found = expiry(jwt({"exp": own.timestamp()}), key_expires=given)
    assert found is not None
    assert found.ends == end
    assert found.words(end).endswith(f"as {said}")


@pytest.mark.parametrize(
    ("left", "days", "stage", "said"),
    [
        (timedelta(days=14, seconds=1), 14, Stage.FAR, ""),
        (timedelta(days=14), 14, Stage.SOON, "expires on 2027-03-31, in 14 days, as key_expires of the connection says: make"),
        (timedelta(days=1, hours=5), 14, Stage.SOON, "in 1 day,"),
        (timedelta(hours=5), 14, Stage.SOON, "in less than a day,"),
        (timedelta(seconds=1), 0, Stage.FAR, ""),
        (timedelta(0), 0, Stage.OVER, "expired on 2027-03-31"),
        (timedelta(days=-900), 14, Stage.OVER, "if it was replaced, correct key_expires"),
        (timedelta(days=2000), 2000, Stage.SOON, "in 2,000 days"),
    ],
)
def test_the_warning_begins_in_time(left: timedelta, days: int, stage: Stage, said: str) -> None:
    found = expiry(key_expires="2027-03-31", key_warning_days=days)
    assert found is not None
    assert found.stage(NEXT - left) is stage
    assert said in found.warning(NEXT - left)
    assert bool(said) == bool(found.warning(NEXT - left))


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=-1), "expired on 2027-03-31"),
        (timedelta(hours=20), "so it may have ended already"),
        (timedelta(days=2), ""),
    ],
)
def test_a_refusal_is_explained_by_it_only_where_that_can_be(left: timedelta, said: str) -> None:
    found = expiry(key_expires="2027-03-31")
    assert found is not None
    assert said in found.explanation(NEXT - left)
    assert bool(said) == bool(found.explanation(NEXT - left))


def test_a_log_is_told_once_of_each(caplog: pytest.LogCaptureFixture) -> None:
    notice, found = ExpiryLog(logging.getLogger("told")), expiry(key_expires="2027-03-31")
    for now in (DAY - timedelta(days=60), DAY, DAY, NEXT, NEXT, NEXT + timedelta(days=3)):
        notice.report(found, now, "test")
    notice.report(None, NEXT, "test")
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "test: The API key expires on" in caplog.messages[0]
    assert "test: The API key expired on" in caplog.messages[1]
