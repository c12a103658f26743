"""When each window was last read is found in one pass, and is what a look at every pair would find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.sql.bookkeeping import last_readings

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: int) -> datetime:
    return START + timedelta(hours=hours)


SPANS = st.tuples(st.integers(0, 8), st.integers(1, 5)).map(lambda each: Window(at(each[0]), at(each[0] + each[1])))
READINGS = st.dictionaries(st.tuples(st.sampled_from(["created", "reread"]), SPANS), st.integers(0, 50).map(at), max_size=12)


@given(READINGS)
def test_it_is_the_latest_of_all_that_contain_a_window(readings: dict[tuple[str, Window], datetime]) -> None:
    found = [(feed, window, read_at) for (feed, window), read_at in readings.items()]
    expected = [
        (window, max(read_at for _, other, read_at in found if other.start <= window.start and window.end <= other.end))
        for feed, window, _ in found
        if feed == "created"
    ]
    last = last_readings(found)
    assert sorted(last, key=repr) == sorted(expected, key=repr)
    assert [(read_at, window.start) for window, read_at in last] == sorted((each, window.start) for window, each in expected)


def test_a_year_of_hours_takes_no_look_at_every_pair() -> None:
    looks = 0

    class Counted(datetime):
        def __gt__(self, other: datetime) -> bool:  # type: ignore[override]
            nonlocal looks
            looks += 1
            return super().__gt__(other)

    hours = [Counted(*at(hour).timetuple()[:6], tzinfo=UTC) for hour in range(8761)]
    windows = [("created", Window(*ends), ends[1]) for ends in pairwise(hours)]
    assert len(last_readings(windows)) == 8760
    assert looks < 10 * 8760
