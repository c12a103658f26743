"""The spool: the records of a reading in an unnamed temporary file, until they are proved and loaded."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.fields import FieldWatch
from airflow_provider_nexus.extract.progress import Progress
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.storage import storage_errors

_encode = msgspec.json.Encoder().encode
_BUFFER = 1 << 20
_decode = msgspec.json.Decoder(tuple[str, str, str]).decode


class RecordSpool:
    """Takes the records of a reading: treats personal data, looks at their fields, writes them, and reports progress.

    Each record takes a line: stamp, key and flaw, so that they need not be read again, then a tab and the record's text.

    :param resource: what is read
    :param progress: counts the records
    :param protector: treats personal data before anything is written
    :param looks_at_all: whether the fields of every record are looked at; by default those of one a page
    """

    def __init__(self, resource: Resource, progress: Progress, protector: Protector, *, looks_at_all: bool = False) -> None:
        self._resource, self.progress, self._protector, self._looks_at_all = resource, progress, protector, looks_at_all
        self.reader = RowReader(resource)
        self.fields, self.records, self.size = FieldWatch(resource), 0, 0
        self._file: BinaryIO = io.BytesIO()  # until a reading begins

    def begin(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._file = temporary_file()
        self.progress.restart()
        self.fields, self.records, self.size = FieldWatch(self._resource), 0, 0

    def write(self, rows: list[Row], *, are_treated: bool = False) -> None:
        """Take rows.

        :param are_treated: whether they come from another try, which has treated them and looked at their fields
        """
        if not are_treated:
            for row in rows if self._looks_at_all else rows[:1]:
                self.fields.look(row.raw)
            rows = rows if self._protector.is_idle else [self._protector.row(row) for row in rows]
        data = b"".join([b"%b\t%b\n" % (_encode((row.stamp, row.key, row.flaw)), row.raw) for row in rows])
        self._file.seek(self.size)
        fill(self._file, data)
        self.size += len(data)
        self.records += len(rows)
        self.progress.add(len(rows))

    def rows(self, start: int = 0) -> Iterator[Row]:
        """The records, in order, one at a time.

        :param start: byte to begin at, as it was in ``size``
        """
        self._file.seek(start)
        file = io.BufferedReader(self._file, _BUFFER)  # type: ignore[type-var]
        try:
            for line in file:
                head, _, raw = line.partition(b"\t")
                stamp, key, flaw = _decode(head)
                yield Row(stamp, key, raw[:-1], None, flaw)
        finally:
            if not file.closed:
                file.detach()  # else the file would be closed with its buffer

    def close(self) -> None:
        """Free the disk."""
        self._file.close()


class RowList:
    """The rows of a small collection in memory, until its reading is proved."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def begin(self) -> None:
        """Forget what was written."""
        self.rows = []

    def write(self, rows: list[Row]) -> None:
        """Take rows."""
        self.rows += rows


def temporary_file() -> BinaryIO:
    """An unnamed temporary file without a buffer, so that a disk that is full says so in :func:`fill` and not when it is closed.

    :raises NexusStorageError: when there is no folder for temporary files
    """
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError as error:
        hint = "name a folder that is there and can be written to in the environment variable TMPDIR"
        raise NexusStorageError(f"there is no folder for temporary files ({error.strerror or error}): {hint}") from None


def fill(file: BinaryIO, data: Any) -> None:
    """Write all of some bytes to an unnamed temporary file.

    :raises NexusStorageError: when the disk is full
    """
    left = memoryview(data).cast("B")
    with storage_errors(f"temporary files in {tempfile.gettempdir()}", "written"):
        while left:
            left = left[file.write(left) :]
