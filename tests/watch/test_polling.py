from __future__ import annotations

import logging

import pytest

from airflow_provider_nexus.exceptions import NexusApiError, NexusAuthenticationError, NexusRateLimitError, NexusServerError
from airflow_provider_nexus.watch.polling import FailureLimit, OutageLog, interval

BUSY = NexusServerError("GET", "/orders", status=503)


def test_failures_in_a_row_are_put_up_with_until_one_is_too_many() -> None:
    limit = FailureLimit(3)
    assert [limit.failed(BUSY), limit.failed(BUSY)] == [0.0, 0.0]
    with pytest.raises(NexusServerError):
        limit.failed(BUSY)


def test_an_answer_forgives_them() -> None:
    limit = FailureLimit(2)
    for _ in range(5):
        limit.failed(BUSY)
        limit.answered()


@pytest.mark.parametrize(("asked", "kept"), [(None, 0), (0, 0), (7, 7), (600, 600), (601, 600), (31_536_000, 600), (8.6e13, 600)])
@pytest.mark.parametrize("kind", [NexusRateLimitError, NexusServerError])
def test_what_the_server_asks_for_is_told(kind: type[NexusApiError], asked: float | None, kept: float) -> None:
    assert FailureLimit(5).failed(kind("GET", "/orders", status=503, retry_after=asked)) == kept


def test_what_can_not_pass_is_raised_at_once() -> None:
    with pytest.raises(NexusAuthenticationError):
        FailureLimit(5).failed(NexusAuthenticationError("GET", "/orders", status=401))


@pytest.mark.parametrize(("age", "low", "high"), [(0, 30, 33), (1000, 100, 110), (1e6, 600, 660)])
def test_looks_get_rarer(age: float, low: float, high: float) -> None:
    drawn = [interval(age, 30, 600) for _ in range(200)]
    assert low <= min(drawn) < max(drawn) <= high


def test_an_outage_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    outage_log = OutageLog("orders", logging.getLogger("airflow_provider_nexus.tests"))
    with caplog.at_level(logging.INFO):
        outage_log.answered()
        for _ in range(2):
            for _ in range(3):
                outage_log.failed(BUSY)
            outage_log.answered()
            outage_log.answered()
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert (
        told
        == [
            ("WARNING", f"looking at orders fails: {BUSY}"),
            ("INFO", "looking at orders works again, after 3 that failed"),
        ]
        * 2
    )


def test_an_outage_that_began_in_another_process_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    outage_log = OutageLog("orders", logging.getLogger("airflow_provider_nexus.tests"), 2)
    with caplog.at_level(logging.INFO):
        outage_log.failed(BUSY)
        outage_log.answered()
    assert caplog.messages == ["looking at orders works again, after 3 that failed"]
