"""Counts and exact sums of a table's records: by the database where it can add decimals, else in Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.extract.totals import Totals, group_of
from airflow_provider_nexus.load.sql.merge import current
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.load.totals import Grouping


def totals_of(connection: Connection, model: Model, start: datetime, end: datetime) -> Totals:
    """Those of the records that were created in a span.

    :param start: from here on
    :param end: up to but not including this
    """
    grouping, totals = Grouping(model.source), Totals()
    columns = model.data.c
    groups = [columns[name] if name else sa.null() for name in (grouping.status, grouping.currency, grouping.flag)]
    amounts = [columns[name] for name in grouping.amounts.values()]
    created = columns[model.source.created]
    where = sa.and_(created >= start, created < end, current(model))
    query = _rows(groups, amounts) if connection.dialect.name == "sqlite" else _sums(groups, amounts)
    for status, currency, flag, count, *values in connection.execute(query.where(where)):
        mark = bool(flag) if grouping.flag else None
        totals.add(group_of(status, currency, mark), count, dict(zip(grouping.amounts, values, strict=True)))
    return totals


def _rows(groups: list[Any], amounts: list[Any]) -> sa.Select[Any]:
    return sa.select(*groups, sa.literal_column("1"), *amounts)


def _sums(groups: list[Any], amounts: list[Any]) -> sa.Select[Any]:
    # A sum has more digits than a column takes: its type is wider than that of what it adds up.
    sums = [sa.func.sum(amount, type_=sa.Numeric(65, amount.type.scale)) for amount in amounts]
    named = [group for group in groups if not isinstance(group, sa.Null)]
    return sa.select(*groups, sa.func.count(), *sums).group_by(*named)
