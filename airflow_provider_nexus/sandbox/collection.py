"""What a resource's generator provides; paging, filters and sorting are done once, for all, in ``listing``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_nexus.sandbox.codes import WRITTEN
from airflow_provider_nexus.sandbox.stamps import Form, zulu_ticks
from airflow_provider_nexus.sandbox.timeline import Presence, Timeline

Record = dict[str, Any]
"""A record ready for msgspec: stamps as text, numbers whose digits matter as ``Raw``."""

Path = tuple[str, ...]


class Moment(int):
    """A stamp in microseconds among the stored values of a record; it is written in the form that the call asks for."""


class Collection(ABC):
    """Rows of one resource, addressed by number."""

    @abstractmethod
    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen at a moment, by (stamp, number)."""

    @abstractmethod
    def stamp(self, row: int) -> int:
        """The row's true stamp in microseconds; 0 where the resource has none."""

    @abstractmethod
    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:
        """The row as it is at a moment; ``single`` for the answer to a call for one record."""

    @abstractmethod
    def find(self, code: str, at: int) -> int | None:
        """The row with that key, if it can be seen."""

    def value(self, row: int, at: int, path: Path) -> Any:
        """One value of the row, stamps with every digit; generators answer the common ones without a whole record."""
        value: Any = self.record(row, at, zulu_ticks)
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value


class Timed(Collection):
    """A collection on a timeline, with what was written over the API after it.

    :param timeline: stamps of the seeded rows
    :param presence: which rows of the timeline beneath are hidden
    """

    def __init__(self, timeline: Timeline, presence: Presence) -> None:
        self.timeline, self._presence = timeline, presence
        self.written_stamps: list[int] = []
        self.patches: dict[int, dict[str, Any]] = {}

    def add(self, stamp: int) -> int:
        """Room for a row made now; its number."""
        self.written_stamps.append(max([stamp, *self.written_stamps[-1:]]))
        return WRITTEN + len(self.written_stamps) - 1

    def patch(self, row: int, **values: Any) -> None:
        """Lay values over a row; stamps as :class:`Moment`."""
        self.patches.setdefault(row, {}).update(values)

    def patched(self, row: int, record: Record, form: Form) -> Record:
        """The record with what was laid over it."""
        for name, value in self.patches.get(row, {}).items():
            record[name] = form(value) if isinstance(value, Moment) else value
        return record

    def stamp(self, row: int) -> int:
        """The row's true stamp."""
        return self.timeline.stamp(row) if row < WRITTEN else self.written_stamps[row - WRITTEN]

    def rows(self, since: int | None, until: int | None, at: int) -> Sequence[int]:
        """The rows stamped in ``[since, until)`` that can be seen."""
        bound = at + 1 if until is None else min(until, at + 1)
        low = self.timeline.first(since) if since is not None else 0
        high = max(low, self.timeline.first(bound))
        seeded = self._visible(low, high, at)
        extra = [
            WRITTEN + place
            for place, stamp in enumerate(self.written_stamps)
            if (since is None or stamp >= since) and stamp < bound
        ]
        return self._merged(list(seeded), extra) if extra else seeded

    def _visible(self, low: int, high: int, at: int) -> Sequence[int]:
        if self._presence.is_plain or low >= high:
            return range(low, high)
        origin = self.timeline.origin
        hidden = self._presence.hidden(origin(low), origin(high - 1) + 1, at)
        return [row for row in range(low, high) if origin(row) not in hidden] if hidden else range(low, high)

    def _merged(self, rows: list[int], extra: list[int]) -> list[int]:
        for row in extra:
            rows.insert(bisect_right(rows, self.stamp(row), key=self.stamp), row)
        return rows

    def is_seen(self, row: int, at: int) -> bool:
        """Whether the row is there at a moment."""
        if row >= WRITTEN:
            return row - WRITTEN < len(self.written_stamps) and self.stamp(row) <= at
        if self.stamp(row) > at:
            return False
        origin = self.timeline.origin(row)
        return not self._presence.hidden(origin, origin + 1, at)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a short list.

    :param code: its key
    :param make: writes the record
    :param stamp: when it was made; 0 where that is not told
    """

    code: str
    make: Callable[[int, Form], Record]
    stamp: int = 0


def written(values: Record) -> Callable[[int, Form], Record]:
    """Writes a record of stored values; those that are a :class:`Moment` in the form that the call asks for."""

    def make(at: int, form: Form) -> Record:  # noqa: ARG001
        return {name: form(value) if isinstance(value, Moment) else value for name, value in values.items()}

    return make


def changed(entry: Entry, values: Record) -> Entry:
    """A row with values laid over it."""
    laid_over = written(values)
    return Entry(entry.code, lambda at, form: {**entry.make(at, form), **laid_over(at, form)}, entry.stamp)


class Listed(Collection):
    """A collection short enough to be held.

    :param fit: what is done to every record before it is shown
    """

    def __init__(self, entries: Sequence[Entry], fit: Callable[[Record], Record] | None = None) -> None:
        self.entries, self._fit = list(entries), fit

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

    def record(self, row: int, at: int, form: Form, *, single: bool = False) -> Record:  # noqa: ARG002
        """The row as it is at a moment."""
        record = self.entries[row].make(at, form)
        return self._fit(record) if self._fit else record

    def fitted(self, fit: Callable[[Record], Record]) -> Listed:
        """The same rows, with something done to every record before it is shown."""
        return Listed(self.entries, fit)

    def find(self, code: str, at: int) -> int | None:
        """The row with that key."""
        return next((row for row, entry in enumerate(self.entries) if entry.code == code and entry.stamp <= at), None)
