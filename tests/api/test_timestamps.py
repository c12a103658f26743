from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.timestamps import normalise, to_date, to_pendulum, to_wire

FORMS = {
    "2026-01-02T03:04:05": "2026-01-02T03:04:05",
    "2026-01-02T03:04:05Z": "2026-01-02T03:04:05",
    "2026-01-02T03:04:05.123": "2026-01-02T03:04:05.123",
    "2026-01-02T03:04:05.123Z": "2026-01-02T03:04:05.123",
    "2026-01-02T03:04:05.1234567": "2026-01-02T03:04:05.1234567",
    "2026-01-02T03:04:05.1234567Z": "2026-01-02T03:04:05.1234567",
    "2026-01-02T03:04:05.1234567+02:00": "2026-01-02T01:04:05.1234567",
    "2026-01-02T03:04:05-05:30": "2026-01-02T08:34:05",
    "2026-01-02T03:04:05.1200Z": "2026-01-02T03:04:05.12",
    "2026-01-02T03:04:05.000Z": "2026-01-02T03:04:05",
    "0001-01-01T00:00:00": "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.9999999Z": "9999-12-31T23:59:59.9999999",
    "2024-02-29T00:00:00Z": "2024-02-29T00:00:00",
}

NO_STAMPS = [
    "",
    " ",
    "03:04",
    "now",
    "today",
    "2026",
    "2026-01-02",
    "20260102T030405Z",
    "2026-W01-1T03:04:05Z",
    "2026-W01-1",
    "2026-001T03:04:05Z",
    "2026-01-02T030405.5Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T24:00:00",
    "2026-01-02T23:59:60Z",
    "2026-01-02T23:60:00Z",
    "2026-01-02T03:04Z",
    "2026-01-02 03:04:05Z",
    "2026-01-02t03:04:05z",
    "2026-01-02T03:04:05z",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05,123Z",
    "2026-01-02T03:04:05+0200",
    "2026-01-02T03:04:05+02",
    "2026-01-02T03:04:05+25:00",
    "2026-01-02T03:04:05 UTC",
    " 2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05Z\n",
    "2026-13-02T03:04:05Z",
    "2026-02-29T03:04:05Z",
    "2026-02-29T03:04:05",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-00:01",
    "1767323045",
    "1767323045000",
    "02-01-2026T03:04:05Z",
    "01/02/2026 03:04:05",
    "٢٠٢٦-01-02T03:04:05",
    "2026-01-02T03:04:05.٣Z",
    "null",
]

_ZONES = st.one_of(
    st.sampled_from(["", "Z"]),
    st.tuples(st.sampled_from("+-"), st.integers(0, 14), st.integers(0, 59)).map(lambda z: f"{z[0]}{z[1]:02}:{z[2]:02}"),
)
_DIGITS = st.text("0123456789", max_size=9)


@st.composite
def stamps(draw: st.DrawFn) -> tuple[str, tuple[datetime, str]]:
    """A stamp in some form, with the moment in UTC and the digits of its fraction padded to nine."""
    local = draw(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.none())).replace(microsecond=0)
    zone, digits = draw(_ZONES), draw(_DIGITS)
    text = f"{local.isoformat()}{'.' + digits if digits else ''}{zone}"
    return text, (_shifted(local, zone), digits.ljust(9, "0"))


def _shifted(local: datetime, zone: str) -> datetime:
    if zone in ("", "Z"):
        return local.replace(tzinfo=UTC)
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    return local.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset)).astimezone(UTC)


@pytest.mark.parametrize(("value", "expected"), FORMS.items())
def test_every_form_that_nexus_sends_is_read(value: str, expected: str) -> None:
    assert normalise(value) == expected


@pytest.mark.parametrize("value", NO_STAMPS)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        normalise(value)
    with pytest.raises(ValueError):
        to_pendulum(value)


def test_the_refusal_shows_the_value() -> None:
    with pytest.raises(ValueError, match="'03:04'"):
        to_pendulum("03:04")


@given(stamps(), stamps())
def test_texts_compare_as_moments_do(one: tuple[str, tuple[datetime, str]], two: tuple[str, tuple[datetime, str]]) -> None:
    assert (normalise(one[0]) < normalise(two[0])) == (one[1] < two[1])
    assert (normalise(one[0]) == normalise(two[0])) == (one[1] == two[1])


@given(stamps(), _DIGITS, _DIGITS)
def test_fractions_of_the_same_second_compare_as_numbers(stamp: tuple[str, tuple[datetime, str]], one: str, two: str) -> None:
    second = stamp[1][0].replace(tzinfo=None).isoformat()
    left, right = (normalise(f"{second}{'.' + digits if digits else ''}") for digits in (one, two))
    assert (left < right) == (one.ljust(9, "0") < two.ljust(9, "0"))


@given(stamps())
def test_every_digit_is_kept(stamp: tuple[str, tuple[datetime, str]]) -> None:
    text, (moment, digits) = stamp
    whole, _, fraction = normalise(text).partition(".")
    assert whole == moment.replace(tzinfo=None).isoformat()
    assert fraction.ljust(9, "0") == digits


@given(stamps())
def test_reading_twice_changes_nothing(stamp: tuple[str, tuple[datetime, str]]) -> None:
    once = normalise(stamp[0])
    assert normalise(once) == once
    assert normalise(once + "Z") == once


@given(stamps())
def test_pendulum_has_the_same_moment_in_utc(stamp: tuple[str, tuple[datetime, str]]) -> None:
    text, (moment, digits) = stamp
    read = to_pendulum(text)
    assert isinstance(read, pendulum.DateTime)
    assert read.timezone_name == "UTC"
    assert read == moment.replace(microsecond=int(digits[:6]))


@given(st.text())
def test_no_text_breaks_the_reader_in_another_way(value: str) -> None:
    try:
        normalise(value)
    except ValueError:
        with pytest.raises(ValueError):
            to_pendulum(value)
    else:
        to_pendulum(value)


@pytest.mark.parametrize("value", ["1990-05-17", "1990-05-17T00:00:00", "1990-05-17T00:00:00Z", "1990-05-17T00:00:00.000"])
def test_a_date_is_read_from_a_midnight_stamp_too(value: str) -> None:
    assert to_date(value) == date(1990, 5, 17)


@pytest.mark.parametrize(
    "value", ["", "1990-05-17T00:00:01", "1990-05-17T00:00:00.5", "17-05-1990", "1990-02-30", "19900517", "x"]
)
def test_a_date_with_a_time_is_no_date(value: str) -> None:
    with pytest.raises(ValueError):
        to_date(value)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.timezones()))
def test_the_wire_form_says_the_same_second(moment: datetime) -> None:
    wire = to_wire(moment)
    assert len(wire) == len("2026-01-02T03:04:05Z")
    assert to_pendulum(wire) == moment.astimezone(UTC).replace(microsecond=0)


def test_a_moment_without_a_zone_is_not_sent() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        to_wire(datetime(2026, 1, 2))
