"""What the seek walk refuses, on pages that a server could send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.source import Doubt, NotFilteredDoubt, NotSortedDoubt, Page, second_of, widened
from airflow_provider_nexus.extract.walks.seek import check_page, refuse_skipped
from airflow_provider_nexus.extract.window import Window

LOW, HIGH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def page(*stamps: str, total: int | None = None) -> Page:
    return Page([Row(stamp, f"K{n}", b"{}") for n, stamp in enumerate(stamps)], total, None)


@pytest.mark.parametrize(
    ("given", "doubt"),
    [
        (page("2025-12-31T23:59:59", total=1), NotFilteredDoubt),
        (page("2026-01-02T00:00:01", total=1), NotFilteredDoubt),
        (page("2026-01-01T12:00:00"), Doubt),
        (page("2026-01-01T12:00:00", "2026-01-01T12:00:01", total=1), Doubt),
        (page(total=1), Doubt),
    ],
)
def test_a_page_that_cannot_be_what_was_asked_for(given: Page, doubt: type[Doubt]) -> None:
    with pytest.raises(doubt):
        check_page(given, LOW, HIGH)


@pytest.mark.parametrize("given", [page(total=0), page("2026-01-01T00:00:00", "2026-01-02T00:00:00.9", total=9)])
def test_a_page_that_can(given: Page) -> None:
    check_page(given, LOW, HIGH)


def test_newest_rows_of_one_stamp_are_not_taken_for_sorted() -> None:
    first = page("2026-01-01T18:00:00", total=224)
    with pytest.raises(NotSortedDoubt):
        refuse_skipped(first, 0, page("2026-01-01T18:00:00", total=37))
    refuse_skipped(first, 10, page("2026-01-01T18:00:00", total=214))
    refuse_skipped(first, 10, page("2026-01-01T18:00:00", total=215))


def test_bounds_are_sent_a_second_wider() -> None:
    assert [f"{moment:%FT%TZ}" for moment in widened(Window(LOW, HIGH))] == ["2025-12-31T23:59:59Z", "2026-01-02T00:00:01Z"]
    assert second_of("2026-01-01T00:00:00.9999999") == LOW
