"""Rows of a resource, addressed by number: on a timeline or in a short list. Paging and sorting are in ``reads``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox.call import not_found
from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

Record = dict[str, Any]
"""A record before it is sent: moments as ``Stamp``, numbers whose digits matter as ``Raw``."""

Path = tuple[str, ...]


class RowSet(ABC):
    """Rows of one resource, addressed by number."""

    quick: Mapping[str, Callable[[int, int], Any]] = MappingProxyType({})
    """What is known of (row, moment) without the whole record."""

    @abstractmethod
    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen at a moment, by (stamp, number)."""

    @abstractmethod
    def stamp(self, row: int) -> int:
        """The row's true stamp in microseconds; 0 where the resource has none."""

    @abstractmethod
    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment, with all its fields; the caller may change it."""

    @abstractmethod
    def find(self, code: str, at: int) -> int | None:
        """The row with that key, if it can be seen."""

    def found(self, noun: str, code: str, at: int) -> int:
        """The row with that key, or 404 when there is none that can be seen; ``noun`` is what a row is called."""
        row = self.find(code, at)
        if row is None:
            raise not_found(noun, code)
        return row

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row."""
        quick = self.quick.get(path[0])
        value: Any = quick(row, at) if quick else self.record(row, at).get(path[0])
        for name in path[1:]:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


class Timed(RowSet):
    """A collection on the timeline of its seeded rows, with what was written over the API after it."""

    def __init__(self, timeline: Timeline, presence: Presence) -> None:
        self.timeline, self._presence = timeline, presence
        self.written_stamps: list[int] = []
        self.patches: dict[int, dict[str, Any]] = {}

    def add(self, stamp: int) -> int:
        """Room for a row made now; its number."""
        self.written_stamps.append(max([stamp, *self.written_stamps[-1:]]))
        return WRITTEN + len(self.written_stamps) - 1

    def patch(self, row: int, **values: Any) -> None:
        """Set values of a row; those whose names begin with an underscore are no part of its record."""
        self.patches.setdefault(row, {}).update(values)

    def patched(self, row: int, record: Record) -> Record:
        """The record with the values that were set."""
        record.update((name, value) for name, value in self.patches.get(row, {}).items() if not name.startswith("_"))
        return record

    def register(self, stamp: int, values: Record) -> int:
        """A row made over the API."""
        row = self.add(stamp)
        self.patch(row, **values)
        return row

    def stamp(self, row: int) -> int:
        """The row's true stamp."""
        return self.timeline.stamp(row) if row < WRITTEN else self.written_stamps[row - WRITTEN]

    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen."""
        bound = at + 1 if until is None else min(until, at + 1)
        low = self.timeline.first(since) if since is not None else 0
        high = max(low, self.timeline.first(bound))
        seeded = self._visible(low, high, at)
        written = [place for place, each in enumerate(self.written_stamps) if (since is None or each >= since) and each < bound]
        if not written:
            return seeded
        found = list(seeded)
        for place in written:
            insort(found, WRITTEN + place, key=self.stamp)
        return found

    def _visible(self, low: int, high: int, at: int) -> Sequence[int]:
        if self._presence.is_plain or low >= high:
            return range(low, high)
        origin = self.timeline.origin
        hidden = self._presence.hidden(origin(low), origin(high - 1) + 1, at)
        return [row for row in range(low, high) if origin(row) not in hidden] if hidden else range(low, high)

    def is_seen(self, row: int, at: int) -> bool:
        """Whether the row is there at a moment."""
        if row >= WRITTEN:
            return row - WRITTEN < len(self.written_stamps) and self.stamp(row) <= at
        if self.stamp(row) > at:
            return False
        origin = self.timeline.origin(row)
        return not self._presence.hidden(origin, origin + 1, at)


@dataclass(slots=True)
class ListedRow:
    """One row of a short list: its key, its record or what makes it for a moment, its stamp if shown, and changes by calls."""

    code: str
    values: Record | Callable[[int], Record]
    stamp: int = 0
    changes: Record = field(default_factory=dict)

    def record(self, at: int) -> Record:
        """The row as it is at a moment."""
        return {**(self.values(at) if callable(self.values) else self.values), **self.changes}


class Listed(RowSet):
    """Rows few enough to be a list."""

    def __init__(self, entries: Iterable[ListedRow] = ()) -> None:
        self.entries = list(entries)

    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen."""
        found = [
            row
            for row, entry in enumerate(self.entries)
            if entry.stamp <= at and (since is None or entry.stamp >= since) and (until is None or entry.stamp < until)
        ]
        return sorted(found, key=lambda row: (self.entries[row].stamp, row))

    def stamp(self, row: int) -> int:
        """The row's stamp."""
        return self.entries[row].stamp

    def record(self, row: int, at: int) -> Record:
        """The row as it is at a moment."""
        return self.entries[row].record(at)

    def find(self, code: str, at: int) -> int | None:
        """The row with that key."""
        return next((row for row, entry in enumerate(self.entries) if entry.code == code and entry.stamp <= at), None)

    def append(self, key: str, record: Record, stamp: int = 0) -> Record:
        """Add a row whose key is a value of its record; the record."""
        self.entries.append(ListedRow(str(record[key]), record, stamp))
        return self.entries[-1].record(stamp)


def listed(key: str, records: Iterable[Record]) -> Listed:
    """A short list of records without stamps, each with its key under that name."""
    return Listed(ListedRow(str(record[key]), record) for record in records)


@lru_cache(maxsize=256)
def _blank(resource: str, path: Path) -> Record:
    fields = RESOURCES[resource].schema.fields
    for name in path:
        fields = next(each.children for each in fields if each.name == name)
    return dict.fromkeys(each.name for each in fields)


def blank(resource: str, /, *path: str, **values: Any) -> Record:
    """A record of a resource, or an object in it at a path: the values given, and null for every other field of its schema."""
    return {**_blank(resource, path), **values}
