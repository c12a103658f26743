"""Takes the rows of a window: counts them, watches their fields, writes them into parts, says how far it is."""

from __future__ import annotations

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.sync.fields import FieldWatch
from airflow_provider_nexus.sync.progress import Progress
from airflow_provider_nexus.sync.tally import Tally
from airflow_provider_nexus.sync.writers.jsonl import JsonLinesWriter


class WindowSink:
    """All that is kept of a reading.

    :param resource: what is read
    :param progress: told of every row
    """

    def __init__(self, resource: Resource, progress: Progress) -> None:
        self._resource, self._progress = resource, progress
        self._reader = RowReader(resource)
        self.writer = JsonLinesWriter()
        self.begin()

    def begin(self) -> None:
        """Forget what was written."""
        self.writer.begin()
        self._progress.restart()
        self.tally, self.fields = Tally(self._reader), FieldWatch(self._resource)

    def write(self, rows: list[Row]) -> None:
        """Take rows."""
        for row in rows:
            self.tally.add(row)
        self.fields.look(rows[0].raw)
        self.writer.write(rows)
        self._progress.add(len(rows))


class Basket:
    """Keeps the rows of a small collection in memory until its reading is proved."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def begin(self) -> None:
        """Forget what was written."""
        self.rows = []

    def write(self, rows: list[Row]) -> None:
        """Take rows."""
        self.rows += rows
