"""The tables of a copy are made where they are missing, and compared with what they must be where they are there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from airflow_provider_nexus.api.schemas.field import PRECISION
from airflow_provider_nexus.exceptions import NexusContractError
from airflow_provider_nexus.load.sql.claim import claim, refuse_other
from airflow_provider_nexus.load.sql.place import placed
from airflow_provider_nexus.load.sql.sessions import transaction
from airflow_provider_nexus.load.sql.tables import Model
from airflow_provider_nexus.load.sql.types import Key, Moment, Money, Text

Contract = Literal["report", "freeze", "allow_new_fields"]
"""What becomes of differences between the table and the catalogue: those that do no harm are reported, or any is an error,
or columns that are missing are added as well."""
CONTRACTS = ("report", "freeze", "allow_new_fields")
_TRIES = 5
_log = logging.getLogger(__name__)


def prepare(connection: Connection, given: Model, contract: Contract, belongs: dict[str, str]) -> tuple[Model, list[str]]:
    """Make all tables ready for a load.

    :param belongs: resource, environment, base URL and output
    :returns: the tables as the database calls them, and differences that do no harm, one line each
    :raises NexusContractError: when a column is missing or can't hold its values, or with ``freeze`` at any difference
    :raises NexusConfigurationError: when the table is none, or holds something else; nothing was made then
    """
    model, is_there = placed(connection, given)
    refuse_other(connection, model, belongs, is_there=is_there)
    _create(connection, model.data)
    if not is_there:
        # Another load may have made it meanwhile, in another spelling.
        model, _ = placed(connection, given)
    found = _compare(connection, model, contract)
    for table in (model.owner, model.manifest, model.rejected):
        _create(connection, table)
    _again(connection, lambda: _create_indexes(connection, model.data))
    claim(connection, model, belongs)
    for line in found:
        _log.warning("Table %s: %s", model.name, line)
    return model, found


def _create(connection: Connection, table: sa.Table) -> None:
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
    wrong = [line for column in model.data.columns if column.name in there for line in _wrong(column, there[column.name])]
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
    statements = [_statement(connection, model, column) for column in missing]
    if missing and contract != "allow_new_fields":
        raise NexusContractError(
            f"Table {model.name} lacks columns. Add them, or with the contract allow_new_fields let them be added: "
            f"{'; '.join(statements)}"
        )
    for statement in statements:
        with transaction(connection):
            connection.execute(sa.DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
    return [f"column {column.name} was added" for column in missing]


def _statement(connection: Connection, model: Model, column: sa.Column[Any]) -> str:
    table = connection.dialect.identifier_preparer.format_table(model.data)
    return f"ALTER TABLE {table} ADD COLUMN {CreateColumn(column).compile(dialect=connection.dialect)}"


def _unsafe(connection: Connection, model: Model) -> list[str]:
    """What would let two records become one, one become two, or half of a load stay."""
    inspector, keys = sa.inspect(connection), {column.name for column in model.data.primary_key}
    held = [inspector.get_pk_constraint(model.bare, schema=model.schema)["constrained_columns"]]
    held += [each["column_names"] for each in inspector.get_unique_constraints(model.bare, schema=model.schema)]
    lines = [] if any(set(each) == keys for each in held) else [f"it has no primary key of {', '.join(sorted(keys))} alone"]
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
    narrow = [(name, kept) for name, kept in columns if name in model.data.columns and kept not in (None, "utf8mb4")]
    lines = [f"column {name} is kept in {kept}, which can't hold every text: make it utf8mb4" for name, kept in narrow]
    return lines if engine == "InnoDB" else [*lines, f"its engine is {engine}, which has no transactions: make it InnoDB"]


def _is_needed(column: Any) -> bool:
    filled = column.get("default") or column.get("identity") or column.get("computed") or column.get("autoincrement") is True
    return not column["nullable"] and not filled


def _wrong(column: sa.Column[Any], there: Any) -> list[str]:
    kind = there["type"]
    return [] if _holds(column.type, kind) else [f"column {column.name} is {kind!s}, which can't hold {_wanted(column.type)}"]


def _wanted(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Money):
        return f"decimal numbers of {PRECISION} digits, {kind.scale} after the point"
    names = {Moment: "moments in UTC", Key: "its text", Text: "text of any length"}
    return names.get(type(kind), f"values of the kind {type(kind).__name__.lower()}")


def _holds(ours: TypeEngine[Any], there: TypeEngine[Any]) -> bool:
    if isinstance(there, sa.types.NullType):
        return False
    if isinstance(ours, Money):
        return _holds_money(ours, there)
    if isinstance(ours, Moment):
        return _holds_moments(there)
    if isinstance(ours, Key | Text):
        length = getattr(there, "length", None)
        return isinstance(there, sa.String) and (length is None or length >= getattr(ours, "length", 1 << 31))
    return isinstance(there, _KINDS[type(ours)])


def _holds_money(ours: Money, there: TypeEngine[Any]) -> bool:
    if isinstance(there, sa.String):
        return there.length is None
    if not isinstance(there, sa.Numeric) or isinstance(there, sa.Float):
        return False
    if there.precision is None:
        return True
    scale = there.scale or 0
    return scale >= ours.scale and there.precision - scale >= PRECISION - ours.scale


def _holds_moments(there: TypeEngine[Any]) -> bool:
    if isinstance(there, sa.String):
        return there.length is None
    fraction = getattr(there, "fsp", None)
    zoned = getattr(there, "timezone", False)
    return isinstance(there, sa.DateTime) and (bool(zoned) or fraction == 6)


_KINDS: dict[type[TypeEngine[Any]], tuple[type[TypeEngine[Any]], ...]] = {
    sa.Date: (sa.Date,),
    sa.BigInteger: (sa.BigInteger,),
    # MySQL has no flags but whole numbers of one digit.
    sa.Boolean: (sa.Boolean, sa.Integer),
}
