"""Results of reconciliations: rows of a table, and files of JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.schemas.field import SCALE
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.load.sql.errors import failing
from airflow_provider_nexus.load.sql.name import split_name
from airflow_provider_nexus.load.sql.sessions import session, transaction
from airflow_provider_nexus.load.sql.tables import ENGINE
from airflow_provider_nexus.load.sql.types import KeyType, MoneyType, TextType, TimeType
from airflow_provider_nexus.load.values import exact
from airflow_provider_nexus.reconcile.reconciled import Reconciled

_AMOUNTS = ("opening", "moved", "expected", "stated", "difference")
_AT_ONCE = 1000


def result_table(name: str) -> sa.Table:
    """The table of results, ``table`` or ``schema.table``, a row for each place; else ``NexusConfigurationError``."""
    schema, bare = split_name(name, "results_table")
    return sa.Table(
        bare,
        sa.MetaData(),
        sa.Column("base_url", KeyType(), primary_key=True),
        sa.Column("moment", TimeType(), primary_key=True, comment="What was compared"),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("environment", TextType(), nullable=False),
        sa.Column("start", TimeType(), nullable=False, comment="From when on records were added up"),
        sa.Column("book", TextType(), nullable=False),
        sa.Column("place", TextType(), nullable=False, comment="Of customer balances the code of the customer"),
        sa.Column("code", TextType(), nullable=False, comment="Currency or crypto"),
        *(sa.Column(amount, MoneyType(SCALE), nullable=False) for amount in _AMOUNTS),
        sa.Column("outcome", TextType(), nullable=False, comment="agrees, tolerated, timing or differs"),
        sa.Column("explanations", TextType(), nullable=False, comment="Records that could explain a difference, as JSON"),
        schema=schema,
        comment="One row for each place of each reconciliation",
        **ENGINE,
    )


def store_rows(engine: Engine, name: str, found: Reconciled) -> int:
    """Write a reconciliation into a table, which is made where it is missing, in place of an earlier one of the same moment.

    :return: rows
    :raises NexusConfigurationError: when there can be no such table, or it is one of something else
    :raises NexusStorageError: when the database fails, or an amount does not fit; nothing is changed then
    """
    table, numbers = result_table(name), range(len(found.lines))
    for number in numbers:
        _row(found, number)  # what does not fit is refused before anything is changed
    make_table(engine, name)
    with failing("write", name), session(engine) as connection, transaction(connection):
        of_it = sa.and_(table.c.base_url == found.base_url, table.c.moment == found.moment)
        connection.execute(table.delete().where(of_it))
        for start in numbers[::_AT_ONCE]:
            connection.execute(table.insert(), [_row(found, number) for number in numbers[start : start + _AT_ONCE]])
    return len(numbers)


def make_table(engine: Engine, name: str) -> None:
    """Make the table of results where it is missing, in a transaction of its own, as it ends one of MySQL.

    :raises NexusConfigurationError: when there can be no such table, or it is one of something else
    :raises NexusStorageError: when the database fails
    """
    table = result_table(name)
    with failing("write", name), session(engine) as connection, transaction(connection):
        inspector = sa.inspect(connection)
        if not inspector.has_table(table.name, schema=table.schema):
            table.create(connection)
            return
        known = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        if not known >= set(table.columns.keys()):
            raise NexusConfigurationError(f"{name} is no table of reconciliations: give results_table another name")


def _row(found: Reconciled, number: int) -> dict[str, Any]:
    line = found.lines[number]
    try:
        amounts = {name: exact(getattr(line, name), SCALE) for name in _AMOUNTS}
    except ArithmeticError:
        raise NexusStorageError(
            f"{line.book} of {line.code} have an amount with more digits than a table takes, {SCALE} after the point: "
            "give results_path instead, whose files take any"
        ) from None
    return {
        "base_url": found.base_url,
        "moment": found.moment,
        "number": number,
        "environment": found.environment,
        "start": found.start,
        **{name: getattr(line, name) for name in ("book", "place", "code")},
        **amounts,
        "outcome": str(line.outcome),
        "explanations": json.dumps([each.dump() for each in line.explanations]),
    }


def store_file(folder: Any, found: Reconciled) -> Any:
    """Write a reconciliation into a file of JSON named by its moment, whole or not at all; the file, or ``NexusStorageError``."""
    path = folder / f"reconciliation-{found.environment}-{found.moment:%Y%m%dT%H%M%SZ}.json"
    text = json.dumps(found.dump(), indent=2, ensure_ascii=False)
    store.put(path, io.BytesIO(f"{text}\n".encode()), f"the reconciliation {path}")
    return path
