"""Identity of a table: where it lies and what it is called there. Spellings that a database takes for one table are one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.sql.bookkeeping import Bookkeeping
from airflow_provider_nexus.load.sql.tables import Model, in_place

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "c": "a type"}
_KINDS |= {"i": "an index", "I": "an index"}
_OTHER_KINDS = ("view", "system view", "sequence", "index", "trigger")


def placed(connection: Connection, given: Model) -> tuple[Model, bool]:
    """The model with the schema and the name that the database has for it, and whether the table is there.

    :raises NexusConfigurationError: when the schema is not there, or something of the name that is no table
    """
    schema, bare, kind = _find(connection, given)
    if kind:
        raise NexusConfigurationError(f"{given.name} is {kind} in the database, and no table: name another one in table")
    own = in_place(given, schema, bare or given.bare)
    if not bare and _folds(connection):
        own = in_place(given, schema, Bookkeeping(connection, own).known_name())
    connection.rollback()
    return own, bool(bare)


def kind_of_view(connection: Connection, model: Model) -> str:
    """What lies where the view of a placed table's records belongs: "a view", something else, or empty when nothing does."""
    _, bare, kind = _find(connection, in_place(model, str(model.schema), model.view))
    connection.rollback()
    return (kind or "a table") if bare else ""


def _find(connection: Connection, given: Model) -> tuple[str, str, str]:
    """Schema, name, and what it is if it is no table; no name where there is nothing of that name."""
    return {"postgresql": _in_postgresql, "sqlite": _in_sqlite}.get(connection.dialect.name, _in_mysql)(connection, given)


def _folds(connection: Connection) -> bool:
    """Whether names that differ in case alone are the same to the database."""
    kind = connection.dialect.name
    if kind in ("postgresql", "sqlite"):
        return kind == "sqlite"
    return bool(connection.execute(sa.text("SELECT @@lower_case_table_names")).scalar_one())


def _in_postgresql(connection: Connection, given: Model) -> tuple[str, str, str]:
    if given.schema:
        place, values = "n.nspname = :schema", {"bare": given.bare, "schema": given.schema}
    else:
        place, values = "pg_catalog.pg_table_is_visible(c.oid) AND c.relpersistence <> 't'", {"bare": given.bare}
    query = (
        "SELECT n.nspname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relname = :bare AND "
    )
    found = connection.execute(sa.text(query + place), values).one_or_none()
    if found:
        mark = found[1].decode() if isinstance(found[1], bytes) else found[1]
        return found[0], given.bare, _KINDS.get(mark, "")
    if given.schema is None:
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
        if schema is None:
            raise NexusConfigurationError(
                f"table {given.name} names no schema, and none of the login's search_path is there: give SCHEMA.NAME"
            )
        return schema, "", ""
    there = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
    if not connection.execute(there, {"schema": given.schema}).scalar():
        raise NexusConfigurationError(_no_schema(given))
    return given.schema, "", ""


def _in_mysql(connection: Connection, given: Model) -> tuple[str, str, str]:
    own, folds = connection.execute(sa.text("SELECT DATABASE(), @@lower_case_table_names")).one()
    if not (given.schema or own):
        raise NexusConfigurationError(f"table {given.name} names no schema, and neither does the connection: give SCHEMA.NAME")
    # Names are stored in lower case (1), or as they were given but found in any case (2).
    schema, bare = (part.lower() if folds == 1 else part for part in (given.schema or own, given.bare))
    columns = ("table_schema", "table_name")
    is_there = " AND ".join(f"lower({name}) = lower(:{name})" if folds == 2 else f"{name} = :{name}" for name in columns)
    query = f"SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE {is_there}"  # noqa: S608 - columns' names
    rows = connection.execute(sa.text(query), {"table_schema": schema, "table_name": bare}).all()
    rows = [row for row in rows if folds or (row[0], row[1]) == (schema, bare)]
    if rows:
        return rows[0][0], rows[0][1], _other_kind(rows[0][2])
    if given.schema:
        there = sa.text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :schema")
        if not connection.execute(there, {"schema": schema}).scalar():
            raise NexusConfigurationError(_no_schema(given))
    return schema, "", ""


def _in_sqlite(connection: Connection, given: Model) -> tuple[str, str, str]:
    attached = [row[1] for row in connection.exec_driver_sql("PRAGMA database_list") if row[1] != "temp"]
    schemas = [name for name in attached if given.schema is None or name.lower() == given.schema.lower()]
    if not schemas:
        raise NexusConfigurationError(f"{_no_schema(given)}; in SQLite that is main, unless files were attached")
    quote = connection.dialect.identifier_preparer.quote
    for schema in schemas:
        query = f"SELECT name, type, sql FROM {quote(schema)}.sqlite_master WHERE lower(name) = lower(?)"  # noqa: S608 - quoted
        found: Any = connection.exec_driver_sql(query, (given.bare,)).first()
        if found:
            is_virtual = (found[2] or "").upper().startswith("CREATE VIRTUAL")
            return schema, found[0], "a virtual table" if is_virtual else _other_kind(found[1])
    return schemas[0], "", ""


def _other_kind(kind: str) -> str:
    kind = kind.lower()
    return f"a{'n' if kind[0] in 'aeiou' else ''} {kind}" if kind in _OTHER_KINDS else ""


def _no_schema(given: Model) -> str:
    return f"table {given.name}: the login sees no schema {given.schema!r}: make it, or name another one in table"
