"""Readers of stored rows, JSON lines and Parquet: each row is checked, personal data included, and counted again."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

import msgspec

from airflow_provider_nexus import __version__
from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract.jsonl import lines
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.protect import Place, Protection, Treatment, check_protection, tree_of
from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import LineAccount, TableAccount
from airflow_provider_nexus.load.claims import amounts_of
from airflow_provider_nexus.load.columns import CONTENT, DIGESTED, KEY, SYSTEM, Column, Table
from airflow_provider_nexus.load.copy import RejectedRecord
from airflow_provider_nexus.load.days import Days
from airflow_provider_nexus.load.manifest import Manifest, end_record
from airflow_provider_nexus.load.parquet.batches import load
from airflow_provider_nexus.load.parquet.changes import DELETED
from airflow_provider_nexus.load.parquet.writer import read_columns, read_rows
from airflow_provider_nexus.load.rows import TableConverter, content_of

_HASH = re.compile(rb'"h:[0-9a-f]{32}"')
_MASK = b'"***"'
_NOTHING = (b"null", b'""')
_AT_ONCE = 1000


class PersonalData:
    """Finds values that are not treated as a manifest says, and hashes of which it says nothing.

    A value that was masked or dropped may be one that Nexus itself masks, or does not know, so of those it proves nothing.

    :param manifest: of a folder whose rows are all of its own reading
    """

    def __init__(self, resource: Resource, manifest: Manifest) -> None:
        named = {tuple(name.split(".")): treatment for name, treatment in manifest.protected.items()}
        texts = (tuple(name.lower() for name in path) for path, field in resource.schema.walk() if field.kind == "text")
        wanted = {path: "none" for path in texts if not any(path[:depth] in named for depth in range(1, len(path) + 1))} | named
        self._found: list[str] = []
        self._root = tree_of(resource, {path: partial(self._look, path, treatment) for path, treatment in wanted.items()})

    def in_record(self, raw: bytes) -> list[str]:
        """What is wrong with a record, one line for each value."""
        self._found.clear()
        self._root.of_object(raw)
        return list(self._found)

    def in_column(self, column: Column, value: object) -> list[str]:
        """What is wrong with the value of a column."""
        self._found.clear()
        place: Place | None = self._root
        for name in column.path:
            place = place.places.get(name.lower()) if place and not place.change else place
        if place and value is not None:
            is_text = isinstance(value, str)
            place.of(str(value).encode() if is_text and column.kind == "json" else msgspec.json.encode(value if is_text else 1))
        return list(self._found)

    def _look(self, path: tuple[str, ...], treatment: str, raw: bytes) -> bytes:
        name, is_hash = ".".join(path), _HASH.fullmatch(raw) is not None
        if treatment == "none" and is_hash:
            self._found.append(f"contains a hash in {name}, of which protected says nothing")
        fits = raw in _NOTHING or is_hash if treatment == "hash" else raw in (*_NOTHING, _MASK) if treatment == "mask" else None
        if fits is False or (treatment == "drop" and raw != b"null"):
            self._found.append(f"contains a value in {name} that is not treated with {treatment!r}, as protected says")
        return raw


def impossible_treatments(resource: Resource, manifest: Manifest) -> Iterator[str]:
    """What is wrong with the treatments that a manifest names; another version may know other fields."""
    if manifest.provider_version == __version__:
        try:
            # what is no treatment is refused there
            check_protection(resource, Protection(fields=cast("dict[str, Treatment]", manifest.protected)))
        except NexusConfigurationError as error:
            yield f"its protected can't be: {error}"


def impossible_request(resource: Resource, manifest: Manifest) -> Iterator[str]:
    """What is wrong with the request that a manifest names; another version may ask otherwise."""
    dates = resource.finished if manifest.feed == "finished" else resource.created
    wanted: dict[str, Any] = {"path": resource.path, "api_version": resource.api_version}
    wanted |= {"date_filter": [dates.since, dates.until]} if dates and manifest.window else {}
    for name, value in wanted.items() if manifest.provider_version == __version__ else ():
        if manifest.request.get(name) != value:
            yield f"its request has the {name} {manifest.request.get(name)!r}, and {resource.name} is read with {value!r}"


class LinesReader:
    """Reads JSON lines, one record in memory at a time."""

    def __init__(self, resource: Resource, window: Window | None, personal: PersonalData | None) -> None:
        self._window, self._personal = window, personal
        self._reader = RowReader(resource)
        self._tally = LineAccount(self._reader)
        self.records = 0

    def read(self, path: Any) -> Iterator[str]:
        """Read a file to its end.

        :return: one line for each thing that is wrong with a record
        :raises NexusDataError: when a record has no key, or its stamp can't be read
        :raises ValueError: when the file is not whole
        """
        for raw in records_of(path):
            self.records += 1
            row = self._reader.read(raw)
            try:
                row = self._reader.decoded([row])[0]
                self._tally.add([row])
            except NexusDataError as error:
                row = row._replace(flaw=error.field)
                self._tally.add([row])
            if row.flaw:
                yield f"the record of key {row.key!r} has an amount that can't be read, field {row.flaw!r}"
            if self._window and not f"{self._window.start:%FT%T}" <= row.stamp < f"{self._window.end:%FT%T}":
                yield f"the record of key {row.key!r} was created at {row.stamp}, outside of the window"
            for line in self._personal.in_record(raw) if self._personal else ():
                yield f"the record of key {row.key!r} {line}"

    def differences(self, manifest: Manifest) -> Iterator[str]:
        """The members of a manifest that are not what the records add up to."""
        found: dict[str, Any] = self._tally.counts
        if not manifest.rejected:  # the first and the last may have been rejected
            found |= {"first": end_record(self._tally.first), "last": end_record(self._tally.last)}
        return _differences(found, self._tally.days, manifest)


class ParquetReader:
    """Reads Parquet files, one batch of rows in memory at a time."""

    def __init__(self, resource: Resource, window: Window | None, personal: PersonalData | None) -> None:
        self._table, self._window, self._personal = Table(resource), window, personal
        self._account = TableAccount(self._table)
        self.records = 0

    def read(self, path: Any) -> Iterator[str]:
        """Read a file to its end.

        :return: one line for each thing that is wrong with a row
        :raises NexusError: when it is no Parquet file
        :raises ValueError: when it is not whole
        """
        with store.opened(path) as source:
            names = load("pyarrow.parquet").read_schema(source).names
        # The file may have been written by another version, with other columns.
        places = [names.index(column.name) if column.name in names else None for column in self._table.columns]
        for rows in read_rows(path):
            for row in rows:
                self.records += 1
                # A record that was deleted has neither values nor a digest.
                is_empty = row[CONTENT] == DELETED and all(value is None for value in row[DIGESTED:])
                content = DELETED if is_empty else content_of(row[DIGESTED:])
                if content != row[CONTENT]:
                    yield f"the row of key {row[KEY]!r} was edited: its values are not what its _content is of"
                if row[CONTENT] != DELETED:
                    values = [row[place] if place is not None else None for place in places]
                    self._account.add([(*row[:CONTENT], content, *values[DIGESTED:])])
                    yield from (f"the row of key {row[KEY]!r} {line}" for line in self._misplaced(values))

    def _misplaced(self, values: list[Any]) -> Iterator[str]:
        """What can't be in a row of this folder."""
        if self._window:
            created = values[self._table.place(self._table.created)]
            if created is None or not self._window.start <= created < self._window.end:
                yield f"was created at {created}, outside of the window"
        if self._personal:
            for column, value in zip(self._table.fields, values[len(SYSTEM) :], strict=True):
                yield from self._personal.in_column(column, value)

    def differences(self, manifest: Manifest) -> Iterator[str]:
        """The members of a manifest that are not what the rows add up to."""
        found = self._account.members()
        if "totals" in found and Totals.load(each.dump() for each in found["totals"]).same_as(manifest.group_totals):
            found["totals"] = manifest.totals
        return _differences(found, self._account.days, manifest)


FolderReader = LinesReader | ParquetReader


def folder_reader(file_format: str, resource: Resource, window: Window | None, personal: PersonalData | None) -> FolderReader:
    """The reader for a format.

    :param window: that all rows were created in; ``None`` when any stamp will do
    :param personal: checks how personal data was treated; ``None`` when that is not known
    :raises NexusDataError: when this version does not know the format
    """
    if file_format == "jsonl":
        return LinesReader(resource, window, personal)
    if file_format == "parquet":
        return ParquetReader(resource, window, personal)
    raise NexusDataError("manifest", resource.name, "format", file_format, "jsonl or parquet")


def records_of(path: Any) -> Iterator[bytes]:
    """The records of a file of JSON lines, one at a time.

    :raises ValueError: when it is no whole gzip file
    """
    with store.opened(path) as source:
        try:
            yield from lines(source)
        except (EOFError, zlib.error) as error:
            raise ValueError(str(error)) from None


def column_values(resource: Resource, folder: Any, manifest: Manifest, names: Sequence[str]) -> Iterator[tuple[Any, ...] | None]:
    """Of each record of a window the values of some columns; ``None`` for a line that is no row.

    :param names: as in ``Table.columns``
    :raises NexusError: when a file is not whole, or lacks a column
    """
    if manifest.format == "parquet":
        for file in manifest.files:
            for rows in read_columns(folder / file.name, names):
                yield from rows
        return
    reader, converter = RowReader(resource), TableConverter(resource)
    places = [converter.table.place(name) for name in names]
    origin = Origin(manifest.read_moment, manifest.read_by)
    raws = (raw for file in manifest.files for raw in records_of(folder / file.name))
    while some := list(islice(raws, _AT_ONCE)):
        for values in converter.rows(reader.page(some), origin):
            yield None if isinstance(values, RejectedRecord) else tuple(values[place] for place in places)


def _differences(found: Mapping[str, Any], days: Days, manifest: Manifest) -> Iterator[str]:
    by_day = manifest.day_totals
    width = min(days.width, by_day.width)
    for name, mine in found.items():
        theirs = getattr(manifest, name)
        if name in ("sums", "days"):
            pair = (amounts_of(mine), amounts_of(theirs)) if name == "sums" else (days.numbers(width), by_day.numbers(width))
            mine, theirs = pair
            if manifest.provider_version != __version__:
                # Another version may know other amounts.
                known = {field for *_, field, _ in mine} & {field for *_, field, _ in theirs}
                mine, theirs = ({at: value for at, value in each.items() if at[-2] in known} for each in pair)
        if mine != theirs:
            yield f"its {name} say {f'{theirs}, not {mine}' if name == 'records' else 'something else than the rows'}"
