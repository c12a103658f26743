"""Index of the windows of a copy: what a run needs of their manifests, in few files however many windows there are.

The manifests alone are true, and the index has what was in them when a run had written them. Windows are marked as changing
before they are changed: those that a killed run has left so are read anew, and so are windows that are not in the index. Of the
others each run looks at a few, in their turn: somebody may have edited them.
"""

from __future__ import annotations

import io
import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import reduce
from itertools import groupby
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import refuse_other_format, windows_named, windows_of
from airflow_provider_nexus.load.manifest import NAME, Manifest, Previous, digest_of
from airflow_provider_nexus.load.members import Digits, Sha256, decoded

FOLDER, WINDOWS = "_index", "windows.json"
LOOKED_AT = 10
"""Windows that a run compares with the index, besides those that it reads anyway."""
_log = logging.getLogger(__name__)


class Entry(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the index has of a window.

    :param sha256: of its manifest
    :param read_at: when its last reading began
    :param previous: the window that its manifest names as the one before; empty where it names none
    """

    sha256: Sha256
    read_at: Annotated[datetime, Meta(tz=True)]
    previous: str


class IndexedTotals(Struct, frozen=True):
    """Count and sums of a group, as :class:`~airflow_provider_nexus.load.manifest.GroupTotals` has them."""

    status: str
    currency: str
    flag: bool | None
    count: int
    sums: dict[str, Digits]


class Month(Struct, frozen=True):
    """Counts and sums of all windows that begin in a month, and the SHA-256 of the file that has them window by window."""

    sha256: Sha256
    totals: list[IndexedTotals]


class StoredIndex(Struct, frozen=True):
    """The index as it is stored.

    :param windows: by the names of their folders
    :param changing: those that a run was about to change
    :param looked_at: the last one that was compared with its manifest in its turn
    :param months: by year and month, for resources with a totals endpoint
    """

    windows: dict[str, Entry] = {}
    changing: list[str] = []
    looked_at: str = ""
    months: dict[str, Month] = {}


class WindowIndex:
    """The windows of a copy in the folder of a resource, all in one format.

    :param has_totals: whether manifests have counts and sums by group
    :ivar named: the folders that are named as windows are, as they were listed last
    :ivar lost: windows whose folders are not there any more, until they are read again
    """

    def __init__(self, collection: Any, file_format: str, *, has_totals: bool) -> None:
        self._collection, self._format, self._has_totals = collection, file_format, has_totals
        self._folder = collection / FOLDER
        self.named: dict[str, Window] = {}
        self.lost: dict[str, Window] = {}
        self._is_read = False
        self._forget()

    def _forget(self) -> None:
        self._raw: bytes | None = None
        self._entries, self._changing, self._looked_at = dict[str, Entry](), set[str](), ""
        self._months, self._stale = dict[str, Month](), set[str]()
        self._fresh, self._of_month, self._sums = dict[str, Totals](), dict[str, dict[str, Totals]](), dict[str, Totals]()

    def windows(self) -> dict[str, tuple[Window, Entry]]:
        """The windows that have a manifest, by the names of their folders, oldest first, with what the index has of them.

        :raises NexusConfigurationError: when one is stored in another format
        """
        self.named = windows_of(self._collection)
        if not self._is_read:
            self._read()
        for name in self.lost.keys() & self.named.keys():  # somebody has put it back
            del self.lost[name]
            self._let_go_of(month_of(name))
        for name in self._entries.keys() - self.named.keys() - self.lost.keys():
            window = windows_named([name]).get(name)
            if window is None or any(window.meets(other) for other in self.named.values()):
                self._note(name, None, None)  # another one has taken its place
            else:
                self.lost[name] = window
                self._let_go_of(month_of(name))
        for name in self.named:
            if name not in self._entries:
                self.manifest(name)
        return {name: (window, self._entries[name]) for name, window in self.named.items() if name in self._entries}

    def _read(self) -> None:
        """Take what is stored, but for what may not be so any more."""
        self._is_read, self._raw = True, store.read(self._folder / WINDOWS)
        stored = decoded(self._raw, StoredIndex)
        if stored is None and self.named:
            level, lack = (logging.INFO, "is missing") if self._raw is None else (logging.WARNING, "can't be read")
            _log.log(level, "%s %s: it is made anew from %s manifests", self._folder / WINDOWS, lack, f"{len(self.named):,}")
        if stored is None:
            return
        self._entries, self._months, self._looked_at = dict(stored.windows), dict(stored.months), stored.looked_at
        for name in stored.changing:
            self._note(name, None, None)
        names = sorted(self._entries.keys() & self.named.keys())
        first = bisect_right(names, self._looked_at)
        for name in (names[first:] + names[:first])[:LOOKED_AT]:
            known, self._looked_at = self._entries[name], name
            self.manifest(name)
            if self._entries.get(name) != known:
                _log.warning("The manifest of %s is not the one that a run has written", self._collection / name)

    def manifest(self, name: str) -> Manifest | None:
        """The manifest of a window as it is now, which is noted; ``None`` when it has none any more."""
        folder = self._collection / name
        raw = store.read(folder / NAME)
        if raw is None:
            self._note(name, None, None)
            return None
        found = manifests.parse(raw, str(folder))
        refuse_other_format(folder, found, self._format)  # windows of a copy are changed later on
        self._note(name, entry_of(raw, found), found)
        return found

    def _note(self, name: str, entry: Entry | None, manifest: Manifest | None) -> None:
        if self._entries.get(name) == entry:
            return
        self._entries.pop(name, None)
        self._fresh.pop(name, None)
        if entry is not None:
            self._entries[name] = entry
            self.lost.pop(name, None)
        if self._has_totals and manifest is not None:
            self._fresh[name] = manifest.group_totals
        self._let_go_of(month_of(name))

    def _let_go_of(self, month: str) -> None:
        """Add up the windows of a month anew when that is asked for."""
        if self._has_totals:
            self._stale.add(month)
            self._of_month.pop(month, None)
            self._sums.pop(month, None)

    def begin(self, names: Iterable[str]) -> None:
        """Mark windows that are about to be changed. A window that is not in the index needs no mark."""
        self._changing.update(names)
        if self._changing & self._entries.keys():
            self._store()

    def commit(self) -> None:
        """Store what is there of the windows that were marked, once they were changed."""
        changed, self._changing = self._changing, set()
        for name in sorted(changed):
            self.manifest(name)
        self._store()

    def _store(self) -> None:
        path = self._folder / WINDOWS
        if store.read(path) != self._raw:
            _log.warning("%s was changed by another run: it is made anew", path)
            forget(self._collection)
            self._forget()
            return
        for month in sorted(self._stale):
            raw = msgspec.json.encode({name: each.dump() for name, each in self._windows_in(month).items()}, order="sorted")
            store.put(self._folder / file_of(month), io.BytesIO(raw))
            self._months[month] = Month(digest_of(raw), [IndexedTotals(**each) for each in self._sum_of(month).dump()])
        self._stale.clear()
        self._fresh.clear()
        raw = msgspec.json.encode(
            StoredIndex(self._entries, sorted(self._changing), self._looked_at, self._months), order="sorted"
        )
        if raw != self._raw:
            store.put(path, io.BytesIO(raw))
            self._raw = raw

    def totals(self, start: datetime, end: datetime) -> tuple[Totals, list[str]]:
        """Counts and sums of the windows of a span, and the names of those of which only a part lies in it."""
        totals, parts = Totals(), list[str]()
        for month, names in groupby((name for name in self.named if name in self._entries), month_of):
            windows = {name: self.named[name] for name in names}
            first, last = next(iter(windows.values())).start, max(window.end for window in windows.values())
            if start <= first and last <= end:
                totals.merge(self._sum_of(month))
                continue
            for name, window in windows.items() if first < end and start < last else ():
                if start <= window.start and window.end <= end:
                    totals.merge(self._windows_in(month)[name])
                elif window.start < end and start < window.end:
                    parts.append(name)
        return totals, parts

    def _sum_of(self, month: str) -> Totals:
        if month not in self._sums:
            stored = self._months.get(month) if month not in self._stale else None
            self._sums[month] = Totals.load(map(asdict, stored.totals)) if stored else sum_of(self._windows_in(month).values())
        return self._sums[month]

    def _windows_in(self, month: str) -> dict[str, Totals]:
        """The totals of each window of a month: from its file, if that is the one of the index, or else from the manifests."""
        if month not in self._of_month:
            path, noted = self._folder / file_of(month), self._months.get(month)
            found = totals_in(store.read(path), noted) if noted else {}
            if found is None:
                _log.warning("%s is not the file that the index names: it is made anew from manifests", path)
                self._stale.add(month)
            known = (found or {}) | self._fresh
            for name in [name for name in self._there_in(month) if name not in known]:
                manifest = self.manifest(name)
                known[name] = manifest.group_totals if manifest else Totals()
            self._of_month[month] = {name: known[name] for name in self._there_in(month)}
        return self._of_month[month]

    def _there_in(self, month: str) -> list[str]:
        return [name for name in self._entries if month_of(name) == month and name not in self.lost]


def entry_of(raw: bytes, manifest: Manifest) -> Entry:
    """What the index has of a manifest, whose text is as it is stored."""
    previous = manifest.previous.window if isinstance(manifest.previous, Previous) else ""
    return Entry(digest_of(raw), manifest.read_moment, previous)


def month_of(name: str) -> str:
    """Year and month in which a window begins, by the name of its folder."""
    return name[:6]


def file_of(month: str) -> str:
    """The file with the totals of the windows of a month."""
    return f"totals-{month}.json"


def sum_of(every: Iterable[Totals]) -> Totals:
    """Counts and sums of several windows."""
    return reduce(Totals.plus, every, Totals())


def totals_in(raw: bytes | None, month: Month) -> dict[str, Totals] | None:
    """The totals of the windows of a month in a file; ``None`` when it is not the one of the index."""
    if raw is None or digest_of(raw) != month.sha256:
        return None
    return {name: Totals.load(each) for name, each in msgspec.json.decode(raw).items()}


def forget(collection: Any) -> None:
    """Remove the index of a copy, so that the next run makes it anew: for those who change windows and not the index."""
    store.remove(collection / FOLDER / WINDOWS)


def flaws_of(collection: Any, found: Mapping[str, Manifest]) -> Iterator[tuple[Any, str]]:
    """Where the index of a copy is not what the manifests make it: the file, and what is wrong.

    Windows that it does not have are no flaw, as they are read anew.

    :param found: the manifests that are there, by the names of their folders
    """
    path = collection / FOLDER / WINDOWS
    raw = store.read(path)
    stored = decoded(raw, StoredIndex)
    if stored is None:
        if raw is not None:
            yield path, "can't be read"
        return
    known = {name: entry for name, entry in stored.windows.items() if name not in stored.changing}
    for name, entry in known.items():
        there = store.read(collection / name / NAME)
        if there is None or name not in found:
            yield path, f"has the window {name}, which has no manifest"
        elif entry_of(there, found[name]) != entry:
            yield path, f"has another manifest of {name} than the one that is there"
    doubtful = {month_of(name) for name in (*stored.changing, *(known.keys() - found.keys()))}
    for month, noted in stored.months.items():
        if month in doubtful:
            continue
        file = collection / FOLDER / file_of(month)
        mine = {name: found[name].group_totals for name in known if month_of(name) == month}
        theirs = totals_in(store.read(file), noted)
        if not Totals.load(map(asdict, noted.totals)).same_as(sum_of(mine.values())):
            yield path, f"has other totals of {month} than the manifests"
        if theirs is None:
            yield file, f"is not the file that {WINDOWS} names"
        elif theirs.keys() != mine.keys() or not all(theirs[name].same_as(mine[name]) for name in mine):
            yield file, "has other totals than the manifests"
