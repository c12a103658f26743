"""What a load asks of a store does not grow with the number of loads before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.hooks._stores import delta_options
from tests.load.delta.writing import day, load_day
from tests.object_store import object_store
from tests.repeated import times

pytestmark = pytest.mark.slow
SPAN = times(10, 40)
"""Loads that are counted together: as many of the log's checkpoints lie in each span, and small files that become one."""


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """All requests to a store, as they come."""
    with object_store("lake") as store:
        yield store.calls


def test_requests_of_a_load(calls: list[str]) -> None:
    folder: Any = ObjectStoragePath("s3://lake@lake/nexus/sandbox/broker_transactions")
    options, spans = delta_options(folder), list[int]()
    for number in range(10 + 3 * SPAN):
        if number >= 10 and (number - 10) % SPAN == 0:
            spans.append(len(calls))
        load_day(folder, number, day(number, 20), storage_options=options)
    first, _, last = (end - begin for begin, end in zip(spans, [*spans[1:], len(calls)], strict=True))
    assert last <= first * 1.1
