"""Parquet, read again: every row against its own digest, and all of them against the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.parquet.arrow import leaves, load
from airflow_provider_nexus.load.parquet.books import Books
from airflow_provider_nexus.load.parquet.readings import GONE
from airflow_provider_nexus.load.parquet.writer import read_rows
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.verify.rows import differing
from airflow_provider_nexus.verify.treated import Treated

_MEMBERS = ("records", "key_digest", "content", "sums", "totals")
_SYSTEM = 4


class TypedRows:
    """Counts the rows of a folder.

    :param resource: whose rows they are
    :param window: that they were created in; ``None`` when any stamp will do
    :param treated: looks at what was done with personal data; ``None`` when that can't be told
    """

    def __init__(self, resource: Resource, window: Window | None = None, treated: Treated | None = None) -> None:
        self._table, self._window, self._treated = Table(resource), window, treated
        self._books = Books(self._table)
        self.records = 0

    def read(self, path: Any) -> Iterator[str]:
        """Read a file to its end.

        :raises NexusError: when it is no Parquet file
        :raises ValueError: when it is not whole
        """
        places = self._places(path)
        for rows in read_rows(path):
            for row in rows:
                self.records += 1
                content = _content_of(row)
                if content != row[3]:
                    yield f"the row of key {row[0]!r} was edited: its values are not what its _content is of"
                if row[3] != GONE:
                    values = [row[place] if place is not None else None for place in places]
                    self._books.enter((*row[:3], content, *values[_SYSTEM:]))
                    yield from (f"the row of key {row[0]!r} {line}" for line in self._strange(values))

    def _strange(self, values: list[Any]) -> Iterator[str]:
        """What can't be in a row of its folder."""
        if self._window:
            created = values[self._table.place(self._table.created)]
            if created is None or not self._window.start <= created < self._window.end:
                yield f"was created at {created}, outside of the window"
        for column, value in zip(self._table.fields, values[-len(self._table.fields) :], strict=True) if self._treated else ():
            yield from self._treated.value(column, value) if self._treated else ()

    def _places(self, path: Any) -> list[int | None]:
        """Where a file has the columns of this version; it may have been written by another one."""
        with store.opened(path) as source:
            schema = load("pyarrow.parquet").read_schema(source)
        names = list(leaves(schema))
        return [names.index(column.name) if column.name in names else None for column in self._table.columns]

    def differences(self, manifest: Mapping[str, Any]) -> Iterator[str]:
        """What the manifest says and the rows do not."""
        found = self._books.members()
        if "totals" in found:
            same = Totals.load(found["totals"]).same_as(Totals.load(manifest["totals"]))
            found["totals"] = manifest["totals"] if same else found["totals"]
        return differing(_MEMBERS, found, manifest)


def _content_of(row: tuple[Any, ...]) -> str:
    """The digest of a row's values; that of a record that is gone is empty, as its values are."""
    values = row[_SYSTEM:]
    return GONE if row[3] == GONE and not any(value is not None for value in values) else content_of(values)
