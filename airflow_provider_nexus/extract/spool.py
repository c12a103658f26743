"""Takes the rows of a window: protects, counts and spools them, watches their fields, says how far it is."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter, lines
from airflow_provider_nexus.extract.progress import Progress
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.extract.tally import Tally


class WindowSink:
    """All that is kept of a reading: its records in unnamed temporary files, and what they add up to.

    :param resource: what is read
    :param progress: told of every row
    :param protector: treats personal data before anything is kept
    """

    def __init__(self, resource: Resource, progress: Progress, protector: Protector) -> None:
        self._resource, self._progress, self._protector = resource, progress, protector
        self.reader = RowReader(resource)
        self.writer = JsonLinesWriter()
        self.begin()

    def begin(self) -> None:
        """Forget what was written."""
        self.writer.begin()
        self._progress.restart()
        self.tally, self.fields = Tally(self.reader), FieldWatch(self._resource)
        self.flawed = 0

    def write(self, rows: list[Row]) -> None:
        """Take rows."""
        self.fields.look(rows[0].raw)
        self.restore(rows if self._protector.is_idle else [self._protector.row(row) for row in rows])

    def restore(self, rows: list[Row]) -> None:
        """Take rows that went through here before, in another try."""
        for row in rows:
            self._count(row)
        self.writer.write(rows)
        self._progress.add(len(rows))

    def _count(self, row: Row) -> None:
        """An amount that can't be read is a flaw of the record, found when it is written out; its sums leave it out."""
        flawed = flaw_of(self.reader, row)
        self.flawed += flawed is not row or bool(row.flaw)
        self.tally.add(flawed)

    def rows(self) -> Iterator[Row]:
        """What was taken, in order, one at a time."""
        for part in self.writer.parts():
            for line in lines(part.spool):
                yield flaw_of(self.reader, self.reader.read(line))


def flaw_of(reader: RowReader, row: Row) -> Row:
    """The row, marked when one of its amounts is no finite number."""
    try:
        reader.amounts(row)
    except NexusDataError as error:
        return row._replace(flaw=error.field)
    return row


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
