"""Column types that store every value exactly, and give it back as it was, on PostgreSQL, MySQL, MariaDB and SQLite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, Date, DateTime, Dialect, Numeric, String, TypeDecorator, cast
from sqlalchemy import Text as PlainText
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine, UserDefinedType

from airflow_provider_nexus.api.schemas.field import PRECISION
from airflow_provider_nexus.load.columns import Column
from airflow_provider_nexus.load.values import LONGEST_KEY, exact


class MoneyType(TypeDecorator[Any]):
    """A decimal number, with as many digits after the point as its scale says.

    SQLite has no exact decimal numbers: there it is text, which its own ``sum`` would add up as floats.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, scale: int) -> None:
        super().__init__(PRECISION, scale)
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite."""
        kind: TypeEngine[Any] = PlainText() if dialect.name == "sqlite" else Numeric(PRECISION, self.scale)
        return dialect.type_descriptor(kind)

    def bind_processor(self, dialect: Dialect) -> Callable[[Decimal | None], str | None] | None:
        """Gives the digits of a number on SQLite; other databases take the number."""
        return _digits if dialect.name == "sqlite" else None

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - given by SQLAlchemy
        """The number; what somebody else has put there and is none, as it is."""
        try:
            return None if value is None else exact(Decimal(value), self.scale)
        except (ArithmeticError, TypeError, ValueError):
            return value


class TimeType(TypeDecorator[Any]):
    """A moment to the microsecond, in UTC and with its zone in Python.

    On MySQL a ``DATETIME`` in UTC, as its ``TIMESTAMP`` ends in 2038; on SQLite text that sorts as time.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        kinds: dict[str, TypeEngine[Any]] = {"sqlite": PlainText(), "mysql": mysql.DATETIME(fsp=6)}
        kinds["mariadb"] = kinds["mysql"]
        return dialect.type_descriptor(kinds.get(dialect.name, DateTime(timezone=True)))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """The moment in UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        if dialect.name == "sqlite":
            return f"{datetime.isoformat(moment, timespec='microseconds').removesuffix('+00:00')}Z"
        # Drivers know the standard library's class alone, and pendulum's is another.
        moment = datetime.combine(moment.date(), moment.time(), UTC)
        return moment.replace(tzinfo=None) if dialect.name in ("mysql", "mariadb") else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - given by SQLAlchemy
        """The moment; what somebody else has put there and is none, as it is."""
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return value
        if not isinstance(moment, datetime):
            return moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class KeyType(TypeDecorator[str]):
    """A short text of so many characters, which is compared character by character, trailing blanks included.

    MySQL's usual collations take ``a`` and ``A``, or ``a`` with and without a blank behind it, for the same.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int = LONGEST_KEY) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """With the strictest collation on MySQL and MariaDB."""
        if dialect.name not in ("mysql", "mariadb"):
            return dialect.type_descriptor(String(self.length))
        return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="utf8mb4", collation=_collation(dialect)))


class TextType(TypeDecorator[str]):
    """Text of any length and any character."""

    impl = PlainText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``LONGTEXT`` on MySQL and MariaDB, whose ``TEXT`` ends at 64 kB."""
        if dialect.name not in ("mysql", "mariadb"):
            return dialect.type_descriptor(PlainText())
        return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation=_collation(dialect)))


class JsonType(TypeDecorator[str]):
    r"""JSON text, every character as it came.

    PostgreSQL's ``json``, whose operators read it, and which stores the text itself. ``jsonb`` would write numbers otherwise
    (``1E5`` as ``100000``), drop members that occur twice and refuse ``\u0000``, and so would MySQL's ``JSON``: neither the
    digits nor the digest of a record would be those that Nexus sent. Elsewhere it is text.
    """

    impl = PlainText
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``JSON`` on PostgreSQL."""
        return dialect.type_descriptor(_PostgresJson() if dialect.name == "postgresql" else TextType())


class _PostgresJson(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "JSON"

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # Drivers would make objects of it, and floats of its numbers.
        return cast(column, PlainText)


def type_of(column: Column) -> TypeEngine[Any]:
    """The type of a column's values."""
    if column.name in ("_key", "_content"):
        return KeyType() if column.name == "_key" else KeyType(64)
    if column.kind == "money":
        return MoneyType(column.scale)
    kinds: dict[str, type[TypeEngine[Any]]] = {"time": TimeType, "date": Date, "integer": BigInteger, "flag": Boolean}
    kinds["json"] = JsonType
    return kinds.get(column.kind, TextType)()


def _digits(value: Decimal | None) -> str | None:
    # str is three times faster, and of the smallest and largest numbers writes an exponent
    text = None if value is None else str(value)
    return f"{value:f}" if text and "E" in text else text


def _collation(dialect: Dialect) -> str:
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
