"""Which days a span of time stands for, and what was recorded on each day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, Overflow

from airflow_provider_nexus.report.collection import Entry
from airflow_provider_nexus.report.values import amount, mapping

DAY = timedelta(days=1)
LONGEST = 366 * DAY
"""As much of a window is drawn, its end: the first sync of a resource may go back to its beginning."""
_EXACT = Context(prec=2000, traps=[Inexact, Overflow])


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def days_of(start: datetime, end: datetime | None) -> list[date]:
    """The days of which a span covers half or more; else the one that its middle lies in.

    Windows that end a settle lag after midnight so stand for the one day that they are about.
    """
    end = end or start
    start = max(start, end - LONGEST)
    first, last = start.date(), end.date()
    whole = [first + DAY * number for number in range((last - first).days + 1)]
    found = [day for day in whole if min(end, midnight(day) + DAY) - max(start, midnight(day)) >= DAY / 2]
    return found or [(start + (end - start) / 2).date()]


def day_of(entry: Entry) -> date:
    """The first day that a window stands for."""
    end = entry.end and min(entry.end, entry.start + 2 * DAY)
    return days_of(entry.start, end)[0]


@dataclass
class Day:
    """What the windows of a day hold; a window of more days counts on its first one.

    :param sums: wire name of the amount -> currency -> exact sum
    """

    records: int = 0
    sums: dict[str, dict[str, Decimal]] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Count a window."""
        self.records += entry.records
        for name, by_currency in mapping(entry.facts.get("sums")).items():
            held = self.sums.setdefault(name, {})
            for currency, value in mapping(by_currency).items():
                found = amount(value)
                if found is not None:
                    held[currency] = _EXACT.add(held.get(currency, Decimal(0)), found)


def by_day(entries: Iterable[Entry]) -> dict[date, Day]:
    """What each day holds, oldest first. Of readings that are no windows, the last one of a day stands for it."""
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
