"""Tries the records again that lie in ``nexus_rejected`` beside a table. Nexus is not asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.load.copy import Reject, Row, Sealed
from airflow_provider_nexus.load.rows import Conformer
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.sessions import reading
from airflow_provider_nexus.load.totals import Amounts, Sum
from airflow_provider_nexus.replay.outcome import Replayed, Sorted, sort_typed
from airflow_provider_nexus.verify.tables import StoredTable

_ADDED = ("load", "previous", "state")
"""Members of a manifest that the copy itself adds."""


def replay_table(stored: StoredTable, follow: Follow = unheard) -> list[Replayed]:
    """Bring records that were put aside into the table, as far as they fit by now.

    Each reading that had such records is loaded once more, as what it would have been with the catalogue of now, in one
    transaction with what is then left of them. A second time changes nothing. A version read later is never replaced.

    :param follow: told how many readings were tried
    :return: one for each reading that has records put aside
    :raises NexusContractError: when the table's columns can't take the records
    :raises NexusStorageError: when the database fails, or the books lack the reading
    """
    labels, done = _labels(stored), list[Replayed]()
    steps = Steps(len(labels), follow)
    for label in labels:
        done.append(_replay(stored, label))
        steps.add()
    return done


def _labels(stored: StoredTable) -> list[str]:
    books = stored.model.rejected
    with failing("read", stored.model.name), reading(stored.engine) as connection:
        if not sa.inspect(connection).has_table(books.name, schema=books.schema):
            return []
        mine = books.c.table_name == stored.model.bare
        query = sa.select(books.c.label).where(mine).group_by(books.c.label).order_by(sa.func.min(books.c.read_at), books.c.label)
        return list(connection.execute(query).scalars())


def _replay(stored: StoredTable, label: str) -> Replayed:
    reading, put_aside = _reading(stored, label), _put_aside(stored, label)
    told = json.loads(reading["manifest"])
    origin = Origin(reading["read_at"], told["read_by"])
    tried = sort_typed(RowReader(stored.resource), Conformer(stored.resource), put_aside, origin)
    if tried.fitting:
        sealed = _sealed(stored, reading, told, tried)
        stored.copy.apply(iter(tried.rows), None, lambda: sealed)
    return tried.told(f"{stored.model.name}, {label}")


def _reading(stored: StoredTable, label: str) -> dict[str, Any]:
    """The last manifest of a reading."""
    books = stored.model.manifest
    query = sa.select(books).where(books.c.table_name == stored.model.bare, books.c.label == label)
    with failing("read", stored.model.name), reading(stored.engine) as connection:
        found = connection.execute(query.order_by(books.c.number.desc()).limit(1)).mappings().one_or_none()
    if found is None:
        raise NexusStorageError(f"{stored.model.name} has no manifest of {label}: its books were changed, sync that window again")
    return dict(found)


def _put_aside(stored: StoredTable, label: str) -> list[Reject]:
    books = stored.model.rejected.c
    query = sa.select(books.key, books.field, books.reason, books.raw)
    query = query.where(books.table_name == stored.model.bare, books.label == label).order_by(books.number)
    with failing("read", stored.model.name), reading(stored.engine) as connection:
        return [Reject(*row) for row in connection.execute(query)]


def _sealed(stored: StoredTable, reading: dict[str, Any], told: dict[str, Any], tried: Sorted[Row]) -> Sealed:
    start: datetime | None = reading["window_start"]
    end: datetime | None = reading["window_end"]
    return Sealed(
        label=reading["label"],
        feed=reading["feed"],
        read_at=reading["read_at"],
        start=start,
        end=end,
        verdict=reading["verdict"],
        records=reading["records"] + len(tried.fitting),
        content=_content(reading["content"], tried),
        manifest={**{name: value for name, value in told.items() if name not in _ADDED}, **_members(stored, told, tried.rows)},
        rejects=tried.left,
    )


def _content(before: str, tried: Sorted[Row]) -> str:
    """The digest that the reading has when its records fit, so that a rerun that brings the same changes nothing."""
    content = Sum.of(0, before)
    for reject, row in tried.fitting:
        content.add(hashlib.sha256(reject.raw.encode()).hexdigest(), -1)
        content.add(row[3])
    return content.digest


def _members(stored: StoredTable, told: dict[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    keys, amounts = Sum.of(told["records"], told["key_digest"]), Amounts(stored.model.source, told["sums"])
    for row in rows:
        keys.add(hashlib.sha256(row[0].encode()).hexdigest())
        amounts.add(row)
    return {"records": keys.records, "key_digest": keys.digest, "sums": amounts.dump()}
