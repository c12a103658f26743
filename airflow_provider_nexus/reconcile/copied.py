"""Copies as reconciliation reads them: one span of proved windows without a gap, and the values of some fields of its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError, NexusWindowError
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.window import Window, joined
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.claims import contradictions, refuse_damaged
from airflow_provider_nexus.load.collection import collections, tables_below
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.found import open_table as open_lake
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.sessions import snapshot
from airflow_provider_nexus.load.sql.tables import created_in, current
from airflow_provider_nexus.verify.lake import OpenTable
from airflow_provider_nexus.verify.readers import column_values
from airflow_provider_nexus.verify.tables import open_table

Values = tuple[Any, ...]
READ_AT = "_read_at"
"""Among the fields that are read of a copy: when the reading began that brought the version of a record that is stored."""
_READ_WHOLE = ("created", "reread")
"""The feeds that read windows whole."""


@dataclass(frozen=True)
class ProvedWindow:
    """A window of a copy, whose proof is sound: how many records were put aside, and what fields were protected, by wire name."""

    window: Window
    read_at: datetime
    rejected: int
    protected: frozenset[str]


@dataclass(frozen=True)
class CopiedRecords:
    """The records of a copy at a path or in a table, as they were read from a server, in proved windows.

    :param read: of each record that was created in a span the values of some fields, by their wire names or :data:`READ_AT`
    """

    resource: Resource
    where: str
    base_url: str
    windows: tuple[ProvedWindow, ...]
    read: Callable[[Sequence[str], datetime, datetime], Iterator[Values]]

    @property
    def spans(self) -> list[Window]:
        """What is proved, windows that touch made one."""
        return list(joined(each.window for each in self.windows))

    def first(self, span: Window) -> datetime:
        """From when on all is proved up to a span: records that ended in the span may have been created before it."""
        return next((each.start for each in self.spans if each.start <= span.start < each.end), span.start)

    def within(self, span: Window) -> list[ProvedWindow]:
        """The windows that a span takes; ``NexusWindowError`` when not all of it is proved, or records of it were put aside."""
        if not any(each.start <= span.start and span.end <= each.end for each in self.spans):
            proved = ", ".join(f"{to_wire(each.start)} to {to_wire(each.end)}" for each in self.spans) or "nothing"
            raise NexusWindowError(
                f"{self.where} can't be reconciled from {to_wire(span.start)} to {to_wire(span.end)}: proved is {proved}. "
                "Sync what is missing, or give a start and a moment between which all is proved"
            )
        found = [each for each in self.windows if each.window.meets(span)]
        if rejected := sum(each.rejected for each in found):
            raise NexusWindowError(
                f"{self.where} lacks {rejected:,} records that were put aside, so its sums would not be those of all: "
                "bring them in with airflow nexus replay first"
            )
        return found


def copied_files(root: Any, name: str, opened: OpenTable = open_lake) -> CopiedRecords:
    """The copy of a resource in files, or in a Delta table.

    :param root: path of a sync, or a folder below it
    :param opened: opens a Delta table; by default with the credentials that the machine has
    :raises NexusConfigurationError: when there is none, or there are several
    """
    tables = [copy for _, folder in tables_below(root) if (copy := opened(folder)).resource.name == name]
    if tables:
        others = [each for each in collections(root) if each.windows and each.folder.name == name]
        if len(tables) + len(others) > 1:
            raise NexusConfigurationError(f"{root} has several copies of {name}: give the folder of one")
        return _copied_lake(tables[0])
    resource, found, servers = get_resource(name), dict[Window, tuple[Any, Manifest]](), set[str]()
    for collection in collections(root):
        for folder, window in collection.windows.items():
            manifest = manifests.load(collection.folder / folder)
            if manifest and manifest.resource == name and manifest.feed in _READ_WHOLE and manifest.span == window:
                servers.add(manifest.base_url)
                if window not in found or found[window][1].proof.verdict == Verdict.UNPROVED:
                    found[window] = collection.folder / folder, manifest
    if not found:
        raise NexusConfigurationError(f"{root} has no windows of {name}: give the path that a sync of {name} writes to")
    if len(servers) > 1:
        raise NexusConfigurationError(f"{root} has windows of {', '.join(sorted(servers))}: give the path of one server")
    proved = {window: each for window, each in found.items() if each[1].proof.verdict != Verdict.UNPROVED}

    def read(fields: Sequence[str], start: datetime, end: datetime) -> Iterator[Values]:
        table, since = Table(resource), start
        names = [table.created, *(column_of(table, field) for field in fields)]
        for window in sorted(proved, key=lambda each: (each.start, each.end)):
            until = min(end, window.end)
            # windows can overlap, and each record counts once
            since = max(since, window.start)
            if since < until:
                folder, manifest = proved[window]
                _refuse_unsound(folder, manifest)
                for values in column_values(resource, folder, manifest, names):
                    if values is None:
                        raise NexusWindowError(f"{folder} has a record that can't be added up: see airflow nexus verify")
                    if values[0] is not None and since <= values[0] < until:
                        yield values[1:]
                since = until

    windows = tuple(_proved(window, manifest) for window, (_, manifest) in proved.items())
    return CopiedRecords(resource, str(root), servers.pop(), windows, read)


def _refuse_unsound(folder: Any, manifest: Manifest) -> None:
    """Refuse a window whose manifest contradicts itself, or whose files are not those that it names."""
    if flaw := next(contradictions(manifest, manifest.put_aside), ""):
        raise NexusStorageError(f"{folder / manifests.NAME} was edited, {flaw}: take it back, or sync the window again")
    refuse_damaged(folder, manifest)


def _proved(window: Window, manifest: Manifest) -> ProvedWindow:
    return ProvedWindow(window, manifest.read_moment, manifest.put_aside, frozenset(manifest.protected))


def _copied_lake(copy: DeltaCopy) -> CopiedRecords:
    table = Table(copy.resource)
    proved = {
        manifest.span: manifest
        for manifest in copy.manifests().values()
        if manifest.span and manifest.proof.verdict != Verdict.UNPROVED
    }

    def read(fields: Sequence[str], start: datetime, end: datetime) -> Iterator[Values]:
        return copy.values([column_of(table, field) for field in fields], start, end)

    windows = tuple(_proved(window, manifest) for window, manifest in proved.items())
    return CopiedRecords(copy.resource, str(copy.folder), copy.base_url, windows, read)


def copied_table(engine: Engine, table: str, name: str) -> CopiedRecords:
    """The copy of a resource in a table.

    :param engine: of the database; it stays the caller's
    :raises NexusConfigurationError: when no sync has made the table, or of another resource
    :raises NexusStorageError: when the database fails
    """
    copy = open_table(engine, table, f"the table of {name}")
    if copy.resource.name != name:
        raise NexusConfigurationError(f"{table} is a copy of {copy.resource.name}, not of {name}: give the table of {name}")
    model = copy.model
    with failing("read", model.name), snapshot(engine) as connection:
        books = Bookkeeping(connection, model)
        proved = dict[Window, ProvedWindow]()
        for row in books.manifests():
            if row["feed"] != "created":
                continue
            window = Window(row["window_start"], row["window_end"])
            if row["verdict"] == Verdict.UNPROVED:  # its rows are in the place of those that were there
                proved = {other: each for other, each in proved.items() if not other.meets(window)}
            else:
                proved[window] = ProvedWindow(window, row["read_at"], row["rejected"], frozenset(books.manifest(row).protected))

    def read(fields: Sequence[str], start: datetime, end: datetime) -> Iterator[Values]:
        columns = [model.data.c[column_of(model.source, field)] for field in fields]
        query = sa.select(*columns).where(current(model), created_in(model, start, end))
        with failing("read", model.name), snapshot(engine) as connection:
            for row in connection.execution_options(yield_per=10_000).execute(query):
                yield tuple(row)

    return CopiedRecords(copy.resource, f"table {model.name}", copy.base_url, tuple(proved.values()), read)


def column_of(table: Table, field: str) -> str:
    """The column of a field, by its dotted wire name; one that is of no record, such as ``_read_at``, by its own."""
    return field if field == READ_AT else table.by_path[field].name


def common_span(copies: Iterable[CopiedRecords], start: datetime | None, moment: datetime | None) -> Window:
    """The span that all copies are reconciled over, in whole seconds, as Nexus is asked.

    :param start: ``None`` for the latest start of what is proved without a gap up to the moment
    :param moment: ``None`` for the earliest end of what is proved
    :raises NexusWindowError: when a copy has nothing that is proved before the moment, or the moment is not after the start
    """
    stretches = []
    for copy in copies:
        if not copy.spans:
            raise NexusWindowError(f"{copy.where} has no window that is proved: sync one first")
        before = [each for each in copy.spans if moment is None or each.start < moment]
        if moment and not before:
            raise NexusWindowError(f"{copy.where} is proved from {to_wire(copy.spans[0].start)} on: give a moment after that")
        stretches.append(before[-1])
    end = (moment or min(each.end for each in stretches)).replace(microsecond=0)
    begin = (start or max(each.start for each in stretches)).replace(microsecond=0)
    if begin >= end:
        raise NexusWindowError(
            f"the moment {to_wire(end)} is not after the start {to_wire(begin)}: give a start before it, at which all copies "
            "are proved already"
        )
    return Window(begin, end)
