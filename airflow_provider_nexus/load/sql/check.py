"""Whether a table holds what its last load left in it, every value, and its books are whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.account import Digest
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.load.manifest import Manifest, parse
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.sql.books import State
from airflow_provider_nexus.load.sql.merge import current
from airflow_provider_nexus.load.sql.tables import Model

_AT_ONCE = 1000
_SYSTEM = 4


@dataclass(frozen=True)
class Checked:
    """What a check found.

    :param problems: one line each, naming the table and the row's key or the manifest's number; empty when all is well
    :param records: rows that were looked at
    :param manifests: manifests that were looked at
    """

    problems: tuple[str, ...]
    records: int
    manifests: int


def check(connection: Connection, model: Model, follow: Follow = unheard) -> Checked:
    """Look at every manifest and every row.

    :param follow: told how many rows were looked at
    """
    books = Books(connection, model)
    problems = list(books.problems())
    rows, total = _Rows(connection, model, books.shapes), books.state.versions.records if books.state else None
    problems += [f"table {model.name}: {line}" for line in rows.problems(lambda seen: follow(seen, total))]
    follow(rows.state.versions.records, total)
    if books.state is not None:
        problems += [f"table {model.name}: {line}" for line in _compare(rows.state, books.state, model)]
    return Checked(tuple(problems), rows.state.versions.records, books.count)


def _compare(found: State, stored: State, model: Model) -> Iterator[str]:
    pairs: list[tuple[str, Digest, Digest]] = [("records", found.current, stored.current)]
    if model.is_history:
        pairs.append(("versions", found.versions, stored.versions))
    for what, here, then in pairs:
        if here.records != then.records:
            yield f"holds {here.records} {what}, but {then.records} after its last load"
        elif here.total != then.total:
            yield f"holds other {what} than after its last load: their digest differs"


class Books:
    """The manifests of a table.

    :param connection: on which they are read
    """

    def __init__(self, connection: Connection, model: Model) -> None:
        self._connection, self._model = connection, model
        self.count = 0
        self.state: State | None = State()
        """What the last manifest says that the table holds; ``None`` when it can't be read."""
        self.shapes: set[tuple[str, ...]] = {model.names[_SYSTEM:]}
        """The columns that rows were made of, by the loads that made them."""

    def problems(self) -> Iterator[str]:
        """Everything that is wrong with them."""
        for row, flaws in self.walk():
            yield from (f"manifest {row['number']} of table {self._model.name} {flaw}" for flaw in flaws)
        yield from (f"table {self._model.name} {flaw}" for flaw in self.lost())

    def walk(self) -> Iterator[tuple[Any, list[str]]]:
        """Each with its columns, the first load first, and what is wrong with it."""
        before = ""
        for row in self._rows():
            self.count += 1
            flaws = self._gap(row["number"]) or self._chain(row, before)
            yield row, [*flaws, *self._text(row)]
            self.count, before = row["number"], row["sha256"]

    def lost(self) -> Iterator[str]:
        """Whether the last ones are missing, once all have been walked."""
        loads = self._loads()
        if loads != self.count:
            yield f"had {loads} loads, but its last manifest is number {self.count}"

    def _rows(self) -> Iterator[Any]:
        books = self._model.manifest
        query = sa.select(books).where(books.c.table_name == self._model.bare).order_by(books.c.number)
        yield from self._connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings()

    def _loads(self) -> int | None:
        owner = self._model.owner
        query = sa.select(owner.c.loads).where(owner.c.table_name == self._model.bare)
        return self._connection.execute(query).scalar_one_or_none()

    def _gap(self, number: int) -> list[str]:
        return [] if number == self.count else [f"should be number {self.count}: manifests are missing"]

    @staticmethod
    def _chain(row: Any, before: str) -> list[str]:
        return [] if row["previous"] == before else ["does not carry the digest of the one before it"]

    def _text(self, row: Any) -> Iterator[str]:
        if hashlib.sha256(row["manifest"].encode()).hexdigest() != row["sha256"]:
            yield "was edited: its text is not what its digest is of"
        self.state = None
        try:
            manifest = parse(row["manifest"].encode(), f"number {row['number']} of {self._model.name}")
        except NexusDataError:
            manifest = None
        if manifest is None or manifest.state is None or manifest.load is None:
            yield "can't be read"
            return
        self.state = State.load(manifest.state)
        self.shapes.add(tuple(manifest.load.columns[_SYSTEM:]))
        stored = {name: value for name, value in manifest.load.dump().items() if name != "columns"}
        stored["previous"] = manifest.previous
        differing = [name for name, value in stored.items() if row.get(name) != value] + _other_moments(manifest, row)
        if differing:
            yield f"was edited: its text says something else than its columns {', '.join(differing)}"


def _other_moments(manifest: Manifest, row: Any) -> list[str]:
    """The columns of times for which the text has other ones."""
    start, end = (manifest.window.start, manifest.window.end) if manifest.window else ("", "")
    texts = {"window_start": start, "window_end": end, "read_at": manifest.read_at}
    return [name for name, text in texts.items() if text and (row[name] is None or to_wire(row[name]) != text)]


class _Rows:
    """The rows of a table.

    :param connection: on which they are read
    """

    def __init__(self, connection: Connection, model: Model, shapes: set[tuple[str, ...]]) -> None:
        self._connection, self._model = connection, model
        names = model.names[_SYSTEM:]
        known = [shape for shape in shapes if set(shape) <= set(names)]
        self._shapes = [(shape, [names.index(name) for name in shape]) for shape in sorted(known, key=len, reverse=True)]
        self._keys = _key_places(model)
        self.state = State()

    def problems(self, told: Callable[[int], object]) -> Iterator[str]:
        """Everything that is wrong with them.

        :param told: how many were looked at, every thousand
        """
        for is_current, key, stored, *kept in self._connection.execution_options(yield_per=_AT_ONCE).execute(self._query()):
            found = stored if self._fits(stored, kept) else content_of(kept)
            if found != stored:
                yield f"the row of key {key!r} was edited: its values are not what its _content is of"
            if not self._is_of(key, kept):
                yield f"the row of key {key!r} has a record of another key"
            self.state.versions.add(found)
            if is_current:
                self.state.current.add(found)
            if not self.state.versions.records % _AT_ONCE:
                told(self.state.versions.records)

    def _query(self) -> sa.Select[Any]:
        columns = self._model.data.c
        is_current = sa.case((current(self._model), 1), else_=0)
        return sa.select(
            is_current, columns["_key"], columns["_content"], *(columns[name] for name in self._model.names[_SYSTEM:])
        )

    def _is_of(self, key: str, kept: list[Any]) -> bool:
        """Whether a record's key is what it says itself; a record that is gone says nothing."""
        parts = [kept[place] for place in self._keys]
        return not any(parts) or key == "|".join(part or "" for part in parts)

    def _fits(self, stored: str, kept: list[Any]) -> bool:
        """Whether the values are those of the digest, be it one from before columns were added."""
        return any(
            content_of([kept[place] for place in places]) == stored
            for shape, places in self._shapes
            if len(shape) == len(kept) or self._rest_is_null(places, kept)
        )

    @staticmethod
    def _rest_is_null(places: list[int], kept: list[Any]) -> bool:
        return all(value is None for place, value in enumerate(kept) if place not in places)


def _key_places(model: Model) -> list[int]:
    """Where the parts of a key lie, if the table keeps each of them as it came."""
    columns = [model.source.by_path.get(name) for name in model.source.resource.key]
    if any(column is None or column.kind != "text" for column in columns):
        return []
    return [model.source.fields.index(column) + 1 for column in columns if column]
