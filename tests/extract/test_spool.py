from __future__ import annotations

import sys

import pytest

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.spool import RowSpool

KEYS = ("T1", "a\nb\tc", '"\\', "\u00e9\U0001f600", "x" * 300_000)


def row(key: str, flaw: str = "") -> Row:
    return Row("2026-01-01T00:00:00", key, b'{"payout":1.10,"text":"\xc3\xa9"}', None, flaw)


def rows_of(spool: RowSpool) -> list[Row]:
    return [row for batch in spool.batches() for row in batch]


def test_rows_come_back_as_they_went_in() -> None:
    spool, rows = RowSpool(), [row(key) for key in KEYS] + [row("T2", "payout")]
    spool.write(rows[:2])
    spool.write(rows[2:])
    assert rows_of(spool) == rows_of(spool) == rows
    spool.close()


def test_more_are_taken_after_some_were_read() -> None:
    spool = RowSpool()
    spool.write([row("T1")])
    assert next(spool.batches()) == [row("T1")]
    spool.write([row(f"T{number}") for number in range(2, 1200)])
    assert next(spool.batches())[0] == row("T1")  # left in the middle
    spool.write([row("T1200")])
    assert rows_of(spool) == [row(f"T{number}") for number in range(1, 1201)]
    spool.close()


def test_it_may_be_closed_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a load fails in the middle."""
    unheard: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    spool = RowSpool()
    spool.write([row("T1"), row("T2")])
    reading = spool.batches()
    next(reading)
    spool.close()
    del reading
    assert unheard == []
