"""Bookkeeping of the tables of a schema: whose each one is, the manifest of each load, and the records that did not fit.

All that is asked of ``nexus_table``, ``nexus_manifest`` and ``nexus_rejected``, and all that is written there, is here.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError, NexusDataError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import Reject, Sealed
from airflow_provider_nexus.load.manifest import NAME, Manifest, parse
from airflow_provider_nexus.load.members import decoded
from airflow_provider_nexus.load.rejects import digest_of
from airflow_provider_nexus.load.sql.errors import refuse_swallowed
from airflow_provider_nexus.load.sql.merge import SqlMerge
from airflow_provider_nexus.load.sql.name import BOOKS
from airflow_provider_nexus.load.sql.sessions import transaction
from airflow_provider_nexus.load.sql.tables import AT_ONCE, Model, tables_of_books

_log = logging.getLogger(__name__)
BACKUP = "take it back from a backup, or sync into a new table"
"""What to do about bookkeeping tables that somebody else has changed."""
_READ_WHOLE = ("created", "reread")
"""The feeds that read windows whole."""
_Stamp = Annotated[datetime, msgspec.Meta(tz=True)]


class Bookkeeping:
    """The rows of the three bookkeeping tables that are about one table, named as the database has it."""

    def __init__(self, connection: Connection, model: Model) -> None:
        self._connection, self._model = connection, model
        self.tables = tables_of_books(model.schema)
        """To be made where they are missing."""
        self._table, self._manifest, self._rejected = self.tables
        self._here = self._table.c.table_name == model.bare
        self._mine = self._manifest.c.table_name == model.bare

    def _has(self, table: sa.Table) -> bool:
        return sa.inspect(self._connection).has_table(table.name, schema=table.schema)

    @property
    def missing(self) -> str:
        """The first of the tables that are needed to check a copy, its own included, that is not there; empty when all are."""
        needed = (self._model.data, self._table, self._manifest)
        return next((table.name for table in needed if not self._has(table)), "")

    # Whose the table is.

    def owner(self) -> dict[str, Any] | None:
        """The table's row in ``nexus_table``; ``None`` when it has none, or there is no such table."""
        there = self._has(self._table)
        self._connection.rollback()
        if not there:
            return None
        with transaction(self._connection, begin="BEGIN"):
            found = self._connection.execute(sa.select(self._table).where(self._here)).mappings().one_or_none()
        return dict(found) if found else None

    def known_name(self) -> str:
        """The table's name as ``nexus_table`` has it, be it in another case."""
        names = self._connection.execute(sa.select(self._table.c.table_name)).scalars().all() if self._has(self._table) else ()
        return next((name for name in names if name.lower() == self._model.bare.lower()), self._model.bare)

    def refuse_other(self, belongs: Mapping[str, str], *, is_there: bool) -> None:
        """Make sure, before anything is made, that a table is what its row says, if it has one.

        :param belongs: resource, environment, base URL and output
        :param is_there: whether the table itself is there
        :raises NexusConfigurationError: when it contains something else, or is missing
        """
        owner = self.owner()
        if owner is None:
            return
        differing = [name for name, value in belongs.items() if owner[name] != value]
        if differing:
            lines = "; ".join(f"{name.replace('_', ' ')} {owner[name]!r}, not {belongs[name]!r}" for name in differing)
            raise NexusConfigurationError(
                f"Table {self._model.name} contains another copy: {lines}. Give this one a table of its own."
            )
        if owner["loads"] and not is_there:
            raise NexusConfigurationError(
                f"Table {self._model.name} is missing, and nexus_table names {owner['loads']} loads of it: take it back "
                "from a backup, or name a new one in table. To begin anew under this name, drop the view "
                f"{self._model.view} if it is there, and delete the rows of table_name {self._model.bare!r} from "
                f"{BOOKS[0]}, {BOOKS[1]} and {BOOKS[2]}"
            )

    def claim(self, belongs: Mapping[str, str]) -> None:
        """Enter a new table, or make sure that it is what its row says.

        :raises NexusConfigurationError: when the table contains something else
        """
        if self.owner() is None:
            self._enter(belongs)
        self.refuse_other(belongs, is_there=True)

    def _enter(self, belongs: Mapping[str, str]) -> None:
        with transaction(self._connection, begin="BEGIN"):
            query = sa.select(sa.literal(1)).select_from(self._model.data).limit(1)
            has_rows = self._connection.execute(query).first() is not None
        # Another load may have entered the table since, and its rows are no stranger's.
        if has_rows and self.owner() is None:
            raise NexusConfigurationError(
                f"Table {self._model.name} contains rows that no sync has brought: nexus_table does not name it. Empty it, "
                "take the bookkeeping tables back from the same backup, or name another table"
            )
        values = {"table_name": self._model.bare, **belongs, "records_view": "", "loads": 0, "windows": ""}
        try:
            with transaction(self._connection):
                self._connection.execute(sa.insert(self._table).values(values))
        except sa.exc.IntegrityError:
            # Another load was faster.
            _log.debug("Table %s was entered by another load.", self._model.name)

    def note_view(self) -> None:
        """Note that the view of the table's records is ours."""
        self._connection.execute(sa.update(self._table).where(self._here).values(records_view=self._model.view))

    # Its loads, on a connection in whose transaction they are locked.

    def lock(self) -> int:
        """Make other loads of the table wait; this load's number."""
        found = self._connection.execute(sa.update(self._table).where(self._here).values(loads=self._table.c.loads + 1)).rowcount
        number = self.loads()
        refuse_swallowed(self._table.name, "rows of this table", 1, found)
        return number or 0

    def loads(self) -> int | None:
        """How many loads changed the table."""
        return self._connection.execute(sa.select(self._table.c.loads).where(self._here)).scalar_one_or_none()

    def last(self, label: str = "") -> dict[str, Any] | None:
        """The columns of the last manifest, of the reading of a label if one is given."""
        query = sa.select(self._manifest).where(self._mine)
        if label:
            query = query.where(self._manifest.c.label == label)
        query = query.order_by(self._manifest.c.number.desc()).limit(1)
        found = self._connection.execute(query).mappings().one_or_none()
        return dict(found) if found else None

    def write(self, sealed: Sealed, merge: SqlMerge, previous: str, belongs: Mapping[str, str]) -> str:
        """Store the manifest of a load after the one of a digest, and what did not fit; the digest of the new one.

        :param belongs: resource, environment, base URL and output
        """
        # PostgreSQL's text takes no NUL: it is written as JSON would.
        rejects = [
            Reject(each.key.replace("\0", "\\u0000"), each.field.replace("\0", "\\u0000"), each.reason, each.raw)
            for each in sealed.rejects
        ]
        self._write_rejected(sealed, rejects)
        names, digest = list(self._model.names), digest_of(rejects)
        load = sealed.load(
            merge.number, belongs, table_name=self._model.bare, columns=names, repaired=merge.repaired, rejects=digest
        )
        state = merge.state.dump(is_history=self._model.is_history)
        manifest = replace(sealed.manifest, previous=previous, changes=merge.changes, state=state, load=load)
        encoded = msgspec.json.encode(manifest.dump(), enc_hook=str, order="sorted")
        text = msgspec.json.format(encoded, indent=1).decode()
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        start, end = (sealed.window.start, sealed.window.end) if sealed.window else (None, None)
        window = {"window_start": start, "window_end": end, "read_at": sealed.read_at}
        columns = {name: value for name, value in load.dump().items() if name in self._manifest.c}
        stored = columns | window | {"previous": previous, "sha256": sha256, "manifest": text}
        self._connection.execute(sa.insert(self._manifest).values(stored))
        query = sa.select(self._manifest).where(self._mine, self._manifest.c.number == merge.number)
        found = self._connection.execute(query).mappings().all()
        refuse_swallowed(self._manifest.name, "manifests", 1, sum(dict(row) == stored for row in found))
        self._note_windows(sealed, merge.number)
        return sha256

    def _note_windows(self, sealed: Sealed, number: int) -> None:
        readings = {("created", window.start, window.end): read_at for window, read_at in self.windows(number - 1)}
        if sealed.window and sealed.feed in _READ_WHOLE:
            reading = (sealed.feed, sealed.window.start, sealed.window.end)
            readings[reading] = max(sealed.read_at, readings.get(reading, sealed.read_at))
        last = last_readings((feed, Window(start, end), read_at) for (feed, start, end), read_at in readings.items())
        found = _Noted(number, [(window.start, window.end, read_at) for window, read_at in last])
        noted = msgspec.json.encode(found, enc_hook=datetime.isoformat)  # for those of pendulum
        self._connection.execute(sa.update(self._table).where(self._here).values(windows=noted.decode()))

    def _write_rejected(self, sealed: Sealed, rejects: list[Reject]) -> None:
        table = self._rejected
        mine = sa.and_(table.c.table_name == self._model.bare, table.c.label == sealed.label)
        self._connection.execute(sa.delete(table).where(mine))
        whose = {"table_name": self._model.bare, "label": sealed.label, "read_at": sealed.read_at}
        rows = [{**whose, "number": number, **asdict(each)} for number, each in enumerate(rejects, 1)]
        if rows:
            self._connection.execute(sa.insert(table), rows)
        found = self._connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one()
        refuse_swallowed(table.name, "records that were put aside", len(rows), found)

    # What readers ask.

    def manifest(self, row: Mapping[str, Any]) -> Manifest:
        """The manifest in a row of ``nexus_manifest``, with what a table's has: ``state`` and ``load``.

        :raises NexusContractError: when it can't be read
        """
        where = f"the manifest in nexus_manifest of load {row['number']} of table {self._model.name}"
        try:
            manifest = parse(row["manifest"].encode(), where)
        except NexusDataError as error:
            if error.field == "manifest_version":
                raise NexusContractError(f"{where} is of version {error.value!r}: upgrade the provider") from None
            flaw = "it is none" if error.field == NAME else f"its field {error.field!r}"
        else:
            if manifest.state and manifest.load:
                return manifest
            flaw = f"it has no {'load' if manifest.state else 'state'}"
        raise NexusContractError(f"{where} can't be read ({flaw}): it was edited; {BACKUP}")

    def manifests(self) -> Iterator[dict[str, Any]]:
        """The columns of each manifest, the first load first; none where there is no such table."""
        if self._has(self._manifest):
            query = sa.select(self._manifest).where(self._mine).order_by(self._manifest.c.number)
            yield from map(dict, self._connection.execution_options(yield_per=AT_ONCE).execute(query).mappings())

    def windows(self, loads: int | None = None) -> list[tuple[Window, datetime]]:
        """The windows read whole, each with the time of its last reading, oldest first; one that contains a window counts.

        :param loads: after how many loads, of which ``nexus_table`` has them; by default after all
        """
        row = self._connection.execute(sa.select(self._table.c.loads, self._table.c.windows).where(self._here)).one_or_none()
        noted, loads = decoded(row.windows, _Noted) if row else None, row.loads if row and loads is None else loads
        if noted and noted.loads == loads and all(start < end for start, end, _ in noted.windows):
            return [(Window(start, end), read_at) for start, end, read_at in noted.windows]
        if loads:
            _log.warning("Table %s: nexus_table has not the windows of its last load: all manifests are read", self._model.name)
        return self.windows_read()

    def windows_read(self) -> list[tuple[Window, datetime]]:
        """The same, by all manifests. One whose columns were edited so that they are no window is left to ``verify``."""
        columns = self._manifest.c
        what = (columns.feed, columns.window_start, columns.window_end)
        query = sa.select(*what, sa.func.max(columns.read_at)).where(self._mine, columns.feed.in_(_READ_WHOLE))
        rows = self._connection.execute(query.group_by(*what))
        return last_readings((feed, Window(start, end), at) for feed, start, end, at in rows if start and end and start < end)

    def rejected_labels(self) -> list[str]:
        """The readings with records that did not fit, the first one first."""
        if not self._has(self._rejected):
            return []
        columns = self._rejected.c
        query = sa.select(columns.label).where(columns.table_name == self._model.bare).group_by(columns.label)
        return list(self._connection.execute(query.order_by(sa.func.min(columns.read_at), columns.label)).scalars())

    def rejected_of(self, label: str) -> list[Reject]:
        """The records of a reading that did not fit."""
        columns = self._rejected.c
        query = sa.select(columns.key, columns.field, columns.reason, columns.raw)
        query = query.where(columns.table_name == self._model.bare, columns.label == label).order_by(columns.number)
        return [Reject(*row) for row in self._connection.execute(query)]

    def rejects_flaw(self, label: str, row: Mapping[str, Any]) -> str:
        """What is wrong with the records of a reading that did not fit; empty when nothing is.

        :param row: of the last manifest of the label; empty when it names none that did not fit
        """
        found, stated = self.rejected_of(label), row.get("rejected", 0)
        if len(found) != stated:
            return f"nexus_rejected has {len(found):,} records of {label}, and its last manifest says {stated:,}"
        try:
            load = self.manifest(row).load if found else None
        except NexusContractError:
            return f"nexus_rejected has records of {label}, and its last manifest, which they are compared with, can't be read"
        is_same = load is None or digest_of(found) == load.rejects
        return "" if is_same else f"nexus_rejected has other records of {label} than its last manifest says"

    def rejected_counts(self) -> dict[str, dict[tuple[str, str], int]]:
        """How many records of each label did not fit, by field and reason."""
        if not self._has(self._rejected):
            return {}
        columns = self._rejected.c
        what = (columns.label, columns.field, columns.reason)
        query = sa.select(*what, sa.func.count()).where(columns.table_name == self._model.bare).group_by(*what).order_by(*what)
        found: dict[str, dict[tuple[str, str], int]] = {}
        for label, name, reason, number in self._connection.execute(query):
            found.setdefault(label, {})[name, reason] = number
        return found


class _Noted(msgspec.Struct, frozen=True):
    """Windows as ``nexus_table`` has them after so many loads: start, end, and when each was read last."""

    loads: int
    windows: list[tuple[_Stamp, _Stamp, _Stamp]]


def last_readings(readings: Iterable[tuple[str, Window, datetime]]) -> list[tuple[Window, datetime]]:
    """The windows that were read by their creation, each with the last time that it, or one that contains it, was read.

    :param readings: feed, window and time of each, in any order; those that are found come oldest first
    """
    found, around = list[tuple[Window, datetime]](), list[tuple[datetime, datetime]]()
    # each comes after those that contain it, so that few are still open where one begins
    for feed, window, read_at in sorted(readings, key=lambda each: (each[1].start, -each[1].seconds, each[0] == "created")):
        around = [(end, at) for end, at in around if end > window.start]
        around.append((window.end, read_at))
        if feed == "created":
            found.append((window, max(at for end, at in around if end >= window.end)))
    return sorted(found, key=lambda each: (each[1], each[0].start))
