"""Gzip JSON lines: each record's text as it came, one a line, in parts of bounded size.

Parts are spooled to unnamed temporary files, so that nothing is published before the window is proved and nothing is
left behind by a process that dies. The same records give the same bytes: no time stamp, no file name in the header.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.storage import storage_errors

if TYPE_CHECKING:
    pass


PART = re.compile(r"part-\d{5}\.(?:jsonl\.gz|parquet)")
"""Names of data files."""


PART_RECORDS = 250_000
"""Records in a part file at most."""
_LONGEST = 64 << 20
"""Bytes of a line at most: what was tampered with could have one that fills the memory."""
_LEVEL = 1
"""Twice as fast as level 6 for a tenth more bytes (design notes, measured)."""


@dataclass(frozen=True)
class Part:
    """One finished part.

    :param name: its file name
    :param size: its size in bytes
    :param sha256: of the file
    """

    name: str
    records: int
    size: int
    sha256: str
    spool: BinaryIO


class JsonLinesWriter:
    """Writes rows into parts."""

    suffix = ".jsonl.gz"

    def __init__(self) -> None:
        self._done: list[Part] = []
        self._open: _OpenPart | None = None
        self._overhang: list[bytes] = []

    def begin(self) -> None:
        """Forget what was written."""
        self.close()
        self._done, self._open, self._overhang = [], None, []

    def write(self, rows: list[Row]) -> None:
        """Add rows; a part that is full is finished."""
        while rows:
            part = self._open = self._open or _OpenPart()
            room = PART_RECORDS - part.records
            part.write(rows[:room])
            rows = rows[room:]
            if part.records == PART_RECORDS:
                self._finish(part)
                self._overhang = [row.raw for row in rows]

    def parts(self) -> list[Part]:
        """The finished parts; at least one, which is empty when no row was written."""
        if self._open or not self._done:
            self._finish(self._open or _OpenPart())
        return self._done

    @property
    def full_parts(self) -> list[Part]:
        """The parts that are finished so far."""
        return self._done

    @property
    def overhang(self) -> list[bytes]:
        """The records of the latest write that came after the part that it made full."""
        return self._overhang

    def close(self) -> None:
        """Give the spool files back."""
        for part in self._done:
            part.spool.close()
        if self._open:
            self._open.spool.close()

    def _finish(self, part: _OpenPart) -> None:
        self._done.append(part.finish(f"part-{len(self._done):05d}{self.suffix}"))
        self._open = None


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a part file as they were written, from its beginning."""
    file.seek(0)
    with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
        while line := unzipped.readline(_LONGEST):
            if len(line) == _LONGEST:
                raise ValueError(f"a line is longer than the {_LONGEST:,} bytes that no record has")
            yield line.rstrip(b"\n")


def spool() -> BinaryIO:
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


class _OpenPart:
    def __init__(self) -> None:
        self.records = 0
        self.spool = spool()
        self._sha256 = hashlib.sha256()
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def write(self, rows: list[Row]) -> None:
        """Add rows."""
        self.records += len(rows)
        self._put(self._zip.compress(b"".join(b"%b\n" % row.raw for row in rows)))

    def finish(self, name: str) -> Part:
        """Close the stream and give the part its name."""
        self._put(self._zip.flush())
        size = self.spool.tell()
        self.spool.seek(0)
        return Part(name, self.records, size, self._sha256.hexdigest(), self.spool)

    def _put(self, data: bytes) -> None:
        self._sha256.update(data)
        fill(self.spool, data)
