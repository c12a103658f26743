from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest

from airflow_provider_nexus.exceptions import NexusWindowError
from airflow_provider_nexus.extract.window import RequestedWindow, Window, choose_window, settle

DAY = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LAG = timedelta(minutes=5)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "how", "start", "end"),
    [
        ({"arguments": ("2026-01-01", "2026-01-02T00:00:00+01:00")}, "arguments", "2026-01-01", "2026-01-01T23:00"),
        ({"arguments": ("2026-01-01", ""), "interval": DAY}, "arguments", "2026-01-01", None),
        ({"arguments": ("None", "None"), "params": ("2026-01-03T00:00:00Z", None)}, "params", "2026-01-03", None),
        (
            {"params": (None, None), "interval": DAY, "watermark": lambda: "2025-01-01"},
            "data interval",
            "2026-01-01",
            "2026-01-02",
        ),
        ({"interval": (DAY[0], DAY[0]), "watermark": lambda: "2025-12-31T00:00:00Z"}, "watermark", "2025-12-31", None),
        ({"watermark": lambda: "2025-12-31T00:00:00Z"}, "watermark", "2025-12-31", None),
        ({"arguments": (None, "2026-01-05"), "watermark": lambda: "2026-01-01"}, "arguments", "2026-01-01", "2026-01-05"),
    ],
)
def test_order_of_preference(given: dict[str, Any], how: str, start: str, end: str | None) -> None:
    assert choose_window(**given) == RequestedWindow(moment(start), moment(end) if end else None, how)


def test_the_watermark_is_looked_up_only_when_needed() -> None:
    def refuse() -> None:
        raise AssertionError("looked up")

    assert choose_window(interval=DAY, watermark=refuse).how == "data interval"


@pytest.mark.parametrize("given", [{}, {"interval": (DAY[0], DAY[0])}, {"arguments": (None, "2026-01-01")}])
def test_no_start_says_how_to_give_one(given: dict[str, Any]) -> None:
    with pytest.raises(NexusWindowError, match="window_start"):
        choose_window(**given)


@pytest.mark.parametrize("text", ["yesterday", "03:04", 5, "2026-13-01"])
def test_nonsense_is_named(text: Any) -> None:
    with pytest.raises(NexusWindowError, match="start of the window in the arguments: "):
        choose_window(arguments=(text, None))


@pytest.mark.parametrize("end", ["2026-03-30", "2026-10-26"])
def test_a_day_of_23_or_25_hours_is_kept(end: str) -> None:
    last = pendulum.from_format(end, "YYYY-MM-DD", tz="Europe/Amsterdam")
    window, _ = settle(choose_window(interval=(last.subtract(days=1), last)), moment("2027-01-01"), LAG)
    assert window is not None
    assert (window.end - window.start) in (timedelta(hours=23), timedelta(hours=25))


def test_a_window_long_over_is_read_as_it_is() -> None:
    assert settle(RequestedWindow(*DAY, "arguments"), NOON, LAG) == (Window(*DAY, "arguments"), 0.0)


def test_a_window_just_over_waits_for_the_lag() -> None:
    window, wait = settle(RequestedWindow(*DAY, "data interval"), DAY[1] + timedelta(seconds=10), LAG)
    assert window == Window(*DAY, "data interval")
    assert wait == 290.0


@pytest.mark.parametrize("end", [None, datetime(2030, 1, 1, tzinfo=UTC)])
def test_an_open_end_is_cut_to_what_is_settled(end: datetime | None) -> None:
    window, wait = settle(RequestedWindow(DAY[0], end, "watermark"), NOON + timedelta(microseconds=7), LAG)
    assert window == Window(DAY[0], NOON - LAG, "watermark")
    assert wait == 0.0


def test_nothing_settled_is_nothing() -> None:
    assert settle(RequestedWindow(NOON - timedelta(minutes=1), None, "watermark"), NOON, LAG) == (None, 0.0)


def test_a_window_without_a_length_is_refused() -> None:
    with pytest.raises(NexusWindowError, match="not after its start"):
        settle(RequestedWindow(DAY[1], DAY[0], "arguments"), NOON, LAG)


def test_label() -> None:
    assert Window(*DAY).label == "20260101T000000Z-20260102T000000Z"


PARTS = {
    "start": ("2026-01-01", None),
    "end": (None, "2026-01-02"),
    "both": ("2026-01-01", "2026-01-02"),
    "none": (None, None),
    "empty": ("", "None"),
}
LOST = {("start", "end"), ("start", "both"), ("end", "start"), ("end", "both")}
"""Where a half that is an argument keeps a half that is a param from being heeded."""


@pytest.mark.parametrize("params", PARTS)
@pytest.mark.parametrize("arguments", PARTS)
def test_a_half_that_would_be_ignored_is_refused(arguments: str, params: str) -> None:
    given: dict[str, Any] = {"arguments": PARTS[arguments], "params": PARTS[params], "watermark": lambda: "2025-12-31"}
    if (arguments, params) in LOST:
        other = "window_start" if arguments == "end" else "window_end"
        said = f"window_{arguments} is an argument of the operator and {other} a param of the run"
        with pytest.raises(NexusWindowError, match=said):
            choose_window(**given)
        return
    named = [how for how, parts in (("arguments", arguments), ("params", params)) if parts not in ("none", "empty")]
    assert choose_window(**given).how == (named or ["watermark"])[0]
