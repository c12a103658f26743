"""The books of a copy: what each load was of, chained by digests, and what did not fit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy import Connection

from airflow_provider_nexus.extract.account import Digest
from airflow_provider_nexus.load.copy import Sealed
from airflow_provider_nexus.load.manifest import ChangeCounts, TableLoad, TableState, parse
from airflow_provider_nexus.load.sql.errors import refuse_swallowed
from airflow_provider_nexus.load.sql.tables import Model


@dataclass
class State:
    """What a table holds.

    :param current: its records as they are
    :param versions: all rows of a history, those of records that are gone included
    """

    current: Digest = field(default_factory=Digest)
    versions: Digest = field(default_factory=Digest)

    def dump(self, *, is_history: bool) -> TableState:
        """The member of the manifest."""
        return TableState(
            records=self.current.records,
            digest=self.current.digest,
            versions=self.versions.records if is_history else None,
            versions_digest=self.versions.digest if is_history else None,
        )

    @classmethod
    def load(cls, stored: TableState) -> State:
        """What was dumped."""
        versions = Digest.of(stored.versions or 0, stored.versions_digest) if stored.versions_digest else Digest()
        return cls(Digest.of(stored.records, stored.digest), versions)


@dataclass
class Ledger:
    """The books of one table, on a connection whose transaction holds their lock.

    :param belongs: resource, environment, base URL and output
    """

    connection: Connection
    model: Model
    belongs: dict[str, str]

    def lock(self) -> int:
        """Make other loads of this table wait.

        :returns: this load's number
        """
        owner = self.model.owner
        here = owner.c.table_name == self.model.bare
        values = {"loads": owner.c.loads + 1, "fingerprint": self.model.fingerprint}
        found = self.connection.execute(sa.update(owner).where(here).values(values)).rowcount
        number: int = self.connection.execute(sa.select(owner.c.loads).where(here)).scalar_one()
        refuse_swallowed(owner.name, "rows of this table", 1, found)
        return number

    def last(self) -> tuple[State, str]:
        """What the table held after its last load, and the digest of that load's manifest; nothing before the first."""
        books = self.model.manifest
        query = sa.select(books.c.manifest, books.c.sha256).where(books.c.table_name == self.model.bare)
        found = self.connection.execute(query.order_by(books.c.number.desc()).limit(1)).one_or_none()
        if found is None:
            return State(), ""
        manifest = parse(found[0].encode(), f"the last one of {self.model.name}")
        return State.load(manifest.state) if manifest.state else State(), str(found[1])

    def same(self, sealed: Sealed) -> str:
        """The digest of the label's last manifest if it is of the same reading, else nothing."""
        books = self.model.manifest
        query = sa.select(books.c.content, books.c.verdict, books.c.sha256).where(books.c.table_name == self.model.bare)
        latest = query.where(books.c.label == sealed.label).order_by(books.c.number.desc()).limit(1)
        found = self.connection.execute(latest).one_or_none()
        return str(found[2]) if found and (found[0], found[1]) == (sealed.content, sealed.verdict) else ""

    def write(self, sealed: Sealed, number: int, previous: str, state: State, changes: ChangeCounts) -> str:
        """Store a load's manifest and what did not fit.

        :param changes: what it changed in the copy
        :returns: the manifest's digest
        """
        self._reject(sealed)
        columns = self._columns(sealed, number)
        kept = {name: value for name, value in columns.items() if not name.startswith(("window_", "read_at"))}
        manifest = replace(
            sealed.manifest,
            previous=previous,
            changes=changes,
            state=state.dump(is_history=self.model.is_history),
            load=TableLoad(**kept, columns=list(self.model.names)),
        )
        text = json.dumps(manifest.dump(), indent=1, sort_keys=True, ensure_ascii=False, default=str)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        stored = columns | {"previous": previous, "sha256": sha256, "manifest": text}
        self.connection.execute(sa.insert(self.model.manifest).values(stored))
        books = self.model.manifest
        mine = sa.and_(books.c.table_name == self.model.bare, books.c.number == number)
        found = self.connection.execute(sa.select(books).where(mine)).mappings().all()
        refuse_swallowed(books.name, "manifests", 1, sum(dict(row) == stored for row in found))
        return sha256

    def _columns(self, sealed: Sealed, number: int) -> dict[str, Any]:
        whose = {name: value for name, value in self.belongs.items() if name != "output"}
        window = sealed.window
        times = {"window_start": window and window.start, "window_end": window and window.end, "read_at": sealed.read_at}
        result = {"verdict": sealed.verdict, "records": sealed.records, "rejected": len(sealed.rejects)}
        names = {"feed": sealed.feed, "label": sealed.label, "content": sealed.content}
        return {"table_name": self.model.bare, "number": number, **whose, **names, **times, **result}

    def _reject(self, sealed: Sealed) -> None:
        books = self.model.rejected
        mine = sa.and_(books.c.table_name == self.model.bare, books.c.label == sealed.label)
        self.connection.execute(sa.delete(books).where(mine))
        whose = {"table_name": self.model.bare, "label": sealed.label, "read_at": sealed.read_at}
        rows = [
            {
                **whose,
                "number": number,
                "key": _kept(each.key),
                "field": _kept(each.field),
                "reason": each.reason,
                "raw": each.raw,
            }
            for number, each in enumerate(sealed.rejects, 1)
        ]
        if rows:
            self.connection.execute(sa.insert(books), rows)
        found = self.connection.execute(sa.select(sa.func.count()).select_from(books).where(mine)).scalar_one()
        refuse_swallowed(books.name, "records that were put aside", len(rows), found)


def _kept(text: str) -> str:
    """Text as PostgreSQL can keep it, which takes no NUL: written as JSON would."""
    return text.replace("\0", "\\u0000")
