"""Schema: tables, indexes and the view are made where they are missing, and the table is compared with what it must be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn, SetColumnComment
from sqlalchemy.types import TypeEngine

from airflow_provider_nexus.api.schemas.field import PRECISION
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError
from airflow_provider_nexus.extract.request import Contract
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.place import kind_of_view, placed
from airflow_provider_nexus.load.sql.sessions import transaction
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.load.sql.types import JsonType, KeyType, MoneyType, TextType, TimeType

_TRIES = 5
_log = logging.getLogger(__name__)


def prepare(connection: Connection, given: Model, contract: Contract, belongs: dict[str, str]) -> tuple[Model, list[str]]:
    """Make all tables ready for a load.

    :param contract: differences that do no harm are reported, or any is an error, or columns that are missing are added as well
    :param belongs: resource, environment, base URL and output
    :returns: the tables as the database calls them, and differences that do no harm, one line each
    :raises NexusContractError: when a column is missing or can't store its values, or with ``freeze`` at any difference
    :raises NexusConfigurationError: when the table is none, or contains something else; nothing was made then
    """
    model, is_there = placed(connection, given)
    books = Bookkeeping(connection, model)
    books.refuse_other(belongs, is_there=is_there)
    if is_there:
        _refuse_replaced(connection, model, books)
    else:
        _refuse_taken(connection, model, books)
    create(connection, model.data)
    if not is_there:
        # Another load may have made it meanwhile, in another spelling.
        model, _ = placed(connection, given)
        books = Bookkeeping(connection, model)
    found = _compare(connection, model, contract)
    for table in books.tables:
        create(connection, table)
    _again(connection, lambda: _create_indexes(connection, model.data))
    books.claim(belongs)
    _refuse_taken(connection, model, books)
    _again(connection, lambda: _create_view(connection, model, books))
    for line in found:
        _log.warning("Table %s: %s", model.name, line)
    return model, found


def create(connection: Connection, table: sa.Table) -> None:
    """Make a table where it is missing; others may do so at the same time."""
    _again(connection, lambda: table.create(connection, checkfirst=True))


def _again(connection: Connection, make: Callable[[], None]) -> None:
    # Two loads may make the same table at the same time: the one that comes second fails, and finds it at its next try.
    for last in (*[False] * (_TRIES - 1), True):
        try:
            with transaction(connection):
                make()
        except DBAPIError:
            if last:
                raise
        else:
            return


def _create_indexes(connection: Connection, table: sa.Table) -> None:
    there = {index["name"] for index in sa.inspect(connection).get_indexes(table.name, schema=table.schema)}
    for index in table.indexes:
        if index.name not in there:
            index.create(connection)


def _refuse_taken(connection: Connection, model: Model, books: Bookkeeping) -> None:
    """Refuse what has the name of the view and was not made by a sync."""
    # In this order, as another load may make the view meanwhile.
    kind, owner = kind_of_view(connection, model), books.owner()
    if kind and not (kind == "a view" and owner and owner["records_view"]):
        raise NexusConfigurationError(
            f"A sync makes the view {model.view} of the records of table {model.name}, and {kind} of that name, which no sync "
            "has made, is there: rename it, or name another table"
        )


def _create_view(connection: Connection, model: Model, books: Bookkeeping) -> None:
    """Make the view with the columns of the record alone, each record once. New columns come at its end.

    So what is granted on it, and other views that read it, stay.
    """
    kind, names = connection.dialect.name, connection.dialect.identifier_preparer
    view, quote = names.format_table(sa.table(model.view, schema=model.schema)), names.quote
    is_there = sa.inspect(connection).has_table(model.view, schema=model.schema)
    columns = _columns_of_view(connection, model) if is_there else []
    missing = [column.name for column in model.source.fields if column.name not in columns]
    if not missing:
        return
    # A view of SQLite names no schema, as its file may be attached under another name.
    table = quote(model.bare) if kind == "sqlite" else names.format_table(model.data)
    query = f"SELECT {', '.join(map(quote, [*columns, *missing]))} FROM {table}"  # noqa: S608 - quoted
    if model.is_history:
        newer = f"SELECT 1 FROM {table} AS newer WHERE newer._key = versions._key AND newer._load > versions._load"  # noqa: S608
        query += f" AS versions WHERE NOT versions._deleted AND NOT EXISTS ({newer})"
    # MySQL ends the transaction before it makes a view: that the view is ours is noted first.
    books.note_view()
    if is_there and kind == "sqlite":
        _run(connection, f"DROP VIEW {view}")
    _run(connection, f"CREATE {'OR REPLACE ' if is_there and kind != 'sqlite' else ''}VIEW {view} AS {query}")
    if kind == "postgresql":  # where a view has comments of its own
        meanings = {f"COLUMN {view}.{quote(column.name)}": column.meaning for column in model.source.fields}
        for what, meaning in {f"VIEW {view}": f"{model.source.resource.meaning}, each record once", **meanings}.items():
            text = meaning.replace("'", "''")
            _run(connection, f"COMMENT ON {what} IS '{text}'")


def _refuse_replaced(connection: Connection, model: Model, books: Bookkeeping) -> None:
    """Refuse a view that somebody has put in the place of ours: to replace it would show its readers what they may not see.

    Ours has each column of the table that the last load had too. One that was added since may be missing.

    :raises NexusConfigurationError: when it is another one
    """
    if kind_of_view(connection, model) != "a view":
        return
    columns, fields = _columns_of_view(connection, model), [each.name for each in model.source.fields]
    if {*columns} == {*fields}:
        connection.rollback()
        return
    there = {column["name"] for column in sa.inspect(connection).get_columns(model.bare, schema=model.schema)}
    other = [name for name in columns if name not in there or name.startswith("_")]
    last = books.last()
    load = books.manifest(last).load if last else None
    other += [f"no {name}" for name in fields if name in there and name not in columns and load and name in load.columns]
    connection.rollback()
    if other:
        raise NexusConfigurationError(
            f"{model.view} is not the view of table {model.name} that a sync has made: it has {', '.join(other[:5])}. It stays "
            "as it is: give it another name, and the next load makes the view anew"
        )


def _columns_of_view(connection: Connection, model: Model) -> list[str]:
    view = connection.dialect.identifier_preparer.format_table(sa.table(model.view, schema=model.schema))
    # To look at a view in another way, MySQL wants one more privilege.
    return list(connection.execute(sa.text(f"SELECT * FROM {view} WHERE 1 = 0")).keys())  # noqa: S608 - quoted


def _run(connection: Connection, statement: str) -> None:
    connection.execute(sa.DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]


def _compare(connection: Connection, model: Model, contract: Contract) -> list[str]:
    there = {column["name"]: column for column in sa.inspect(connection).get_columns(model.bare, schema=model.schema)}
    connection.commit()
    missing = [column for column in model.data.columns if column.name not in there]
    needed = [column.name for column in missing if not column.nullable]
    if needed:
        raise NexusContractError(
            f"Table {model.name} lacks {', '.join(needed)}, which can't be added later, so it was not made by a sync of this "
            "form: name another one in table, and it is made"
        )
    kinds = [(column, there[column.name]["type"]) for column in model.data.columns if column.name in there]
    wrong = [
        f"column {column.name} is {kind!s}, which can't store {_wanted(column.type)}"
        for column, kind in kinds
        if not _can_store(column.type, kind)
    ]
    extra = {name: column for name, column in there.items() if name not in model.data.columns}
    wrong += [f"column {name} is not ours and takes no null" for name, column in extra.items() if _is_needed(column)]
    wrong += _unsafe(connection, model)
    connection.rollback()
    spare = [f"column {name} is not ours and stays as it is" for name in extra]
    if wrong or (contract == "freeze" and (missing or spare)):
        absent = [f"column {column.name} is missing" for column in missing]
        raise NexusContractError(f"Table {model.name} is not as it must be: {'; '.join(wrong + absent + spare)}.")
    return spare + _add(connection, model, missing, contract)


def _add(connection: Connection, model: Model, missing: list[sa.Column[Any]], contract: Contract) -> list[str]:
    table = connection.dialect.identifier_preparer.format_table(model.data)
    statements = [
        f"ALTER TABLE {table} ADD COLUMN {CreateColumn(column).compile(dialect=connection.dialect)}" for column in missing
    ]
    if missing and contract != "allow_new_fields":
        raise NexusContractError(
            f"Table {model.name} lacks columns. Add them, or with the contract allow_new_fields let them be added: "
            f"{'; '.join(statements)}"
        )
    for column, statement in zip(missing, statements, strict=True):
        with transaction(connection):
            _run(connection, statement)
            if connection.dialect.supports_comments and not connection.dialect.inline_comments:
                connection.execute(SetColumnComment(column))
    return [f"column {column.name} was added" for column in missing]


def _unsafe(connection: Connection, model: Model) -> list[str]:
    """What would let two records become one, one become two, or half of a load stay."""
    inspector, keys = sa.inspect(connection), {column.name for column in model.data.primary_key}
    unique = [inspector.get_pk_constraint(model.bare, schema=model.schema)["constrained_columns"]]
    unique += [each["column_names"] for each in inspector.get_unique_constraints(model.bare, schema=model.schema)]
    lines = [] if any(set(each) == keys for each in unique) else [f"it has no primary key of {', '.join(sorted(keys))} alone"]
    lines += ["column _key takes different keys for the same"] if _is_loose(connection, model) else []
    return lines + (_unsafe_in_mysql(connection, model) if connection.dialect.name in ("mysql", "mariadb") else [])


def _is_loose(connection: Connection, model: Model) -> bool:
    """Whether the collation of the keys takes other letters, or a blank at the end, for the same."""
    table = connection.dialect.identifier_preparer.format_table(model.data)
    pairs = [("a", "A"), ("e", "\u00e9"), ("a", "a ")]
    probes = (
        f"SELECT 1 FROM (SELECT _key AS k FROM {table} WHERE 1 = 0 UNION ALL SELECT '{one}') AS probe WHERE k = '{other}'"  # noqa: S608 - quoted
        for one, other in pairs
    )
    return connection.execute(sa.text(" UNION ALL ".join(probes))).first() is not None


def _unsafe_in_mysql(connection: Connection, model: Model) -> list[str]:
    where = "FROM information_schema.{} WHERE table_schema = :schema AND table_name = :bare"
    values = {"schema": model.schema, "bare": model.bare}
    engine = connection.execute(sa.text(f"SELECT engine {where.format('tables')}"), values).scalar()
    columns = connection.execute(sa.text(f"SELECT column_name, character_set_name {where.format('columns')}"), values).all()
    narrow = [(name, charset) for name, charset in columns if name in model.data.columns and charset not in (None, "utf8mb4")]
    lines = [f"column {name} is stored in {charset}, which can't store every text: make it utf8mb4" for name, charset in narrow]
    return lines if engine == "InnoDB" else [*lines, f"its engine is {engine}, which has no transactions: make it InnoDB"]


def _is_needed(column: Any) -> bool:
    filled = column.get("default") or column.get("identity") or column.get("computed") or column.get("autoincrement") is True
    return not column["nullable"] and not filled


def _wanted(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, MoneyType):
        return f"decimal numbers of {PRECISION} digits, {kind.scale} after the point"
    names = {TimeType: "moments in UTC", KeyType: "its text", TextType: "text of any length", JsonType: "JSON text as it came"}
    return names.get(type(kind), f"values of the kind {type(kind).__name__.lower()}")


def _can_store(ours: TypeEngine[Any], there: TypeEngine[Any]) -> bool:
    if isinstance(there, sa.types.NullType):
        return False
    if isinstance(ours, KeyType | TextType | JsonType | MoneyType | TimeType) and isinstance(there, sa.String):
        return there.length is None or (isinstance(ours, KeyType) and there.length >= ours.length)
    if isinstance(ours, MoneyType):
        if not isinstance(there, sa.Numeric) or isinstance(there, sa.Float):
            return False
        scale = there.scale or 0
        return there.precision is None or (scale >= ours.scale and there.precision - scale >= PRECISION - ours.scale)
    if isinstance(ours, TimeType):
        has_zone, digits = getattr(there, "timezone", False), getattr(there, "fsp", None)
        return isinstance(there, sa.DateTime) and (bool(has_zone) or digits == 6)
    if isinstance(ours, JsonType):
        return isinstance(there, JSON) and not isinstance(there, JSONB)
    return isinstance(there, _KINDS.get(type(ours), ()))


_KINDS: dict[type[TypeEngine[Any]], tuple[type[TypeEngine[Any]], ...]] = {
    sa.Date: (sa.Date,),
    sa.BigInteger: (sa.BigInteger,),
    # MySQL has no flags but whole numbers of one digit.
    sa.Boolean: (sa.Boolean, sa.Integer),
}
