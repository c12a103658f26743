"""Upsert: the rows of a reading are merged into the table, in statements that every database has and plans alike.

The rows are taken in pieces by key, and what the table contains of them is looked up by primary key. The cost of two statements
depends on how large the table is: of the one that looks for deleted records, and of the one that counts the table anew where
rows came back or went that had been read before.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import Digest, TableDigests
from airflow_provider_nexus.load.columns import DIGESTED
from airflow_provider_nexus.load.copy import Sealed, warn_outdated
from airflow_provider_nexus.load.manifest import ChangeCounts
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.sql.errors import refuse_swallowed
from airflow_provider_nexus.load.sql.tables import AT_ONCE, Model, current
from airflow_provider_nexus.load.sql.types import JsonType, MoneyType, TimeType

_VERSION = ("_key", "_content", "_read_at", "_read_by")
"""The columns that tell versions of a record apart."""
_log = logging.getLogger(__name__)


class Ground:
    """The spans of time that have been read before, in order; none meets another."""

    def __init__(self, spans: Sequence[Window]) -> None:
        self._spans, self._starts = spans, [each.start for each in spans]

    def has(self, created: datetime | None) -> bool:
        """Whether a record would have been read, had it been there. One without a time of creation may have been anywhere."""
        place = bisect_right(self._starts, created) - 1 if created else len(self._spans) - 1
        return place >= 0 and (created is None or created < self._spans[place].end)


@dataclass
class SqlMerge:
    """One load's changes.

    :param staged: the table of the rows that were read
    :param number: of the load
    :param state: of the table before, brought up to date here
    :param ground: what had been read before
    :param batch: rows in one statement
    :ivar repaired: how many of these rows put right what somebody else had changed, deleted or added
    :ivar outdated: rows that came and are stored in another version, which was read later and stays
    """

    connection: Connection
    model: Model
    staged: sa.Table
    number: int
    state: TableDigests
    ground: Ground
    batch: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    repaired: int = 0
    outdated: int = 0
    _unchanged: int = 0
    _returned: int = 0
    """Rows that were inserted on ground that had been read before."""
    _doubtful: Digest = field(default_factory=Digest)
    """What to add to the state if these, and all deletions, are repairs."""
    _rewritten: Digest = field(default_factory=Digest)
    """What to add to it if all updates are repairs as well."""

    def upsert(self) -> None:
        """Insert what is new, and replace what was read in another version.

        :raises NexusContractError: when the table does not store it as it is
        """
        key, created, restored = self.staged.c["_key"], self.model.source.created, 0
        unseen_of = sa.select(key, self.staged.c["_content"], self.staged.c[created] if created else sa.null())
        unseen_of = unseen_of.where(~sa.exists().where(self.model.data.c["_key"] == key))
        for piece in self._pieces():
            unseen = self.connection.execute(unseen_of.where(piece)).all()
            is_all_new = len(unseen) == self.batch
            known = [] if is_all_new else self.connection.execute(self._known.where(piece)).all()
            # They have the digest of what came, and other values.
            damaged = [row for row in known if row.stored == row.content and not (row.is_same or row.is_deleted)]
            self._restore(damaged)
            restored += len(damaged)
            self.outdated += sum(row.stored != row.content and row.stored_at > row.read_at for row in known)
            self._unchanged += sum(row.is_unchanged for row in known)
            changed = [row for row in known if row.stored != row.content or row.is_deleted]
            newer = [row for row in changed if row.stored_at <= row.read_at]
            old = [row for row in newer if not row.is_deleted]
            new = [*unseen, *((row.its_key, row.content, row.created) for row in newer if row.is_deleted)]
            self.state.current.add_stored((row.stored for row in old), -1)
            replaced, added = [row.its_key for row in old], [row[0] for row in new]
            if self.model.is_history:
                added += replaced
            elif replaced:
                self._replace(replaced)
            if is_all_new:  # and needs no list of keys
                self._insert(piece)
            elif added:
                self._insert(key.in_(added))
            self._count(old, new)
        if self.inserted or self.updated:
            self._confirm()
        self.updated += restored
        self.repaired = restored
        if self.outdated:
            warn_outdated(f"Table {self.model.name}", self.outdated)

    def delete(self, scope: Window, sealed: Sealed) -> None:
        """Take away what lies in a scope and was not read; what was read and did not fit stays as it was.

        :raises NexusConfigurationError: when the scope is a span of time and the records have no creation stamp
        :raises NexusContractError: when the table does not do so
        """
        rejected = {reject.key for reject in sealed.rejects}
        unread = [row for row in self._unread(scope, sealed) if row["_key"] not in rejected]
        for start in range(0, len(unread), self.batch):
            self._delete(unread[start : start + self.batch], sealed)
        self._doubtful.add_stored(row["_content"] for row in unread)
        self.deleted += len(unread)

    def settle(self, sealed: Sealed, scope: Window | None, *, is_rerun: bool) -> None:
        """Find out which changes were repairs, and make the state that of a table which nobody else has changed.

        A row that somebody else has deleted comes like a new record, and one that was added by hand goes like a deleted one. So
        the table is counted anew: is it not what the state makes it, whose digest is that of the rows that loads have brought,
        then rows that came back to where all had been read, or that went, put right what somebody has done.

        :param is_rerun: whether the last reading of this label has brought the same, so that updates may be repairs too
        """
        changes = self.updated - self.repaired if is_rerun else 0
        if not (self._returned or self.deleted or changes or scope == ALL_TIME):
            return
        found, expected = self._counted(), self.state.current
        if found == expected:
            return
        self.state.current = repaired = expected.plus(self._doubtful)
        self.repaired += self._returned + self.deleted
        if found == repaired:
            return
        if found == repaired.plus(self._rewritten):
            self.repaired += self.updated - self.repaired
        if found == repaired.plus(self._rewritten) or (scope == ALL_TIME and found == sealed.account.contents):
            self.state.current = found
            return
        _log.warning(
            "Table %s is not what its loads have brought, and this reading puts right no more than a part of it: %s",
            self.model.name,
            "airflow nexus verify names what to sync again",
        )

    def _counted(self) -> Digest:
        """The records as they are, counted anew by their digests. Their values are not looked at."""
        found, query = Digest(), sa.select(self.model.data.c["_content"]).where(current(self.model))
        found.add_stored(self.connection.execute(query, execution_options={"yield_per": AT_ONCE}).scalars())
        return found

    @property
    def changes(self) -> ChangeCounts:
        """How many records were inserted, updated and deleted."""
        return ChangeCounts(inserted=self.inserted, updated=self.updated, deleted=self.deleted)

    def _pieces(self) -> Iterator[sa.ColumnElement[bool]]:
        """Conditions that divide the rows that were read by their keys."""
        key, after = self.staged.c["_key"], sa.true()
        # In one pass: PostgreSQL, which knows nothing of a temporary table, would sort all of it to find each next key.
        numbered = sa.select(key, sa.func.row_number().over(order_by=key).label("place")).subquery()
        ends = sa.select(numbered.c["_key"]).where(numbered.c.place % self.batch == 0).order_by(numbered.c["_key"])
        for end in self.connection.execute(ends).scalars().all():
            yield sa.and_(after, key <= end)
            after = key > end
        yield after

    @cached_property
    def _known(self) -> sa.Select[Any]:
        """The rows that are stored otherwise than they were read, or by this very reading, each beside its newest version."""
        data, staged, created = self.model.data, self.staged, self.model.source.created
        of_both = staged.c["_key"] == data.c["_key"]
        if self.model.is_history:
            # Found by key and number, as a database may look through the whole table for what has no newer one.
            newest = data.alias()
            last = sa.select(sa.func.max(newest.c["_load"])).where(newest.c["_key"] == staged.c["_key"])
            of_both = sa.and_(of_both, data.c["_load"] == last.scalar_subquery())
        is_same = sa.and_(*(self._is_stored(name) for name in self.model.names[DIGESTED:]))
        is_unchanged = sa.and_(*(self._is_stored(name) for name in _VERSION))
        is_deleted = data.c["_deleted"] if self.model.is_history else sa.false()
        flags = {"is_same": is_same, "is_unchanged": is_unchanged, "is_deleted": is_deleted}
        query = sa.select(
            staged.c["_key"].label("its_key"),
            staged.c["_content"].label("content"),
            staged.c["_read_at"].label("read_at"),
            (staged.c[created] if created else sa.null()).label("created"),
            data.c["_content"].label("stored"),
            data.c["_read_at"].label("stored_at"),
            (data.c["_load"] if self.model.is_history else sa.null()).label("load"),
            *(sa.case((condition, 1), else_=0).label(name) for name, condition in flags.items()),
        )
        is_other = sa.or_(~is_same, ~self._is_stored("_content"), is_unchanged, is_deleted)
        return query.select_from(staged.join(data, of_both)).where(is_other)

    def _insert(self, where: sa.ColumnElement[bool]) -> None:
        """Insert rows that were read."""
        extra = {"_load": sa.literal(self.number, sa.BigInteger), "_deleted": sa.false()} if self.model.is_history else {}
        query = sa.select(*(self.staged.c[name] for name in self.model.names), *extra.values()).where(where)
        names = [*self.model.names, *extra]
        self.connection.execute(sa.insert(self.model.data).from_select(names, query, include_defaults=False))

    def _replace(self, keys: Sequence[str]) -> None:
        """Write rows that were read in the place of other versions. Columns that somebody has added keep their values."""
        data, staged = self.model.data, self.staged
        values = {data.c[name]: staged.c[name] for name in self.model.names if name != "_key"}
        update = sa.update(data).values(values).where(data.c["_key"] == staged.c["_key"], data.c["_key"].in_(keys))
        refuse_swallowed(self.model.name, "rows to be replaced", len(keys), self.connection.execute(update).rowcount)

    def _count(self, replacing: Sequence[sa.Row[Any]], new: Sequence[tuple[str, str, datetime | None]]) -> None:
        """Bring the state up to date with rows in the place of others, and with key, digest and creation of each other one."""
        self._rewritten.add_stored((row.content for row in replacing), -1)
        self._rewritten.add_stored(row.stored for row in replacing)
        returned = [bytes.fromhex(content) for _, content, created in new if self.ground.has(created)]
        self._returned += len(returned)
        self._doubtful.add_all(returned, -1)
        contents = list(map(bytes.fromhex, [*(row.content for row in replacing), *(content for _, content, _ in new)]))
        self.state.current.add_all(contents)
        self.state.versions.add_all(contents)
        self.updated += len(replacing)
        self.inserted += len(new)

    def _restore(self, damaged: Sequence[sa.Row[Any]]) -> None:
        """Write the values of rows again that are not what their digest is of; the version, and when it was read, stay."""
        if not damaged:
            return
        columns, loads = self.model.data.c, {row.its_key: row.load for row in damaged}
        key, values = self.staged.c["_key"], [self.staged.c[name] for name in self.model.names[DIGESTED:]]
        came = self.connection.execute(sa.select(key.label("its_key"), *values).where(key.in_(loads))).mappings()
        rows = [{"its_load": loads[row["its_key"]], **row} for row in came]
        update = sa.update(self.model.data).where(columns["_key"] == sa.bindparam("its_key"))
        if self.model.is_history:
            update = update.where(columns["_load"] == sa.bindparam("its_load"))
        self.connection.execute(update, rows)
        missing = sum(not row.is_same for row in self.connection.execute(self._known.where(key.in_(loads))))
        refuse_swallowed(self.model.name, "rows to be put right", len(damaged), len(damaged) - missing)

    def _confirm(self) -> None:
        """Make sure that what was brought lies there, value by value: a trigger can swallow or change it without an error."""
        data, staged = self.model.data, self.staged
        query = sa.select(sa.func.count()).select_from(staged.join(data, staged.c["_key"] == data.c["_key"]))
        query = query.where(*(self._is_stored(name) for name in self.model.names if name != "_key"))
        wanted = self.inserted + self.updated
        if self.model.is_history:
            query = query.where(data.c["_load"] == self.number, sa.not_(data.c["_deleted"]))
        else:
            wanted += self._unchanged
        refuse_swallowed(self.model.name, "rows", wanted, self.connection.execute(query).scalar_one())

    def _is_stored(self, name: str) -> sa.ColumnElement[bool]:
        stored: sa.ColumnElement[Any] = self.model.data.c[name]
        staged: sa.ColumnElement[Any] = self.staged.c[name]
        if self.connection.dialect.name == "postgresql":
            # The table may have text for them, which PostgreSQL compares with text alone; and JSON with nothing.
            if isinstance(stored.type, JsonType):
                stored, staged = sa.cast(stored, sa.Text), sa.cast(staged, sa.Text)
            elif isinstance(stored.type, MoneyType | TimeType):
                kind = sa.Numeric() if isinstance(stored.type, MoneyType) else sa.DateTime(timezone=True)
                stored = sa.cast(stored, kind)
        return stored.is_not_distinct_from(staged)

    def _unread(self, scope: Window, sealed: Sealed) -> Sequence[sa.RowMapping]:
        table, staged, created = self.model.data, self.staged, self.model.source.created
        columns = [table.c[name] for name in ("_key", "_content", created) if name]
        query = sa.select(*columns).select_from(table.outerjoin(staged, table.c["_key"] == staged.c["_key"]))
        query = query.where(staged.c["_key"].is_(None), table.c["_read_at"] <= sealed.read_at, current(self.model))
        if scope == ALL_TIME:
            return self.connection.execute(query).mappings().all()
        if not created:
            name = self.model.source.resource.name
            raise NexusConfigurationError(f"Records of {name} have no creation stamp: no span of time is the whole of anything")
        query = query.where(table.c[created] >= scope.start, table.c[created] < scope.end)
        return self.connection.execute(query).mappings().all()

    def _delete(self, rows: Sequence[sa.RowMapping], sealed: Sealed) -> None:
        self.state.current.add_stored((row["_content"] for row in rows), -1)
        columns, keys = self.model.data.c, [row["_key"] for row in rows]
        if not self.model.is_history:
            found = self.connection.execute(sa.delete(self.model.data).where(columns["_key"].in_(keys))).rowcount
            refuse_swallowed(self.model.name, "rows to be taken away", len(rows), found)
        query = sa.select(sa.func.count()).where(columns["_key"].in_(keys))
        wanted = 0
        if self.model.is_history:
            # The version that states that a record was deleted: nothing but its key and when it was created.
            created, empty = self.model.source.created, dict.fromkeys(self.model.names)
            origin = {"_read_at": sealed.read_at, "_read_by": sealed.label, "_load": self.number, "_deleted": True}
            tombstones = list[dict[str, Any]]()
            for row in rows:
                values = empty | ({created: row[created]} if created else {})
                content = content_of([values[name] for name in self.model.names[DIGESTED:]])
                tombstones.append({**values, **origin, "_key": row["_key"], "_content": content})
                self.state.versions.add(content)
            self.connection.execute(sa.insert(self.model.data), tombstones)
            query = query.where(columns["_load"] == self.number, columns["_deleted"])
            wanted = len(rows)
        refuse_swallowed(self.model.name, "rows of deleted records", wanted, self.connection.execute(query).scalar_one())
