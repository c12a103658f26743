"""The spool: rows in an unnamed temporary file, for what can't take them before their reading is proved."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, BinaryIO, cast

import msgspec

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.storage import storage_errors

_encode = msgspec.json.Encoder().encode
_BUFFER = 1 << 20
_BATCH = 500
_decode = msgspec.json.Decoder(tuple[str, str, str]).decode


class RowSpool:
    """Takes rows and gives them back.

    Each takes a line: stamp, key and flaw, so that they need not be read again, then a tab and the record's text.
    """

    def __init__(self) -> None:
        self._file = temporary_file()

    def write(self, rows: list[Row]) -> None:
        """Take rows."""
        self._file.seek(0, io.SEEK_END)
        fill(self._file, b"".join([b"%b\t%b\n" % (_encode((row.stamp, row.key, row.flaw)), row.raw) for row in rows]))

    def batches(self) -> Iterator[list[Row]]:
        """The rows, in order, some hundred at a time."""
        rows = self._rows()
        while batch := list(islice(rows, _BATCH)):
            yield batch

    def _rows(self) -> Iterator[Row]:
        self._file.seek(0)
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


def temporary_file(*, is_buffered: bool = False) -> BinaryIO:
    """An unnamed temporary file, by default without a buffer: a disk that is full says so in :func:`fill`, not when it is closed.

    :raises NexusStorageError: when there is no folder for temporary files
    """
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(buffering=-1 if is_buffered else 0))
    except OSError as error:
        hint = "name a folder that is there and can be written to in the environment variable TMPDIR"
        raise NexusStorageError(f"there is no folder for temporary files ({error.strerror or error}): {hint}") from None


def fill(file: BinaryIO, data: Any) -> None:
    """Write all of some bytes to an unnamed temporary file.

    :raises NexusStorageError: when the disk is full
    """
    left = memoryview(data).cast("B")
    with disk_errors():
        while left:
            left = left[file.write(left) :]


def disk_errors() -> AbstractContextManager[None]:
    """Turns errors of the disk that temporary files are on into ones that name their folder."""
    return storage_errors(f"temporary files in {tempfile.gettempdir()}", "written")
