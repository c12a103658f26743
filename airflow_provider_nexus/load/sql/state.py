"""State of a table: count and digest of its rows, as the manifest of each load states them, and as a load finds them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.account import Digest
from airflow_provider_nexus.load.manifest import TableState
from airflow_provider_nexus.load.sql.tables import Model, current

AT_ONCE = 1000
"""Rows that are fetched at once, where all are looked at."""


@dataclass
class TableDigests:
    """Counts and digests of a table's rows.

    :param current: of its records as they are
    :param versions: of all rows of a history, those of deleted records included
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
    def load(cls, stored: TableState) -> TableDigests:
        """What was dumped."""
        versions = Digest.of(stored.versions or 0, stored.versions_digest) if stored.versions_digest else Digest()
        return cls(Digest.of(stored.records, stored.digest), versions)


def counted(connection: Connection, model: Model) -> Digest:
    """The records as they are, counted anew by their digests. Their values are not looked at."""
    found = Digest()
    query = sa.select(model.data.c["_content"]).where(current(model))
    for content in connection.execute(query, execution_options={"yield_per": AT_ONCE}).scalars():
        count(found, content)
    return found


def count(digest: Digest, content: str, sign: int = 1) -> None:
    """Count a row by its digest, or with ``sign=-1`` take it away; what somebody else has put there may be no digest."""
    try:
        digest.add(content, sign)
    except ValueError:
        digest.add_text(content.encode(), sign)


class Ground:
    """What has been read before.

    :param spans: of time, in order; none meets another
    """

    def __init__(self, spans: Sequence[Window]) -> None:
        self._spans, self._starts = spans, [each.start for each in spans]

    def has(self, created: datetime | None) -> bool:
        """Whether a record would have been read, had it been there. One without a time of creation may have been anywhere."""
        place = bisect_right(self._starts, created) - 1 if created else len(self._spans) - 1
        return place >= 0 and (created is None or created < self._spans[place].end)


@dataclass
class Doubts:
    """What a load has changed that may be repairs: of rows that somebody else has deleted, added or changed.

    A row that was deleted by hand comes like a new record, and one that was added by hand goes like a deleted one. The state
    of the table before the load shows which they are: its digest is that of the rows that loads have brought.

    :param returned: rows that were inserted on ground that had been read before
    :param state: what to add to the state if these, and all deletions, are repairs
    :param updated: what to add to it if all updates are repairs as well
    """

    returned: int = 0
    state: Digest = field(default_factory=Digest)
    updated: Digest = field(default_factory=Digest)
