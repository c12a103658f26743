"""JSON lines, read again and counted as when they were written."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.jsonl import lines
from airflow_provider_nexus.extract.tally import Tally
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.verify.rows import differing
from airflow_provider_nexus.verify.treated import Treated

_MEMBERS = ("records", "key_digest", "sums", "first", "last")


class LineRows:
    """Counts the records of a folder.

    :param resource: whose records they are
    :param window: that they were created in; ``None`` when any stamp will do
    :param treated: looks at what was done with personal data; ``None`` when that can't be told
    """

    def __init__(self, resource: Resource, window: Window | None = None, treated: Treated | None = None) -> None:
        self._window, self._treated = window, treated
        self._reader = RowReader(resource)
        self._tally = Tally(self._reader)
        self.records = 0

    def read(self, path: Any) -> Iterator[str]:
        """Read a file to its end.

        :raises NexusDataError: when a record has no key, or its stamp can't be read
        :raises ValueError: when the file is not whole
        """
        for raw in records_of(path):
            self.records += 1
            row = self._reader.read(raw)
            flaw = self._count(row)
            if flaw:
                yield f"the record of key {row.key!r} has an amount that can't be read, field {flaw!r}"
            if self._window and not f"{self._window.start:%FT%T}" <= row.stamp < f"{self._window.end:%FT%T}":
                yield f"the record of key {row.key!r} was created at {row.stamp}, outside of the window"
            for line in self._treated.record(raw) if self._treated else ():
                yield f"the record of key {row.key!r} {line}"

    def differences(self, manifest: Mapping[str, Any]) -> Iterator[str]:
        """What the manifest says and the records do not."""
        first, last = ({"key": row.key, "stamp": row.stamp} if row else None for row in (self._tally.first, self._tally.last))
        found = {
            "records": self.records,
            "key_digest": self._tally.key_digest,
            "sums": self._tally.sums_by_field,
            # first and last are those that were read, be they put aside or not
            **({} if manifest["rejected"] else {"first": first, "last": last}),
        }
        return differing(_MEMBERS, found, manifest)

    def _count(self, row: Row) -> str:
        try:
            self._tally.add(row)
        except NexusDataError as error:
            self._tally.add(row._replace(flaw=error.field))
            return error.field
        return row.flaw


def records_of(path: Any) -> Iterator[bytes]:
    """The records of a part file, one at a time.

    :raises ValueError: when it is no whole gzip file
    """
    with store.opened(path) as source:
        try:
            yield from lines(source)
        except (EOFError, zlib.error) as error:
            raise ValueError(str(error)) from None
