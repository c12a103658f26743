"""Staging: rows go into a table of the session by the fastest way that its driver has: ``COPY``, or ``INSERT`` of many rows.

``LOAD DATA LOCAL`` of MySQL and MariaDB is not used: servers and drivers have it turned off, as it reads files of the client.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.sql.sessions import transaction
from airflow_provider_nexus.load.sql.tables import Model, staging
from airflow_provider_nexus.load.sql.types import JsonType, KeyType, TextType

_NULL = r"\N"
_SPECIAL = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
"""What COPY writes in another way."""
_ESCAPED = str.maketrans(_SPECIAL)


class Staging:
    """The rows of a reading, in a temporary table of a connection's session, until all of them have come."""

    def __init__(self, connection: Connection, model: Model) -> None:
        self._connection, dialect = connection, connection.dialect
        self.table = staging(model, dialect.name)
        with transaction(connection):
            self.table.create(connection, checkfirst=False)
        kinds = [column.type.dialect_impl(dialect) for column in self.table.columns]
        self._processors = [kind.bind_processor(dialect) for kind in kinds]
        self._is_text = [isinstance(kind, KeyType | TextType | JsonType) for kind in kinds]
        self._insert = str(sa.insert(self.table).compile(dialect=dialect))
        names = ", ".join(map(dialect.identifier_preparer.quote, model.names))
        self._copy = f"COPY {dialect.identifier_preparer.format_table(self.table)} ({names}) FROM STDIN"

    def add(self, rows: Sequence[TableRow]) -> None:
        """Add a batch of at least one row, in a transaction of its own."""
        connection, dialect = self._connection, self._connection.dialect
        with transaction(connection, begin="BEGIN"):
            if dialect.driver in ("psycopg", "psycopg2"):
                self._write(rows)
            elif dialect.positional:
                connection.exec_driver_sql(self._insert, self._bound(rows))
            else:
                names = self.table.c.keys()
                connection.execute(sa.insert(self.table), [dict(zip(names, row, strict=True)) for row in rows])

    def drop(self) -> None:
        """Remove the table. Where this is not reached the connection is thrown away, and the table with it."""
        with transaction(self._connection):
            self.table.drop(self._connection, checkfirst=False)

    def _bound(self, rows: Sequence[TableRow]) -> list[tuple[Any, ...]]:
        """The rows as the driver takes them."""
        columns = zip(self._processors, zip(*rows, strict=True), strict=True)
        return list(zip(*(map(process, values) if process else values for process, values in columns), strict=True))

    def _write(self, rows: Sequence[TableRow]) -> None:
        """Send rows by ``COPY``, past SQLAlchemy, which knows nothing of it. A failure is a ``DBAPIError``, as its own are."""
        columns = map(_copy_text, zip(*rows, strict=True), self._is_text)
        text = "".join([f"{line}\n" for line in map("\t".join, zip(*columns, strict=True))]).encode()
        dialect: Any = self._connection.dialect
        driver: Any = self._connection.connection.dbapi_connection
        try:
            with driver.cursor() as cursor:
                if dialect.driver == "psycopg2":
                    cursor.copy_expert(self._copy, io.BytesIO(text))
                else:
                    with cursor.copy(self._copy) as copy:
                        copy.write(text)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, driver, None):
                # otherwise its rollback fails in turn, and says less
                self._connection.invalidate()
            raise DBAPIError(self._copy, None, error) from None


def _copy_text(values: Sequence[Any], is_text: bool) -> list[str]:
    """A column in the text format of ``COPY``. The text of a number or moment is the value itself, to the last digit."""
    if not is_text:
        return [_NULL if value is None else str(value) for value in values]
    whole = "".join(filter(None, values))
    if any(map(whole.__contains__, _SPECIAL)):
        values = [value and value.translate(_ESCAPED) for value in values]
    return [_NULL if value is None else value for value in values]
