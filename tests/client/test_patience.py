from __future__ import annotations

import pytest

from airflow_provider_nexus.client.patience import Patience, interval
from airflow_provider_nexus.exceptions import NexusApiError, NexusAuthenticationError, NexusRateLimitError, NexusServerError

BUSY = NexusServerError("GET", "/orders", status=503)


def test_failures_in_a_row_are_put_up_with_until_one_is_too_many() -> None:
    patience = Patience(3)
    assert [patience.failed(BUSY), patience.failed(BUSY)] == [0.0, 0.0]
    with pytest.raises(NexusServerError):
        patience.failed(BUSY)


def test_an_answer_forgives_them() -> None:
    patience = Patience(2)
    for _ in range(5):
        patience.failed(BUSY)
        patience.answered()


@pytest.mark.parametrize(("asked", "kept"), [(None, 0), (0, 0), (7, 7), (600, 600), (601, 600), (31_536_000, 600), (8.6e13, 600)])
@pytest.mark.parametrize("kind", [NexusRateLimitError, NexusServerError])
def test_what_the_server_asks_for_is_told(kind: type[NexusApiError], asked: float | None, kept: float) -> None:
    assert Patience(5).failed(kind("GET", "/orders", status=503, retry_after=asked)) == kept


def test_what_can_not_pass_is_raised_at_once() -> None:
    with pytest.raises(NexusAuthenticationError):
        Patience(5).failed(NexusAuthenticationError("GET", "/orders", status=401))


@pytest.mark.parametrize(("age", "low", "high"), [(0, 30, 33), (1000, 100, 110), (1e6, 600, 660)])
def test_looks_get_rarer(age: float, low: float, high: float) -> None:
    drawn = [interval(age, 30, 600) for _ in range(200)]
    assert low <= min(drawn) < max(drawn) <= high
