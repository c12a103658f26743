"""What files hold, by span: counts and exact sums, of manifests where they have them, else of the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.sync.claims import put_aside
from airflow_provider_nexus.sync.files.scan import Scan, Values
from airflow_provider_nexus.sync.reading import stream
from airflow_provider_nexus.sync.source import Source, Span
from airflow_provider_nexus.sync.table.conform import Conformer, Misfit, Origin
from airflow_provider_nexus.sync.table.totals import Grouping, Totals
from airflow_provider_nexus.sync.verify.lines import records_of
from airflow_provider_nexus.sync.window import Window

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
