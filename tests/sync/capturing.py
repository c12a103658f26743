"""Captures of changes, run after run, and what there is to compare the copy with, for the tests of copies of any kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import windows_of
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Copy, TableRow
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
from airflow_provider_nexus.load.parquet.writer import read_rows
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.watermark import CopyWatermark, Watermark, file_watermark
from tests.extract.serving import client_of

BEGIN = datetime(2026, 1, 1, 0, 10, tzinfo=UTC)
DAY = 86_400


def living(*, per_day: int = 150, **settings: Any) -> Sandbox:
    """A sandbox one day after ``BEGIN`` whose trades go on changing for weeks."""
    shape = {
        "lives": "long",
        "now": BEGIN + timedelta(days=1),
        "days": 1,
        "customers": 40,
        "clock_speed": 0,
        "amounts": "awkward",
    }
    return Sandbox(**{**shape, "transactions": per_day, "arrivals_per_hour": per_day / 24, **settings})


@dataclass
class Capture:
    """A copy of one resource that is brought up to date once a day.

    :param place: gives copy and watermark anew, as each task has its own
    :param held: the rows of the copy by key
    :param options: members of the request
    :param flaws: where the copy is not as it says of itself; ``held`` fails where files are not as their manifests say
    """

    sandbox: Sandbox
    resource: str
    place: Callable[[], tuple[Copy, Watermark]]
    held: Callable[[], dict[str, TableRow]]
    options: Mapping[str, Any] = field(default_factory=lambda: {"page_size": 20})
    rereads: int = 1
    client: Callable[[], NexusClient] | None = None
    flaws: Callable[[], tuple[str, ...]] = tuple

    def __post_init__(self) -> None:
        self.entry = get_resource(self.resource)
        self._reader, self._converter = RowReader(self.entry), TableConverter(self.entry)
        self._rows: dict[bytes, TableRow] = {}

    def run(self) -> dict[str, Any] | None:
        """One run, from where the last one ended, or from ``BEGIN``."""
        copy, watermark = self.place()
        wanted = choose_window(watermark=watermark.get) if watermark.get() else choose_window(arguments=(BEGIN, None))
        client = self.client() if self.client else client_of(self.sandbox)
        request = SyncRequest(resource=self.entry, requested=wanted, **self.options)
        try:
            return CaptureJob(client, request, copy, watermark=watermark, rereads=self.rereads).run()
        finally:
            client.session.close()

    @property
    def end(self) -> datetime:
        """Up to where the copy says that it goes."""
        return moment(self.place()[1].get(), "watermark")

    def truth(self) -> dict[str, TableRow]:
        """The rows as they are at this moment, by key, as a copy should hold them."""
        return {row[0]: row for row in map(self._row, self.sandbox.truth(self.resource, None, self.end))}

    def wrong(self) -> list[str]:
        """Keys of records that are held other than they are, or not at all, or are not there any more."""
        held, truth = self.held(), self.truth()
        return sorted(key for key in held.keys() | truth if held.get(key, ())[4:] != truth.get(key, ())[4:])

    def _row(self, raw: bytes) -> TableRow:
        if raw not in self._rows:
            self._rows[raw] = self._converter.row(self._reader.read(raw), Origin(BEGIN, ""))
        return self._rows[raw]


def into_files(sandbox: Sandbox, folder: Path, resource: str = "broker_transactions", **options: Any) -> Capture:
    """A capture into Parquet files."""
    table, history = Table(get_resource(resource)), options.pop("history", False)

    def place() -> tuple[Copy, Watermark]:
        memory = Unsettled(table, unsettled_file(folder))
        return ParquetCopy(folder, table, unsettled=memory, keeps_versions=history), file_watermark(folder)

    return Capture(sandbox, resource, place, lambda: held_in(folder), **options)


def into_delta(sandbox: Sandbox, folder: Path, resource: str = "broker_transactions", **options: Any) -> Capture:
    """A capture into a Delta table."""

    table, history = Table(get_resource(resource)), options.pop("history", False)

    def place() -> tuple[DeltaCopy, Watermark]:
        output: Any = "history" if history else "current"
        copy = DeltaCopy(folder, table, environment="sandbox", base_url=sandbox.base_url, output=output)
        return copy, CopyWatermark(copy)

    return Capture(
        sandbox, resource, place, lambda: held_in_delta(place()[0]), flaws=lambda: place()[0].check().problems, **options
    )


def held_in_delta(copy: DeltaCopy) -> dict[str, TableRow]:
    """The records of a Delta table; fails where one is held twice."""
    rows, width = copy.current(), len(Table(copy.resource).columns)
    held = {row[0]: row[:width] for row in rows}
    assert len(held) == len(rows), "a record is there twice"
    return held


def held_in(folder: Path) -> dict[str, TableRow]:
    """The rows of all windows; fails where a manifest lies or a record is held twice."""
    held: dict[str, TableRow] = {}
    for name in windows_of(folder):
        manifest = manifests.load(folder / name)
        if manifest is None:
            continue
        rows = rows_of(folder / name, manifest)
        assert len(rows) == manifest.records
        assert held.keys().isdisjoint(row[0] for row in rows), "a record lies in two windows"
        held |= {row[0]: row for row in rows}
    return held


def rows_of(folder: Path, manifest: manifests.Manifest) -> list[TableRow]:
    """The rows of the files that a manifest names."""
    return [row for file in manifest.files for rows in read_rows(folder / file.name) for row in rows]
