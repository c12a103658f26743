"""One resource as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from airflow_provider_nexus.report import findings
from airflow_provider_nexus.report.collection import ResourceCopy, WindowEntry
from airflow_provider_nexus.report.days import Day, by_day, total
from airflow_provider_nexus.report.drawings import Bars, CalendarSpan, Panel, bars, draw
from airflow_provider_nexus.report.text import age, digits, span, stamp

_WIDE, _TALL = 720, 96
_MONEY_WIDE, _MONEY_TALL = 300, 30
WORDS = {"proved": "proved", "proved_shrunk": "proved though shrunk", "unproved": "unproved", "gap": "gap"}


@dataclass(frozen=True)
class AmountChart:
    """One amount in one currency.

    :param total: exact, of all days; of what has no windows, that of the last day
    """

    currency: str
    total: str
    chart: Bars


class Section:
    """All that is shown of one resource.

    :param place: number of the resource on the page
    :param collection: its manifests
    :param now: when the report is made
    """

    def __init__(self, place: int, collection: ResourceCopy, now: datetime) -> None:
        self.place, self.collection, self.now = place, collection, now
        self.chain = collection.chain
        self.gaps = collection.gaps
        self.patches = findings.patches(collection)
        self.readings = findings.readings(collection)
        self.open = findings.open_records(collection, now)
        self.schema_changes = findings.schema_changes(collection)
        self.unknown_fields = findings.unknown_fields(collection)
        self.untyped = findings.untyped(collection)

    @property
    def has_windows(self) -> bool:
        """Whether it is read by windows; else each reading is of the whole."""
        return any(entry.end for entry in self.collection.entries)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many windows of each verdict."""
        found = [entry.verdict for entry in self.collection.entries]
        return {verdict: found.count(verdict) for verdict in ("proved", "proved_shrunk", "unproved")}

    @property
    def times_patched(self) -> int:
        """How often windows were changed by later readings."""
        return sum(len(changes) for *_, changes in self.patches)

    @property
    def records(self) -> int:
        """Records stored: of all windows, or of the last reading."""
        entries = self.collection.entries if self.has_windows else self.collection.entries[-1:]
        return sum(entry.records for entry in entries)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is to be looked into."""
        return not (self.counts["unproved"] or self.gaps or self.collection.empty or self.chain.broken)

    @property
    def reaches(self) -> datetime | None:
        """Up to when it is read."""
        return max((entry.end or entry.start for entry in self.collection.entries), default=None)

    @property
    def lag(self) -> str:
        """How old that is."""
        return age(self.now - self.reaches) if self.reaches else ""

    @property
    def oldest_proof(self) -> tuple[str, str] | None:
        """When the window that was read longest ago was read, and how long ago that is."""
        found = [entry.manifest.read_moment for entry in self.collection.entries if entry.manifest]
        return (stamp(min(found)), age(self.now - min(found))) if found else None

    @cached_property
    def panels(self) -> list[Panel]:
        """The calendar."""
        spans = [self._span(number, entry) for number, entry in enumerate(self.collection.entries)]
        for number, (start, end) in enumerate(self.gaps):
            title = f"{span(start, end)}: gap, no window covers this"
            spans.append(CalendarSpan(start, end, "gap", title, f"r{self.place}-g{number}"))
        return draw(spans)

    def _span(self, number: int, entry: WindowEntry) -> CalendarSpan:
        title = f"{self.when(entry)}: {WORDS[entry.verdict]}, {entry.records} records"
        title += ", read again or patched" if entry.was_read_again else ""
        anchor = f"r{self.place}-w{number}"
        return CalendarSpan(entry.start, entry.end, entry.verdict, title, anchor, entry.was_read_again)

    def when(self, entry: WindowEntry) -> str:
        """When a window is, or when the whole was read."""
        return span(entry.start, entry.end) if entry.end else stamp(entry.start)

    @cached_property
    def days(self) -> dict[date, Day]:
        """What each day contains."""
        return by_day(self.collection.entries)

    @cached_property
    def per_day(self) -> Bars:
        """Records by day, days without a window included as nothing."""
        values = [Decimal(day.records) if day else Decimal(0) for day in self._every_day]
        return bars(values, _WIDE, _TALL, adds_up=self.has_windows)

    @property
    def scale(self) -> str:
        """What the chart of records shows from left to right, and its highest day."""
        first, last = min(self.days), max(self.days)
        highest = max(day.records for day in self.days.values())
        return f"{first}" + (f" to {last}, most on a day" if last > first else "") + f": {highest}"

    @property
    def to_look_into(self) -> list[tuple[str, str]]:
        """What is not sound: where it is shown, and what it is."""
        unproved = [entry for entry in enumerate(self.collection.entries) if entry[1].verdict == "unproved"]
        return [
            *((f"r{self.place}-w{place}", f"{self.when(entry)} is unproved") for place, entry in unproved),
            *((f"r{self.place}-g{place}", f"{span(*gap)} is in no window") for place, gap in enumerate(self.gaps)),
            *((f"r{self.place}-empty", f"{label} has no manifest") for label in self.collection.empty),
            *((f"r{self.place}-chain", f"{label}: {flaw}") for label, flaw in self.chain.broken),
        ]

    @property
    def _every_day(self) -> list[Day | None]:
        first, last = min(self.days), max(self.days)
        every = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return [self.days.get(day) for day in every] if len(self.days) > 1 else list(self.days.values())

    @cached_property
    def amounts(self) -> dict[str, list[AmountChart]]:
        """Sums by wire name of the amount."""
        found = {(name, currency) for day in self.days.values() for name, sums in day.sums.items() for currency in sums}
        by_name: dict[str, list[AmountChart]] = {}
        for name, currency in sorted(found):
            by_name.setdefault(name, []).append(self._money(name, currency))
        return by_name

    def _money(self, name: str, currency: str) -> AmountChart:
        values = [day.sums.get(name, {}).get(currency, Decimal(0)) if day else Decimal(0) for day in self._every_day]
        shown = total(values) if self.has_windows else values[-1]
        return AmountChart(currency, digits(shown), bars(values, _MONEY_WIDE, _MONEY_TALL, adds_up=self.has_windows))

    def exact(self, name: str) -> list[tuple[date, list[str]]]:
        """An amount by day, one text for each currency, empty where there is none."""
        currencies = [money.currency for money in self.amounts[name]]
        rows = ((day, each.sums[name]) for day, each in self.days.items() if name in each.sums)
        return [(day, [digits(sums[each]) if each in sums else "" for each in currencies]) for day, sums in rows]

    @property
    def rejected(self) -> list[tuple[int, WindowEntry]]:
        """The windows that put records aside, with their places."""
        return [(place, entry) for place, entry in enumerate(self.collection.entries) if entry.rejected]
