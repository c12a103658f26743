"""The records of a table as they are now: which rows they are, those that are unsettled, their counts and exact sums."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.totals import Totals, group_of
from airflow_provider_nexus.load.columns import UnsettledRule
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.load.totals import Grouping


def latest(model: Model) -> sa.ColumnElement[bool]:
    """Of a history: the newest version of each record, that of a deleted one included. Of any other table: every row."""
    if not model.is_history:
        return sa.true()
    table, newer = model.data, model.data.alias()
    return ~sa.exists().where(newer.c["_key"] == table.c["_key"], newer.c["_load"] > table.c["_load"])


def current(model: Model) -> sa.ColumnElement[bool]:
    """The records as they are, each once."""
    return sa.and_(latest(model), sa.not_(model.data.c["_deleted"])) if model.is_history else sa.true()


def created_in(model: Model, start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    """The records as they are that were created in a span.

    :param start: from here on
    :param end: up to but not including this
    """
    created = model.data.c[model.source.created]
    return sa.and_(created >= start, created < end, current(model))


def unsettled_in(connection: Connection, model: Model) -> dict[str, Open]:
    """The records whose end has not been seen, by key; none where records have no creation stamp or no status."""
    rule, source, columns = UnsettledRule(model.source), model.source, model.data.c
    if not source.created or not source.status:
        return {}
    ended = columns[rule.ended] if rule.ended else sa.null()
    query = sa.select(columns["_key"], columns[source.created], columns[source.status], ended)
    rows = connection.execute(query.where(model.may_be_unsettled(columns[source.status]), current(model)))
    return {key: Open(created, status or "") for key, created, status, end in rows if rule.is_unsettled(status, end)}


def totals_of(connection: Connection, model: Model, start: datetime, end: datetime) -> Totals:
    """Counts and exact sums of the records that were created in a span.

    The database adds up, but for SQLite, which has no decimal numbers.

    :param start: from here on
    :param end: up to but not including this
    """
    grouping, totals, columns = Grouping(model.source), Totals(), model.data.c
    groups = [columns[name] if name else sa.null() for name in (grouping.status, grouping.currency, grouping.flag)]
    amounts: list[Any] = [columns[name] for name in grouping.amounts.values()]
    query: sa.Select[Any]
    if connection.dialect.name == "sqlite":
        query = sa.select(*groups, sa.literal_column("1"), *amounts)
    else:
        # A sum has more digits than a column takes: its type is wider than that of what it adds up.
        sums = [sa.func.sum(amount, type_=sa.Numeric(65, amount.type.scale)) for amount in amounts]
        named = [group for group in groups if not isinstance(group, sa.Null)]
        query = sa.select(*groups, sa.func.count(), *sums).group_by(*named)
    found: Any = connection.execute(query.where(created_in(model, start, end)))
    for status, currency, flag, count, *values in found:
        mark = bool(flag) if grouping.flag else None
        totals.add(group_of(status, currency, mark), count, dict(zip(grouping.amounts, values, strict=True)))
    return totals
