"""The days of a window, and the records and sums of each day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, Overflow

from airflow_provider_nexus.report.collection import WindowEntry

DAY = timedelta(days=1)
LONGEST = 366 * DAY
"""As much of a window is drawn, its end: the first sync of a resource may go back to its beginning."""
_LONGEST_AMOUNT = 200
"""Digits of an amount; more are taken for damage, and left out."""
_EXACT = Context(prec=2000, traps=[Inexact, Overflow])


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def days_of(start: datetime, end: datetime | None) -> list[date]:
    """The days of which a span covers half or more; else the one that its middle lies in.

    So a window that ends a settle lag after midnight is of the one day that it is about.
    """
    end = end or start
    start = max(start, end - LONGEST)
    first, last = start.date(), end.date()
    whole = [first + DAY * number for number in range((last - first).days + 1)]
    found = [day for day in whole if min(end, midnight(day) + DAY) - max(start, midnight(day)) >= DAY / 2]
    return found or [(start + (end - start) / 2).date()]


def day_of(entry: WindowEntry) -> date:
    """The first day that a window is about."""
    end = entry.end and min(entry.end, entry.start + 2 * DAY)
    return days_of(entry.start, end)[0]


@dataclass
class Day:
    """What the windows of a day contain; a window of more days counts on its first one.

    :param sums: wire name of the amount -> currency -> exact sum
    """

    records: int = 0
    sums: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, entry: WindowEntry) -> None:
        """Count a window."""
        self.records += entry.records
        for name, by_currency in entry.manifest.sums.items() if entry.manifest else ():
            sums = self.sums.setdefault(name, {})
            for currency, value in by_currency.items():
                if len(value) <= _LONGEST_AMOUNT:
                    sums[currency] = _EXACT.add(sums.get(currency, Decimal(0)), Decimal(value))


def by_day(entries: Iterable[WindowEntry]) -> dict[date, Day]:
    """What each day contains, oldest first. Of readings that are no windows, the last one of a day counts."""
    found: dict[date, Day] = {}
    for entry in entries:
        day = day_of(entry)
        if entry.end is None:
            found[day] = Day()
        found.setdefault(day, Day()).add(entry)
    return dict(sorted(found.items()))


def total(values: Iterable[Decimal]) -> Decimal:
    """An exact sum."""
    found = Decimal(0)
    for value in values:
        found = _EXACT.add(found, value)
    return found
