"""Days: counts and exact sums of records by the UTC day that they were created on.

Up to 400 days are told apart; of more, months are, and of more than 400 months, years.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, localcontext
from typing import Annotated

import msgspec
from msgspec import Meta

from airflow_provider_nexus.load.members import Count, Members, Sums

MOST = 400
"""Days, or months, that are told apart."""
DAY, MONTH, YEAR = 10, 7, 4
"""Characters of a day, of a month and of a year."""
_COARSER = {DAY: MONTH, MONTH: YEAR}
_ZERO = Decimal()
_EVERY_DIGIT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Adds without ever rounding, whatever somebody has written into a manifest."""
Cell = tuple[str, str, str]
"""Day, wire name of an amount, currency."""


class DayTotals(Members, frozen=True):
    """Count and sums of the records of a day, as a manifest states them; the day is empty for records without a stamp."""

    day: Annotated[str, Meta(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?\Z", description="a day, a month or a year")]
    records: Count
    sums: Sums = msgspec.field(default_factory=dict)

    @property
    def date(self) -> date | None:
        """The day, or the first one of the month or year; ``None`` when there is no such day."""
        return date_of(self.day)


def date_of(day: str) -> date | None:
    """A day, or the first one of a month or a year; ``None`` when there is no such day."""
    with suppress(ValueError):
        return date.fromisoformat(f"{day}-01-01"[:DAY])
    return None


class Days:
    """Counts and sums by day. A day is its ISO text, and the empty one is of records without a stamp.

    :ivar width: characters of a day; fewer where months or years stand in their place
    :ivar records: by day
    :ivar sums: exact, by day, field and currency
    """

    def __init__(self, width: int = DAY) -> None:
        self.width = width
        self.records = defaultdict[str, int](int)
        self.sums = dict[Cell, Decimal]()

    def set(self, records: Mapping[str, int], sums: Mapping[Cell, Decimal]) -> None:
        """Replace the counts and sums of some days."""
        self.records.update(records)
        self.sums |= sums
        self.fit()

    def fit(self) -> None:
        """Have months in place of days, or years in place of months, where there are more than are told apart."""
        while len(self.records) > MOST and self.width in _COARSER:
            self._coarsen(_COARSER[self.width])

    def merge(self, other: Days) -> None:
        """Add all days of another one."""
        if other.width < self.width:
            self._coarsen(other.width)
        records, sums = dict[str, int](), dict[Cell, Decimal]()
        for day, number in other.records.items():
            at = day[: self.width]
            records[at] = (records[at] if at in records else self.records[at]) + number
        with localcontext(_EVERY_DIGIT):
            for (day, field, currency), value in other.sums.items():
                cell = (day[: self.width], field, currency)
                sums[cell] = (sums[cell] if cell in sums else self.sums.get(cell, _ZERO)) + value
        self.set(records, sums)

    def folded(self, width: int) -> Days:
        """The same with days of so many characters."""
        found = Days(width)
        found.merge(self)
        return found

    def _coarsen(self, width: int) -> None:
        coarser = self.folded(width)
        self.width, self.records, self.sums = coarser.width, coarser.records, coarser.sums

    def numbers(self, width: int) -> dict[Cell, Decimal]:
        """All that is not zero, with days of so many characters; what has no field is a count."""
        folded = self.folded(width)
        counts = {(day, "", ""): Decimal(number) for day, number in folded.records.items()}
        return {cell: value for cell, value in (counts | folded.sums).items() if value}

    def same_as(self, other: Days) -> bool:
        """Whether all counts and sums are equal, by the coarser days of both."""
        width = min(self.width, other.width)
        return self.numbers(width) == other.numbers(width)

    def in_all(self) -> dict[tuple[str, str], Decimal]:
        """The sums of all days that are not zero, by field and currency."""
        return {(field, currency): value for (_, field, currency), value in self.numbers(0).items() if field}

    def dump(self) -> list[DayTotals]:
        """Members of a manifest. The sums of a day that is the only one are left out, as the manifest has them."""
        found = {day: dict[str, dict[str, str]]() for day, number in sorted(self.records.items()) if number}
        for (day, name, currency), value in sorted(self.sums.items()) if len(found) > 1 else ():
            if value:
                found[day].setdefault(name, {})[currency] = f"{value:f}"
        return [DayTotals(day=day, records=self.records[day], sums=sums) for day, sums in found.items()]

    @classmethod
    def load(cls, stored: Sequence[DayTotals], sums: Mapping[str, Mapping[str, str]]) -> Days:
        """What was dumped, with the sums of all days by field and currency."""
        days = cls(min((len(each.day) for each in stored if each.day), default=DAY))
        for each in stored:
            of_day = each.sums if len(stored) > 1 else sums
            cells = {(each.day, name, code): Decimal(value) for name, codes in of_day.items() for code, value in codes.items()}
            one = cls(len(each.day) or days.width)
            one.set({each.day: each.records}, cells)
            days.merge(one)
        return days
