"""Check of a table: whether it contains what its last load left in it, every value, and its manifests are whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.progress import Follow, unheard
from airflow_provider_nexus.load.account import TableDigests
from airflow_provider_nexus.load.columns import DIGESTED
from airflow_provider_nexus.load.copy import Checked
from airflow_provider_nexus.load.manifest import digest_of, parse
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.tables import AT_ONCE, WITHOUT_WINDOW, Model, current


def check(connection: Connection, model: Model, follow: Follow = unheard) -> Checked:
    """Look at every manifest and every row; ``follow`` is called with the number of rows that were looked at."""
    manifests, problems = ManifestCheck(Bookkeeping(connection, model), model), list[str]()
    for row, flaws in manifests.walk():
        problems += [f"manifest {row['number']} of table {model.name} {flaw}" for flaw in flaws]
    problems += [f"table {model.name} {flaw}" for flaw in manifests.lost()]
    stored = manifests.state
    found, total = TableDigests(), stored.versions.records if stored else None
    lines = list(_row_problems(connection, model, manifests.shapes, found, lambda seen: follow(seen, total)))
    lines += [(line, False) for line in _of_no_load(connection, model, manifests)]
    follow(found.versions.records, total)
    if stored is not None:
        lines += _differences(found, stored, model)
    named = [(f"table {model.name}: {line}", is_current) for line, is_current in lines]
    of_rows = frozenset(line for line, is_current in named if is_current)
    every = (*problems, *(line for line, _ in named))
    return Checked(every, found.versions.records, manifests.count, of_rows=of_rows)


def _differences(found: TableDigests, stored: TableDigests, model: Model) -> Iterator[tuple[str, bool]]:
    pairs = [("records", found.current, stored.current)]
    if model.is_history:
        pairs.append(("versions", found.versions, stored.versions))
    for what, here, then in pairs:
        if here.records != then.records:
            yield f"has {here.records} {what}, but {then.records} after its last load", what == "records"
        elif here.total != then.total:
            yield f"has other {what} than after its last load: their digest differs", what == "records"


class ManifestCheck:
    """The manifests of a table in its books, each against its digest, its columns and the one before."""

    def __init__(self, books: Bookkeeping, model: Model) -> None:
        self._books, self._name = books, model.name
        self.count = 0
        self.latest: datetime | None = None
        """When the last reading began."""
        self.state: TableDigests | None = TableDigests()
        """What the table contains by its last manifest; ``None`` when that can't be read."""
        self.shapes: set[tuple[str, ...]] = {model.names[DIGESTED:]}
        """The columns that rows were made of, by the loads that made them."""

    def walk(self) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """The columns of each, the first load first, and what is wrong with it."""
        before = ""
        for row in self._books.manifests():
            self.count += 1
            flaws = []
            if row["number"] != self.count:
                flaws.append(f"should be number {self.count}: manifests are missing")
            elif row["previous"] != before:
                flaws.append("does not carry the digest of the one before it")
            yield row, [*flaws, *self.flaws(row)]
            self.count, before = row["number"], row["sha256"]
            self.latest = max(filter(None, (self.latest, row["read_at"])), default=None)

    def lost(self) -> Iterator[str]:
        """Whether the last ones are missing, once all have been walked."""
        loads = self._books.loads()
        if loads != self.count:
            yield f"had {loads} loads, but its last manifest is number {self.count}"

    def flaws(self, row: dict[str, Any]) -> Iterator[str]:
        """What is wrong with the text of one, and with the columns beside it."""
        if digest_of(row["manifest"].encode()) != row["sha256"]:
            yield "was edited: its text is not what its digest is of"
        self.state = None
        try:
            manifest = parse(row["manifest"].encode(), f"number {row['number']} of {self._name}")
        except NexusDataError as error:
            if error.field == "manifest_version":
                yield f"can't be read, as it is of version {error.value!r}: upgrade the provider"
                return
            manifest = None
        if manifest is None or manifest.state is None or manifest.load is None:
            yield "can't be read"
            return
        self.state = TableDigests.load(manifest.state)
        self.shapes.add(tuple(manifest.load.columns[DIGESTED:]))
        columns = manifest.load.dump() | {"previous": manifest.previous}
        differing = [name for name, value in columns.items() if name in row and row[name] != value]
        start, end = (manifest.window.start, manifest.window.end) if manifest.window else ("", "")
        times = {"window_start": start, "window_end": end, "read_at": manifest.read_at}
        differing += [name for name, text in times.items() if text and (row[name] is None or to_wire(row[name]) != text)]
        if differing:
            yield f"was edited: its text says something else than its columns {', '.join(differing)}"


def _of_no_load(connection: Connection, model: Model, manifests: ManifestCheck) -> Iterator[str]:
    """Rows that no load can have written as they are. No newer version takes the place of one that claims to be later."""
    columns, after = model.data.c, manifests.latest
    marks = {"_read_at": columns["_read_at"] > after} if after else {}
    if model.is_history:
        marks["_load"] = sa.or_(columns["_load"] > manifests.count, columns["_load"] < 1)
    for name, is_wrong in marks.items():
        for key in connection.execute(sa.select(columns["_key"]).where(is_wrong).order_by(columns["_key"])).scalars():
            hint = "set it right, or delete the row and sync its window again"
            yield f"the row of key {key!r} was edited: its {name} is of no load, so no newer version replaces it: {hint}"
    if created := model.source.created:
        in_no_window = sa.select(columns["_key"]).where(columns[created].is_(None), current(model)).order_by(columns["_key"])
        for key in connection.execute(in_no_window).scalars():
            yield f"the row of key {key!r} is in no window, as it has no {created}: {WITHOUT_WINDOW}"


def _row_problems(
    connection: Connection, model: Model, shapes: set[tuple[str, ...]], state: TableDigests, seen: Callable[[int], object]
) -> Iterator[tuple[str, bool]]:
    """Everything that is wrong with the rows of a table, each against its digest, and whether it is of a record as it is now.

    :param shapes: the columns that rows may have been made of
    :param state: counts them
    :param seen: called with how many were looked at, every thousand
    """
    names = model.names[DIGESTED:]
    known = sorted((shape for shape in shapes if set(shape) <= set(names)), key=len, reverse=True)
    places = [[names.index(name) for name in shape] for shape in known]
    columns, of_key = model.data.c, _key_places(model)
    is_current = sa.case((current(model), 1), else_=0)
    query = sa.select(is_current, *(columns[name] for name in ("_key", "_content", *names)))
    for is_now, key, stored, *values in connection.execution_options(yield_per=AT_ONCE).execute(query):
        found = stored if any(_fits(stored, values, each) for each in places) else content_of(values)
        if found != stored:
            yield f"the row of key {key!r} was edited: its values are not what its _content is of", bool(is_now)
        parts = [values[place] for place in of_key]
        # The version of a deleted record has no values.
        if any(parts) and key != "|".join(part or "" for part in parts):
            yield f"the row of key {key!r} has a record of another key", bool(is_now)
        state.versions.add(found)
        if is_now:
            state.current.add(found)
        if not state.versions.records % AT_ONCE:
            seen(state.versions.records)


def _fits(stored: str, values: list[Any], places: list[int]) -> bool:
    """Whether the values are those of a digest that may be from before columns were added, which are null then."""
    if len(places) < len(values) and not all(value is None or place in places for place, value in enumerate(values)):
        return False
    return content_of([values[place] for place in places]) == stored


def _key_places(model: Model) -> list[int]:
    """The indexes of the parts of a key, if the table has each of them as it came."""
    columns = [model.source.by_path.get(name) for name in model.source.resource.key]
    if any(column is None or column.kind != "text" for column in columns):
        return []
    return [model.source.fields.index(column) + 1 for column in columns if column]
