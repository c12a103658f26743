"""Amounts by day as the page shows them: their names for people, rounded for the eye, and exact."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cached_property

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.load.days import DAY, MONTH, MOST, YEAR, Cell, Days, date_of
from airflow_provider_nexus.report.collection import WindowEntry
from airflow_provider_nexus.report.drawings import Bars, bars, total

_LONGEST_AMOUNT = 200
"""Digits of an amount; more are taken for damage, and left out."""
_WIDE, _TALL = 300, 28
_MATTERS = (
    *("executedAmounts.fiatValue", "executedAmounts.cryptoAmount", "executed.value", "executed.amount"),
    *("tradeValue", "payout", "cryptoAmount", "amount", "total", "availableBalance", "available"),
)
"""The amounts that a reader looks for first, by wire name. All others are folded."""
_FEES = {"partner": "Partner fee", "bank": "Bank fee", "network": "Network fee charged", "actualNetwork": "Network fee paid"}
_NAMES = {
    "executedAmounts.fiatValue": "Executed value",
    "executedAmounts.cryptoAmount": "Executed amount",
    "requestedAmounts.fiatValue": "Requested value",
    "requestedAmounts.cryptoAmount": "Requested amount",
    "balanceMutation.fiat": "Balance change",
    "balanceMutation.crypto": "Balance change",
    **{f"fees.{name}Fee{unit}": label for name, label in _FEES.items() for unit in ("Fiat", "Crypto")},
    "executed.value": "Executed value",
    "executed.amount": "Executed amount",
    "executed.fee": "Exchange fee",
}
_UNITS = {"fiat": "Fiat", "crypto": "Crypto"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^A-Za-z0-9.]+")


def label_of(name: str) -> str:
    """The name of an amount for people; made from its wire name where it has none of its own."""
    words = " ".join(word.lower() for word in _WORD.findall(name.rpartition(".")[2]))
    return _NAMES.get(name, words[:1].upper() + words[1:] or name)


def rounded(value: Decimal, unit: str = "fiat") -> str:
    """An amount for the eye: with separators, in cents, and small ones of crypto in more decimals."""
    size = abs(value)
    places = 2 if unit == "fiat" or size >= 1000 else 4 if size >= 1 else 8
    if size and size.adjusted() < 1 - places:  # or it would look like nothing, or like a tenth more
        places = 1 - size.adjusted()
    shown = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, Context(prec=2000))
    return f"{shown:,f}" if unit == "fiat" or not shown else _shortened(f"{shown:,f}")


def exact(value: Decimal) -> str:
    """An amount in full, with separators, and without the zeros after its second decimal that add nothing."""
    return _shortened(f"{value:,f}")


def _shortened(text: str) -> str:
    whole, point, decimals = text.partition(".")
    return whole + point + decimals[:2] + decimals[2:].rstrip("0")


def by_day(entries: Iterable[WindowEntry]) -> Days:
    """What each day contains. Of readings that are no windows, which have no days of their own, the last one of a day counts."""
    found, readings = Days(), list[tuple[str, Days]]()
    for entry in entries:
        if entry.manifest is None:
            continue
        days = entry.manifest.day_totals
        days.sums = {cell: value for cell, value in days.sums.items() if _is_sane(value)}
        if entry.end:
            found.merge(days)
        else:
            readings.append((entry.start.date().isoformat(), days))
    for width in (DAY, MONTH, YEAR):
        last = {day[:width]: days for day, days in readings}
        if len(last) <= MOST:
            break
    for day, days in last.items():
        one = Days(width)
        one.set({day: sum(days.records.values())}, {(day, *name): value for name, value in days.in_all().items()})
        found.merge(one)
    return found


def _is_sane(value: Decimal) -> bool:
    return value.adjusted() < _LONGEST_AMOUNT and -int(value.as_tuple().exponent) < _LONGEST_AMOUNT


@dataclass(frozen=True)
class Sum:
    """One amount, by its wire name, in one currency: of all days, or of the last reading."""

    name: str
    currency: str
    unit: str
    total: Decimal


@dataclass(frozen=True)
class MoneyTable:
    """The amounts that matter, in one kind of currency: for each currency their sums, and a chart of the first one by day."""

    title: str
    names: list[str]
    rows: list[tuple[str, list[Sum | None], Bars]]


class Amounts:
    """Counts and sums of one resource by day. Days that don't add up have the state at a reading, and the last one counts."""

    def __init__(self, resource: str, entries: Sequence[WindowEntry], *, adds_up: bool) -> None:
        self.days, self._adds_up = by_day(entries), adds_up
        known = RESOURCES.get(resource)
        self._units = {".".join(path): field.unit for path, field in known.schema.amounts()} if known else {}

    @property
    def unit(self) -> str:
        """What each entry is of: a day, a month or a year."""
        return {DAY: "day", MONTH: "month"}.get(self.days.width, "year")

    @cached_property
    def labels(self) -> list[str]:
        """The days that have something, newest first; the empty one, of records without a stamp, last."""
        return sorted((day for day, number in self.days.records.items() if number or not self._adds_up), reverse=True)

    @cached_property
    def drawn(self) -> list[str]:
        """The days that charts show, oldest first: every one from the first to the last, but no more than 400."""
        known = [day for day in map(date_of, self.labels) if day]
        return list(_until(known[-1], known[0], self.days.width))[::-1] if known else []

    @property
    def scale(self) -> str:
        """What the chart of records shows from left to right, and its highest day."""
        if not self.drawn:
            return "no records"
        counts = self.days.records
        highest = max(self.drawn, key=lambda day: counts.get(day, 0))
        spoken = f"{self.drawn[0]} to {self.drawn[-1]}" if len(self.drawn) > 1 else self.drawn[0]
        return f"{spoken}, most in a {self.unit}: {counts.get(highest, 0):,} ({highest})"

    def records(self, width: int, height: int) -> Bars:
        """A chart of the records."""
        values = [Decimal(self.days.records.get(day, 0)) for day in self.drawn]
        return bars(values, width, height, adds_up=self._adds_up)

    def chart(self, name: str, currency: str) -> Bars:
        """A chart of an amount."""
        values = [self.days.sums.get((day, name, currency), Decimal(0)) for day in self.drawn]
        return bars(values, _WIDE, _TALL, adds_up=self._adds_up)

    @cached_property
    def sums(self) -> list[Sum]:
        """Every amount in every currency, by its name, then its currency."""
        by_name: dict[tuple[str, str], list[Cell]] = {}
        for day, name, currency in self.days.sums:
            by_name.setdefault((name, currency), []).append((day, name, currency))
        last = self.labels[0] if self.labels else ""
        found = list[Sum]()
        for (name, currency), cells in sorted(by_name.items(), key=lambda each: (label_of(each[0][0]), *each[0])):
            values = [self.days.sums[cell] for cell in cells if self._adds_up or cell[0] == last]
            found.append(Sum(name, currency, self._units.get(name, ""), total(values)))
        return found

    @cached_property
    def tables(self) -> list[MoneyTable]:
        """The amounts that matter: for each kind of currency a table."""
        by_name = {each.name for each in self.sums}
        names = [name for name in _MATTERS if name in by_name] or sorted(by_name)[:1]
        return [table for unit in ("fiat", "crypto", "") if (table := self._table(unit, names))]

    def _table(self, unit: str, names: Sequence[str]) -> MoneyTable | None:
        mine = {(each.currency, each.name): each for each in self.sums if each.unit == unit and each.name in names}
        named = [name for name in names if any(name == other for _, other in mine)][:2]
        rows = [
            (currency, [mine.get((currency, name)) for name in named], self.chart(named[0], currency))
            for currency in sorted({currency for currency, _ in mine})
        ]
        return MoneyTable(_UNITS.get(unit, "Currency"), named, rows) if rows else None

    def by_day(self, name: str) -> Iterator[tuple[str, list[Decimal | None]]]:
        """An amount by day, newest first, for each of its currencies."""
        codes = [each.currency for each in self.sums if each.name == name]
        for day in self.labels:
            values = [self.days.sums.get((day, name, code)) for code in codes]
            if any(value is not None for value in values):
                yield day, values


def _until(first: date, last: date, width: int) -> Iterator[str]:
    """Days, months or years, from the last one back to the first one."""
    for _ in range(MOST):
        label = last.isoformat()[:width]
        yield label
        if label <= first.isoformat()[:width]:
            return
        # the day before, or the last one of the month or year before
        last = (date_of(label) or last) - timedelta(days=1)
