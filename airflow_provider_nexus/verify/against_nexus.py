"""Comparison of a copy with Nexus as it is now: by totals where Nexus has them, else by the count of each window.

Of files and tables alike :func:`_compare` knows no more than their windows, and how to count and add up what is stored of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusDataError,
    NexusStorageError,
    NexusUnknownResourceError,
)
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.source import PAGE_SIZE, Source, widened
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.account import Grouping
from airflow_provider_nexus.load.claims import contradictions
from airflow_provider_nexus.load.collection import ResourceFolder, collections, is_same, tables_below
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import RejectedRecord
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.load.parquet.scan import Scan
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.sessions import reading
from airflow_provider_nexus.load.sql.tables import created_in
from airflow_provider_nexus.sync.compare import Comparison
from airflow_provider_nexus.verify.findings import Findings, Report
from airflow_provider_nexus.verify.lake import OpenTable
from airflow_provider_nexus.verify.readers import column_values

_ORIGIN = Origin(datetime(2000, 1, 1, tzinfo=UTC), "count")
"""Of records that are only counted: no total depends on it."""


@dataclass(frozen=True)
class StoredWindow:
    """A window of a copy.

    :param where: folder, or table and window
    :param records: those that are stored
    :param rejected: those that did not fit
    :param outside: those around its edges that were counted when it was read, and are not in it
    """

    where: str
    window: Window
    records: int
    rejected: int
    outside: int


TotalsOf = Callable[[Sequence[StoredWindow], datetime, datetime], Totals]
"""Counts and sums of the records that are stored of some windows, and were created from a moment up to another."""


def files_against_nexus(root: Any, client: NexusClient, follow: Follow = unheard, opened: OpenTable = open_table) -> Report:
    """Compare the windows below a root with Nexus, those of Delta tables too; snapshots, which have none, can't be compared.

    :param root: as for :func:`~airflow_provider_nexus.verify.files.verify`
    :param follow: called with the number of windows compared
    :param opened: opens a Delta table; by default with the credentials that the machine has
    :raises NexusConfigurationError: when all of it was read elsewhere than where the client calls
    :raises NexusApiError: one class per cause
    """
    findings, before, base_url = Findings(), client.session.calls, client.session.environment.base_url
    found, is_from_here = collections(root), False
    steps = Steps(sum(len(each.windows) for each in found), follow)
    for collection in found:
        sound = dict(_sound_windows(collection))
        here = {window: manifest for window, manifest in sound.items() if is_same(manifest.base_url, base_url)}
        if len(here) < len(sound):
            findings.note(collection.folder, f"not compared, as read elsewhere: {number_of(len(sound) - len(here), 'window')}")
        if collection.snapshots:
            text = f"not compared, as Nexus only shows its present state: {number_of(len(collection.snapshots), 'snapshot')}"
            findings.note(collection.folder, text)
        # Windows that are not sound may be from here.
        is_from_here |= bool(here or collection.snapshots) or len(sound) < len(collection.windows)
        try:
            resource = get_resource(next(iter(here.values())).resource) if here else None
        except NexusUnknownResourceError:
            continue
        if resource is not None:
            totals = _FileTotals(resource, collection.folder, here)
            try:
                _compare(Source(client, resource), list(here), totals.of, findings, steps)
            except NexusStorageError as error:  # files that are damaged
                findings.problem(collection.folder, str(error))
            for folder in sorted(totals.misfits):
                findings.note(folder, "contains records that can't be counted as typed rows; their window may seem to differ")
    for _, folder in tables_below(root):
        is_from_here |= _compare_lake(opened(folder), client, findings, follow)
    if not is_from_here:
        raise NexusConfigurationError(f"nothing in {root} was read from {base_url}: give the connection that it was read with")
    findings.calls = client.session.calls - before
    return findings.report()


def _compare_lake(stored: DeltaCopy, client: NexusClient, findings: Findings, follow: Follow) -> bool:
    """Compare the windows of a Delta table; whether it was read where the client calls."""
    if not is_same(stored.base_url, client.session.environment.base_url):
        findings.note(stored.folder, f"not compared, as it was read from {stored.base_url}")
        return False
    windows = [
        StoredWindow(f"{stored.folder}, {label}", manifest.span, manifest.records, manifest.put_aside, manifest.proof.outside)
        for label, manifest in stored.manifests().items()
        if manifest.span
    ]
    if not windows:
        findings.note(stored.folder, "has no windows, so it is not compared: Nexus only shows its present state")
    source, steps = Source(client, stored.resource), Steps(len(windows), follow)
    _compare(source, windows, lambda _, start, end: stored.totals(start, end), findings, steps)
    return True


def table_against_nexus(stored: SqlCopy, client: NexusClient, follow: Follow = unheard) -> Report:
    """Compare the windows of a table with Nexus.

    :param follow: called with the number of windows compared
    :raises NexusConfigurationError: when it was read elsewhere than where the client calls
    :raises NexusApiError: one class per cause
    """
    name, base_url = stored.model.name, client.session.environment.base_url
    if stored.base_url != base_url:
        raise NexusConfigurationError(f"{name} was read from {stored.base_url} and the connection leads to {base_url}")
    findings, before, windows = Findings(), client.session.calls, _table_windows(stored)
    if not windows:
        findings.note(name, "has no windows, so it is not compared: Nexus only shows its present state")
    source, steps = Source(client, stored.resource), Steps(len(windows), follow)
    _compare(source, windows, lambda _, start, end: stored.totals(start, end), findings, steps)
    findings.calls = client.session.calls - before
    return findings.report()


def _compare(source: Source, windows: list[StoredWindow], totals: TotalsOf, findings: Findings, steps: Steps) -> None:
    """Compare each window with Nexus, those with rejected records by their count alone."""
    by_totals = {each for each in windows if not each.rejected} if source.resource.totals_path else set()
    runs: list[list[StoredWindow]] = []
    for each in sorted(by_totals, key=lambda one: (one.window.start, one.window.end)):
        # Windows that touch are compared as one; one that overlaps begins anew, as records would count twice.
        if runs and runs[-1][-1].window.end == each.window.start:
            runs[-1].append(each)
        else:
            runs.append([each])
    for run in runs:
        if not _compare_totals(source, run, totals, findings):
            by_totals = set()
            break
    steps.add(len(by_totals))
    for each in windows:
        if each not in by_totals:
            _compare_count(each, source, findings)
            steps.add()


def _compare_totals(source: Source, run: list[StoredWindow], totals: TotalsOf, findings: Findings) -> bool:
    """Compare counts and exact sums of adjacent windows, and find the spans that differ; whether Nexus has totals of spans."""
    comparison = Comparison(source.client, source.resource, _RunTotals(source, run, totals), PAGE_SIZE // 2)
    spans = comparison.differences(Window(run[0].window.start, run[-1].window.end))
    for span in spans or ():
        names = [each.where for each in run if each.window.meets(span)]
        text = f"counts or sums of {to_wire(span.start)} to {to_wire(span.end)} differ from those of Nexus now: sync it again"
        findings.problem(", ".join(names), text)
    if comparison.is_cut:
        text = f"totals took {number_of(comparison.calls, 'call')}, and no more are made: only a part of a named span may differ"
        findings.note(source.resource.name, text)
    return spans is not None


def _compare_count(stored: StoredWindow, source: Source, findings: Findings) -> None:
    """Compare the number of records of a window.

    Nexus is asked as it was when the window was read: one second wider at each end, with what lay there.
    """
    theirs = source.count(*widened(stored.window))
    if theirs is None:
        findings.note(stored.where, "Nexus does not state how many records there are, so it is not compared")
        return
    mine = stored.records + stored.rejected + stored.outside
    if theirs != mine:
        difference = f"{theirs - mine:,} more" if theirs > mine else f"{mine - theirs:,} fewer"
        text = f"Nexus has {number_of(theirs, 'record')}, {difference} than are stored: sync this window again"
        findings.problem(stored.where, text)


@dataclass(frozen=True)
class _RunTotals:
    """Totals of adjacent windows; of what lies after them those of Nexus, which show whether it includes an upper bound."""

    source: Source
    run: list[StoredWindow]
    of: TotalsOf

    def totals(self, start: datetime, end: datetime) -> Totals:
        if start < self.run[-1].window.end:
            return self.of(self.run, start, end)
        totals, converter = Totals(), TableConverter(self.source.resource)
        grouping = Grouping(converter.table)
        for row in stream(self.source, Window(start, end)):
            with suppress(RejectedRecord):
                values = converter.row(row, _ORIGIN)
                grouping.count(totals, [[values[place] for place in grouping.places]])
        return totals


class _FileTotals:
    """Totals of windows in files: of whole windows as their manifests state them, else by reading the files.

    :ivar misfits: folders with records that can't be counted
    """

    def __init__(self, resource: Resource, folder: Any, manifests: Mapping[StoredWindow, Manifest]) -> None:
        self._table, self._folder, self._manifests = Table(resource), folder, manifests
        self._counted = dict[StoredWindow, Totals]()
        self.misfits = set[str]()
        self._scan = Scan(self._table, self._read)

    def of(self, windows: Sequence[StoredWindow], start: datetime, end: datetime) -> Totals:
        totals = Totals()
        for each in windows:
            if start <= each.window.start and each.window.end <= end:
                if each not in self._counted:
                    manifest = self._manifests[each]
                    has_totals = manifest.totals is not None
                    self._counted[each] = manifest.group_totals if has_totals else self._part(each, start, end)
                totals.merge(self._counted[each])
            elif each.window.start < end and start < each.window.end:
                totals.merge(self._part(each, start, end))
        return totals

    def _part(self, stored: StoredWindow, start: datetime, end: datetime) -> Totals:
        totals = Totals()
        self._scan.count(totals, self._folder / stored.window.label, self._manifests[stored], start, end)
        return totals

    def _read(self, folder: Any, manifest: Manifest) -> Iterator[tuple[Any, ...]]:
        """Of each record of a window the creation, then the columns that totals are made of."""
        names = (self._table.created, *Grouping(self._table).columns)
        for values in column_values(self._table.resource, folder, manifest, names):
            if values is None:
                self.misfits.add(str(folder))
            else:
                yield values


def _sound_windows(collection: ResourceFolder) -> Iterator[tuple[StoredWindow, Manifest]]:
    """The windows of a resource with their manifests. Manifests that can't be true are left to the check of the files."""
    for name, window in collection.windows.items():
        folder = collection.folder / name
        try:
            manifest = manifests.load(folder)
        except NexusDataError:
            continue
        if manifest and manifest.span == window and not list(contradictions(manifest, manifest.put_aside)):
            yield StoredWindow(str(folder), window, manifest.records, manifest.put_aside, manifest.proof.outside), manifest


def _table_windows(stored: SqlCopy) -> list[StoredWindow]:
    """The windows of a table, each by its last load, with as many records as the table contains of it now."""
    model, found = stored.model, list[StoredWindow]()
    with failing("read", model.name), reading(stored.engine) as connection:
        books = Bookkeeping(connection, model)
        loads = (row for row in books.manifests() if row["feed"] == "created")
        for (start, end), row in {(row["window_start"], row["window_end"]): row for row in loads}.items():
            inside = created_in(model, start, end)
            count = connection.execute(sa.select(sa.func.count()).select_from(model.data).where(inside)).scalar_one()
            where = f"{model.name}, {to_wire(start)} to {to_wire(end)}"
            outside = books.manifest(row).proof.outside
            found.append(StoredWindow(where, Window(start, end), count, row["rejected"], outside))
    return found
