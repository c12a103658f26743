"""Gzip JSON lines writer: each record's text as it came, one a line, in parts of bounded size.

Parts are written to unnamed temporary files, so that nothing is published before the window is proved and nothing is
left behind by a process that dies. The same records give the same bytes: no time stamp, no file name in the header.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO

from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.extract.spool import fill, temporary_file

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
    """One finished part: a file's name, its records, its size in bytes, its digest, and the file itself."""

    name: str
    records: int
    size: int
    sha256: str
    spool: BinaryIO


class JsonLinesWriter:
    """Writes rows into parts."""

    def __init__(self) -> None:
        self._done: list[Part] = []
        self._open: PartWriter | None = None

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows; a part that is full is finished."""
        while rows:
            part = self._open = self._open or PartWriter()
            room = PART_RECORDS - part.records
            part.write([row.raw for row in rows[:room]])
            if part.records == PART_RECORDS:
                self._finish(part)
            rows = rows[room:]

    def parts(self) -> list[Part]:
        """The finished parts; at least one, which is empty when no row was written."""
        if self._open or not self._done:
            self._finish(self._open or PartWriter())
        return self._done

    def close(self) -> None:
        """Free the disk."""
        for part in self._done:
            part.spool.close()
        if self._open:
            self._open.spool.close()

    def _finish(self, part: PartWriter) -> None:
        self._done.append(part.finish(len(self._done)))
        self._open = None


class PartWriter:
    """Writes texts of records into one part."""

    def __init__(self) -> None:
        self.records = 0
        self.spool = temporary_file()
        self._sha256 = hashlib.sha256()
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def write(self, texts: list[bytes]) -> None:
        """Add records."""
        self.records += len(texts)
        self._put(self._zip.compress(b"\n".join([*texts, b""])))

    def finish(self, number: int) -> Part:
        """Close the stream and name the part by its number."""
        self._put(self._zip.flush())
        size = self.spool.tell()
        self.spool.seek(0)
        return Part(f"part-{number:05d}.jsonl.gz", self.records, size, self._sha256.hexdigest(), self.spool)

    def _put(self, data: bytes) -> None:
        self._sha256.update(data)
        fill(self.spool, data)


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a part file as they were written, from its beginning."""
    file.seek(0)
    with gzip.GzipFile(fileobj=file, mode="rb") as unzipped:
        while line := unzipped.readline(_LONGEST):
            if len(line) == _LONGEST:
                raise ValueError(f"a line is longer than the {_LONGEST:,} bytes that no record has")
            yield line.rstrip(b"\n")
