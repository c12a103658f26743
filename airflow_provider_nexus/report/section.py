"""One resource as the page shows it: its windows, what changed later, what is open, what did not fit, new fields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.load.manifest import ChangeCounts
from airflow_provider_nexus.report.amounts import Amounts
from airflow_provider_nexus.report.collection import VERDICTS, ResourceCopy, WindowEntry
from airflow_provider_nexus.report.drawings import Bars, CalendarSpan, Panel, draw

_WIDE, _TALL = 720, 72
_TALL_PANEL, _PANELS, _TALL_PANELS = 200, 4, 2
"""Panels of a calendar that are shown at once, those of days and the taller ones of hours; the earlier ones are folded."""
WORDS = {"proved": "proved", "proved_shrunk": "proved though shrunk", "unproved": "unproved", "gap": "gap"}


class Section:
    """All that is shown of one resource, whose number on the page is its place, at the moment when the report is made."""

    def __init__(self, place: int, collection: ResourceCopy, now: datetime) -> None:
        self.place, self.collection, self.now = place, collection, now
        self.chain = collection.chain
        self.gaps = collection.gaps
        self.patched = [(place, each) for place, each in enumerate(collection.entries) if each.manifest and each.manifest.patches]
        self.open = open_records(collection, now)
        self.schema_changes = schema_changes(collection)
        manifests = [entry.manifest for entry in collection.entries if entry.manifest]
        self.unknown_fields = sorted({name for each in manifests for name in each.schema.unknown_fields})
        self.untyped = sorted({name for each in manifests for name in each.untyped})

    @property
    def has_windows(self) -> bool:
        """Whether it is read by windows; else each reading is of the whole."""
        return any(entry.end for entry in self.collection.entries)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many windows of each verdict."""
        found = [entry.verdict for entry in self.collection.entries]
        return {verdict: found.count(verdict) for verdict in VERDICTS}

    @property
    def records(self) -> int:
        """Records stored: of all windows, or of the last reading."""
        entries = self.collection.counted if self.has_windows else self.collection.entries[-1:]
        return sum(entry.records for entry in entries)

    @property
    def problems(self) -> int:
        """How many things are not as they were stored."""
        return len(self.collection.empty) + len(self.chain.broken)

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
    def spans(self) -> list[CalendarSpan]:
        """What the calendar shows."""
        spans = list[CalendarSpan]()
        for number, entry in enumerate(self.collection.entries):
            title = f"{self.when(entry)}: {WORDS[entry.verdict]}, {number_of(entry.records, 'record')}"
            title += ", read again or patched" if entry.was_read_again else ""
            anchor = f"r{self.place}-w{number}"
            spans.append(CalendarSpan(entry.start, entry.end, entry.verdict, title, anchor, entry.was_read_again))
        for number, (start, end) in enumerate(self.gaps):
            title = f"{span(start, end)}: gap, no window covers this"
            spans.append(CalendarSpan(start, end, "gap", title, f"r{self.place}-g{number}"))
        return spans

    @cached_property
    def panels(self) -> tuple[list[Panel], list[Panel]]:
        """The calendar: the panels that are folded, and the latest ones."""
        found = draw(self.spans)
        shown = _TALL_PANELS if any(panel.height > _TALL_PANEL for panel in found) else _PANELS
        return found[:-shown], found[-shown:]

    def when(self, entry: WindowEntry) -> str:
        """When a window is, or when the whole was read."""
        return span(entry.start, entry.end) if entry.end else stamp(entry.start)

    @cached_property
    def amounts(self) -> Amounts:
        """Records and money by day."""
        return Amounts(self.collection.resource, self.collection.counted, adds_up=self.has_windows)

    @cached_property
    def per_day(self) -> Bars:
        """Records by day, days without a window included as nothing."""
        return self.amounts.records(_WIDE, _TALL)

    @property
    def to_look_into(self) -> list[tuple[str, str]]:
        """What is not sound, of each kind the newest first: where it is shown, and what it is."""
        here, entries = f"r{self.place}", self.collection.entries
        unproved = [entry for entry in enumerate(entries) if entry[1].verdict == "unproved"]
        no_manifest = [] if any(entry.manifest for entry in entries) else [f"none of its {len(entries)} manifests can be read"]
        return [
            *((f"{here}-chain", text) for text in no_manifest),
            *((f"{here}-w{place}", f"{self.when(entry)} is unproved") for place, entry in reversed(unproved)),
            *((f"{here}-empty", f"{label} has no manifest") for label in self.collection.empty),
            *((f"{here}-chain", f"{label}: {flaw}") for label, flaw in self.chain.broken),
            *((f"{here}-g{place}", f"{span(*gap)} is in no window") for place, gap in reversed([*enumerate(self.gaps)])),
            *(
                (here, f"{self.when(entry)} begins within {self.when(other)}: what lies in both is counted twice here")
                for entry, other in self.collection.overlaps
            ),
            *((here, f"{self.when(entry)} lies within another window, and is not added up") for entry in self.collection.within),
        ]

    @property
    def rejected(self) -> list[tuple[int, WindowEntry]]:
        """The windows that put records aside, with their places."""
        return [(place, entry) for place, entry in enumerate(self.collection.entries) if entry.rejected]


_BUCKETS = (
    ("under a day", timedelta(days=1)),
    ("1 to 7 days", timedelta(days=7)),
    ("7 to 30 days", timedelta(days=30)),
    ("over 30 days", timedelta.max),
)
_OLDEST = 5


def changes(counts: ChangeCounts | None) -> dict[str, int]:
    """What a later reading changed: how many records were inserted, updated and deleted."""
    return {word: getattr(counts, word, 0) for word in ("inserted", "updated", "deleted")}


@dataclass(frozen=True)
class OpenRecords:
    """The records whose end has not been seen: counts by age and status, and the oldest, without personal keys."""

    number: int
    ages: list[tuple[str, list[int]]]
    statuses: list[str]
    oldest: list[tuple[str, str, str, str]]


def open_records(collection: ResourceCopy, now: datetime) -> OpenRecords | None:
    """The open records by age; ``None`` when they are not known."""
    if collection.unsettled is None:
        return None
    found = sorted((each.created, key, each.status) for key, each in collection.unsettled.items())
    statuses = sorted({status for *_, status in found})
    buckets = (next(name for name, limit in _BUCKETS if now - created < limit) for created, *_ in found)
    counted = Counter(zip(buckets, (status for *_, status in found), strict=True))
    ages = [(name, [counted[name, status] for status in statuses]) for name, _ in _BUCKETS]
    shows_keys = has_plain_keys(collection.resource)
    oldest = [
        (key if shows_keys else "not shown", stamp(created), age(now - created), status)
        for created, key, status in found[:_OLDEST]
    ]
    return OpenRecords(len(found), ages, statuses, oldest)


def has_plain_keys(name: str) -> bool:
    """Whether a resource is known and no part of its key is personal."""
    resource = RESOURCES.get(name)
    if resource is None:
        return False
    personal = {field.name for field in resource.schema.fields if field.personal}
    return not {part.partition(".")[0] for part in resource.key} & personal


def schema_changes(collection: ResourceCopy) -> list[tuple[int, str, list[str], list[str]]]:
    """Where the fields change, against all that were seen before: place and label of a window, new and missing fields.

    Windows without records show none and are passed over, and so are the members of objects that no record fills.
    """
    found, known = list[tuple[int, str, list[str], list[str]]](), set[str]()
    for place, entry in enumerate(collection.entries):
        fields = set(entry.manifest.schema.fields if entry.manifest else ())
        before, filled = set(map(_parent, known)), set(map(_parent, fields))
        new = sorted(name for name in fields - known if _parent(name) in before)
        missing = sorted(name for name in known - fields if _parent(name) in filled)
        if new or missing:
            found.append((place, entry.label, new, missing))
        known = (known - set(missing)) | fields
    return found


def _parent(name: str) -> str:
    """The object that a field is a member of; the record itself is the empty one."""
    return name.rpartition(".")[0]


def stamp(value: datetime | None) -> str:
    """A moment, in UTC; empty for none."""
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else ""


def span(start: datetime, end: datetime) -> str:
    """A span, in UTC; times of day are left out where all are midnights."""
    whole = not any(part for each in (start, end) for part in (each.hour, each.minute, each.second))
    form = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S" if start.second or end.second else "%Y-%m-%d %H:%M"
    return f"{start:{form}} to {end:{form}}"


def age(passed: timedelta) -> str:
    """A length of time in the two largest units that it has."""
    minutes = max(0, int(passed.total_seconds())) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
