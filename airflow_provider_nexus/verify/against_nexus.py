"""Files against what Nexus says now: totals where it has them, else the count of each window."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusUnknownResourceError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.proved_read import stream
from airflow_provider_nexus.extract.source import PAGE_SIZE, Source, Span
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.claims import contradictions, put_aside, window_of
from airflow_provider_nexus.load.collection import Collection, collections
from airflow_provider_nexus.load.manifest import windows_of
from airflow_provider_nexus.load.parquet.scan import Scan, Values
from airflow_provider_nexus.load.rows import Conformer, Misfit
from airflow_provider_nexus.load.server import is_same
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.merge import current
from airflow_provider_nexus.load.sql.sessions import reading
from airflow_provider_nexus.load.totals import Grouping
from airflow_provider_nexus.sync.compare import Comparison, Counted
from airflow_provider_nexus.verify.findings import Findings, Report
from airflow_provider_nexus.verify.lines import records_of
from airflow_provider_nexus.verify.tables import StoredTable


def files_against_nexus(root: Any, client: NexusClient, follow: Follow = unheard) -> Report:
    """Compare the windows below a root with Nexus; what was read whole, without a window, can't be compared.

    :param root: as for :func:`~airflow_provider_nexus.verify.files.verify`
    :param follow: told how many windows were compared
    :raises NexusConfigurationError: when none of it was read where the client calls
    :raises NexusApiError: one class per cause
    """
    findings, before = Findings(), client.session.calls
    found = collections(root)
    steps = Steps(sum(len(each.windows) for each in found), follow)
    compared = [_Comparing(collection, client, findings, steps).run() for collection in found]
    if not any(compared):
        where = client.session.environment.base_url
        raise NexusConfigurationError(f"nothing in {root} was read from {where}: give the connection that it was read with")
    findings.calls = client.session.calls - before
    return findings.report()


@dataclass
class _Comparing:
    """The windows of one resource.

    :param findings: told of what differs
    :param steps: told of each window
    """

    collection: Collection
    client: NexusClient
    findings: Findings
    steps: Steps

    def run(self) -> bool:
        """Compare.

        :return: whether anything was read from where the client calls, or may have been: the check of the files tells of the rest
        """
        kept = list(self._kept())
        where = self.client.session.environment.base_url
        here = [each for each in kept if is_same(each.manifest["base_url"], where)]
        if len(here) < len(kept):
            self.findings.note(self.collection.folder, f"{len(kept) - len(here)} windows were read elsewhere, so not compared")
        if self.collection.snapshots:
            text = f"{len(self.collection.snapshots)} snapshots are not compared: Nexus says only how it stands now"
            self.findings.note(self.collection.folder, text)
        resource = self._resource(here)
        if resource is not None:
            self._compare(resource, here)
        return bool(here or self.collection.snapshots) or len(kept) < len(self.collection.windows)

    def _kept(self) -> Iterator[Kept]:
        """The windows; those whose manifest can't be read or be true are told of by the check of the files."""
        for name, window in windows_of(self.collection.folder):
            if name not in self.collection.windows:
                continue
            try:
                manifest = manifests.load(self.collection.folder / name)
                is_sound = manifest is not None and not list(contradictions(manifest, put_aside(manifest)))
            except (NexusDataError, LookupError, TypeError, ValueError, AttributeError):
                continue
            if manifest is not None and is_sound and window_of(manifest) == window:
                yield Kept(self.collection.folder / name, window, manifest)

    @staticmethod
    def _resource(kept: list[Kept]) -> Resource | None:
        try:
            return get_resource(kept[0].manifest["resource"]) if kept else None
        except NexusUnknownResourceError:
            return None

    def _compare(self, resource: Resource, kept: list[Kept]) -> None:
        asked = Asked(self.client, resource, self.findings)
        whole = [each for each in kept if not each.rejected]
        for run in runs(whole) if resource.totals_path else ():
            held = Held(run, resource, self.client)
            if not asked.totals(held, run[0].window.start, run[-1].window.end, [_stored(each) for each in run]):
                whole = []
                break
            self.steps.add(len(run))
            for flaw in held.flaws:
                self.findings.note(flaw, "holds records that can't be counted as typed rows; their window may seem to differ")
        counted = [each for each in kept if each.rejected or not whole] if resource.totals_path else kept
        for each in counted:
            asked.count(_stored(each))
            self.steps.add()


def _stored(kept: Kept) -> Stored:
    proof = kept.manifest["proof"]
    return Stored(str(kept.folder), kept.window, kept.manifest["records"], kept.rejected, proof["outside"])


def runs(kept: Iterable[Kept]) -> list[list[Kept]]:
    """Windows that touch, together; one that meets another begins anew, as its records would count twice."""
    found: list[list[Kept]] = []
    for each in sorted(kept, key=lambda one: (one.window.start, one.window.end)):
        if found and found[-1][-1].window.end == each.window.start:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def table_against_nexus(stored: StoredTable, client: NexusClient, follow: Follow = unheard) -> Report:
    """Compare the windows of a table with Nexus.

    :param follow: told how many windows were compared
    :raises NexusConfigurationError: when it was read elsewhere than where the client calls, or holds no windows
    :raises NexusApiError: one class per cause
    """
    name, here = stored.model.name, client.session.environment.base_url
    if stored.base_url != here:
        raise NexusConfigurationError(f"{name} was read from {stored.base_url} and the connection leads to {here}")
    findings, before = Findings(), client.session.calls
    windows = _windows(stored)
    if not windows:
        findings.note(name, "holds no windows, so it is not compared: Nexus says only how it stands now")
    asked, steps = Asked(client, stored.resource, findings), Steps(len(windows), follow)
    rejected = any(each.rejected for each in windows)
    if rejected or not stored.resource.totals_path or not all(_totals(asked, stored, run, steps) for run in _runs(windows)):
        for each in windows:
            asked.count(each)
            steps.add()
    findings.calls = client.session.calls - before
    return findings.report()


def _totals(asked: Asked, stored: StoredTable, run: list[Stored], steps: Steps) -> bool:
    offered = asked.totals(stored.copy, run[0].window.start, run[-1].window.end, run)
    if offered:
        steps.add(len(run))
    return offered


def _runs(windows: Iterable[Stored]) -> list[list[Stored]]:
    """Windows that touch or meet, together: in a table no record counts twice."""
    found: list[list[Stored]] = []
    for each in sorted(windows, key=lambda one: (one.window.start, one.window.end)):
        if found and max(one.window.end for one in found[-1]) >= each.window.start:
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _windows(stored: StoredTable) -> list[Stored]:
    """Each window as the last load of it told, and as many records as the table holds of it now."""
    books = stored.model.manifest.c
    query = sa.select(books.window_start, books.window_end, books.rejected, books.manifest).where(
        books.table_name == stored.model.bare, books.feed == "created"
    )
    with failing("read", stored.model.name), reading(stored.engine) as connection:
        latest = {(row[0], row[1]): row for row in connection.execute(query.order_by(books.number))}
        return [
            Stored(
                f"{stored.model.name}, {to_wire(start)} to {to_wire(end)}",
                Window(start, end),
                connection.execute(_count(stored, start, end)).scalar_one(),
                rejected,
                json.loads(text)["proof"]["outside"],
            )
            for start, end, rejected, text in latest.values()
        ]


def _count(stored: StoredTable, start: object, end: object) -> sa.Select[Any]:
    created = stored.model.data.c[stored.model.source.created]
    inside = sa.and_(created >= start, created < end, current(stored.model))
    return sa.select(sa.func.count()).select_from(stored.model.data).where(inside)


@dataclass(frozen=True)
class Stored:
    """A window as it is stored.

    :param where: folder, or table and window
    :param records: those that are stored
    :param rejected: those that were put aside
    :param outside: those around its edges that were counted when it was read, and are not in it
    """

    where: str
    window: Window
    records: int
    rejected: int
    outside: int


class Asked:
    """Compares windows of one resource.

    :param client: asks Nexus
    :param findings: told of what differs
    """

    def __init__(self, client: NexusClient, resource: Resource, findings: Findings) -> None:
        self._client, self._resource, self._findings = client, resource, findings
        self._source = Source(client, resource)

    def totals(self, held: Counted, start: datetime, end: datetime, windows: list[Stored]) -> bool:
        """Compare counts and exact sums of a span, and find the parts of it that differ.

        :param held: what is stored
        :param windows: that the span is made of
        :return: whether the server offers totals
        """
        comparison = Comparison(self._client, self._resource, held, PAGE_SIZE // 2)
        spans = comparison.differences(Span(start, end))
        for span in spans or ():
            names = [each.where for each in windows if each.window.start < span.end and span.start < each.window.end]
            text = f"counts or sums of {to_wire(span.start)} to {to_wire(span.end)} are others in Nexus now: sync it again"
            self._findings.problem(", ".join(names), text)
        if comparison.is_cut:
            text = f"totals took {comparison.calls:,} calls, and no more are made: of a span that is named only a part may differ"
            self._findings.note(self._resource.name, text)
        return spans is not None

    def count(self, stored: Stored) -> None:
        """Compare the number of records of a window.

        It is asked for as it was when the window was read, one second wider at each end, and so is what lay there.
        """
        theirs = self._source.count(Span(stored.window.start, stored.window.end))
        if theirs is None:
            self._findings.note(stored.where, "Nexus does not say how many records there are, so it is not compared")
            return
        mine = stored.records + stored.rejected + stored.outside
        if theirs != mine:
            word = f"{theirs - mine:,} more records than it holds" if theirs > mine else f"{mine - theirs:,} records less"
            self._findings.problem(stored.where, f"Nexus has {word} now, {theirs:,} in all: sync this window again")


_ORIGIN = Origin(datetime(2000, 1, 1, tzinfo=UTC), "count")


@dataclass(frozen=True)
class Kept:
    """A window in files.

    :param folder: of the window
    :param manifest: of the folder
    """

    folder: Any
    window: Window
    manifest: dict[str, Any]

    @property
    def rejected(self) -> int:
        """Records that were put aside."""
        return put_aside(self.manifest)


class Held:
    """The totals of windows that touch.

    :param run: the windows, oldest first
    :param client: asks for what lies just after them, to tell how the server understands bounds
    :ivar flaws: folders with records that can't be counted
    """

    def __init__(self, run: Sequence[Kept], resource: Resource, client: NexusClient) -> None:
        self._run, self._resource, self._client = run, resource, client
        self._conformer = Conformer(resource)
        self._grouping = Grouping(self._conformer.table)
        self._created = self._conformer.table.place(self._conformer.table.created)
        self._wholes: dict[str, Totals] = {}
        self._scan = Scan(self._conformer.table, self._read)
        self.flaws: set[str] = set()

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Counts and sums of the records that were created in a span."""
        if start >= self._run[-1].window.end:
            return self._of_nexus(start, end)
        totals = Totals()
        for each in self._run:
            if start <= each.window.start and each.window.end <= end:
                totals.merge(self._whole(each))
            elif each.window.start < end and start < each.window.end:
                totals.merge(self._part(each, start, end))
        return totals

    def _whole(self, kept: Kept) -> Totals:
        if "totals" in kept.manifest:
            return Totals.load(kept.manifest["totals"])
        name = str(kept.folder)
        if name not in self._wholes:
            self._wholes[name] = self._part(kept, kept.window.start, kept.window.end)
        return self._wholes[name]

    def _part(self, kept: Kept, start: datetime, end: datetime) -> Totals:
        totals = Totals()
        self._scan.count(totals, kept.folder, kept.manifest, start, end)
        return totals

    def _read(self, folder: Any, manifest: Mapping[str, Any]) -> Values:
        return self._scan.typed(folder, manifest) if manifest["format"] == "parquet" else self._lines(folder, manifest)

    def _lines(self, folder: Any, manifest: Mapping[str, Any]) -> Values:
        reader = RowReader(self._resource)
        for file in manifest["files"]:
            for raw in records_of(folder / file["name"]):
                values = self._conformed(reader.read(raw))
                if values is None:
                    self.flaws.add(str(folder))
                else:
                    yield values

    def _conformed(self, row: Row) -> tuple[Any, ...] | None:
        try:
            fitting = self._conformer.row(row, _ORIGIN)
        except Misfit:
            return None
        places = (self._conformer.table.place(name) for name in self._grouping.columns)
        return (fitting[self._created], *(fitting[place] for place in places))

    def _of_nexus(self, start: datetime, end: datetime) -> Totals:
        totals = Totals()
        for row in stream(Source(self._client, self._resource), Span(start, end)):
            values = self._conformed(row)
            if values is not None:
                self._grouping.count_values(totals, values[1:])
        return totals
