from __future__ import annotations

import logging
import sys

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.progress import Progress
from airflow_provider_nexus.extract.protect import Protection, Protector
from airflow_provider_nexus.extract.spool import RecordSpool

RESOURCE = get_resource("transactions")
KEYS = ("T1", "a\nb\tc", '"\\', "\u00e9\U0001f600", "x" * 300_000)


def spool() -> RecordSpool:
    spool = RecordSpool(RESOURCE, Progress("", logging.getLogger(__name__)), Protector(RESOURCE, Protection()))
    spool.begin()
    return spool


def row(key: str, flaw: str = "") -> Row:
    return Row("2026-01-01T00:00:00", key, b'{"payout":1.10,"text":"\xc3\xa9"}', None, flaw)


def test_rows_come_back_as_they_went_in() -> None:
    taken, rows = spool(), [row(key) for key in KEYS] + [row("T2", "payout")]
    taken.write(rows[:2])
    taken.write(rows[2:])
    assert list(taken.rows()) == list(taken.rows()) == rows
    assert taken.records == len(rows)
    taken.close()


def test_rows_are_read_from_a_place_on_and_more_are_taken_after() -> None:
    taken = spool()
    taken.write([row("T1")])
    size = taken.size
    taken.write([row("T2"), row("T3")])
    assert next(taken.rows()).key == "T1"  # left in the middle
    taken.write([row("T4")])
    assert [each.key for each in taken.rows(size)] == ["T2", "T3", "T4"]
    taken.close()


def test_it_may_be_closed_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a load fails in the middle."""
    unheard: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unheard.append)
    taken = spool()
    taken.write([row("T1"), row("T2")])
    reading = taken.rows()
    assert next(reading).key == "T1"
    taken.close()
    del reading
    assert unheard == []


def test_begin_forgets() -> None:
    taken = spool()
    taken.write([row("T1"), row("T2")])
    taken.begin()
    taken.write([row("T3")])
    assert [each.key for each in taken.rows()] == ["T3"]
    assert taken.records == 1
    taken.close()
