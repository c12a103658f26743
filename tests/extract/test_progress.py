from __future__ import annotations

import logging

import pytest

from airflow_provider_nexus.extract.progress import Progress, Steps


def test_a_line_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    progress = Progress("orders", logging.getLogger("progress"), every=5.0, clock=lambda: now)
    progress.total = 4_000
    with caplog.at_level(logging.INFO):
        for second in range(1, 12):
            now = float(second)
            progress.add(100)
    assert caplog.messages == [
        "orders: 500 of 4,000 records (12%), 100 records/s, 35 s left",
        "orders: 1,000 of 4,000 records (25%), 100 records/s, 30 s left",
    ]


def test_without_a_total_there_is_no_share() -> None:
    progress = Progress("orders", logging.getLogger("progress"), clock=lambda: 0.0)
    progress.add(7)
    assert progress.line(1.0) == "orders: 7 records, 7 records/s"


def test_a_reading_that_begins_again_counts_from_nothing() -> None:
    progress = Progress("orders", logging.getLogger("progress"), clock=lambda: 0.0)
    progress.add(7)
    progress.restart()
    assert progress.records == 0


def test_who_follows_is_told_of_every_page_and_of_a_new_beginning() -> None:
    told: list[tuple[int, int | None]] = []
    progress = Progress("orders", logging.getLogger("progress"), follow=lambda *numbers: told.append(numbers))
    progress.add(7)
    progress.total = 20
    progress.add(3)
    progress.restart()
    assert told == [(7, None), (10, 20), (0, 20)]


def test_steps_are_told_from_the_first() -> None:
    told: list[tuple[int, int | None]] = []
    steps = Steps(3, lambda *numbers: told.append(numbers))
    steps.add()
    steps.add(2)
    assert told == [(0, 3), (1, 3), (3, 3)]
