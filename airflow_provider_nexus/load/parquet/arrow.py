"""Arrow batches of rows and back: one column for each of the table's, amounts as decimals, times in UTC.

pyarrow belongs to the ``parquet`` extra and takes a tenth of a second to import, so it is imported when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from airflow_provider_nexus.api.schemas.field import PRECISION
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.columns import Column, Table
from airflow_provider_nexus.load.copy import TableRow

Batch = Any
"""A ``pyarrow.RecordBatch``; pyarrow has no types for mypy."""

_EXTRAS = {"pandas": "pandas", "polars": "polars"}


def load(module: str = "pyarrow") -> Any:
    """Import pyarrow or a module of it, or what makes data frames.

    :raises NexusConfigurationError: when it is not installed
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        extra = _EXTRAS.get(module, "parquet")
        what = f"data frames need {module}" if module in _EXTRAS else "Parquet files and data frames need pyarrow"
        hint = f"pip install 'airflow-provider-nexus[{extra}]'"
        raise NexusConfigurationError(f"{what}: install the {extra!r} extra, {hint}") from None


def arrow_schema(table: Table, metadata: Mapping[str, str]) -> Any:
    """The ``pyarrow.Schema`` of a table's files: the columns that the SQL table has, in its order.

    The metadata of a column has its ``meaning``, its dotted ``wire_name``, whether it is ``personal``, and ``content: json``
    where its values are JSON text.

    :param metadata: of the file; each name gets the prefix ``nexus.``
    :raises NexusConfigurationError: when pyarrow is not installed
    """
    fields = [load().field(column.name, arrow_type(column), metadata=_metadata(column)) for column in table.columns]
    return load().schema(fields, metadata={f"nexus.{name}": metadata[name] for name in sorted(metadata)})


def _metadata(column: Column) -> dict[str, str]:
    known = {"meaning": column.meaning, "wire_name": ".".join(column.path), "personal": str(column.personal).lower()}
    return known | {"content": "json"} if column.kind == "json" else known


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column's values."""
    arrow = load()
    if column.kind == "money":
        return arrow.decimal128(PRECISION, column.scale)
    if column.kind == "time":
        return arrow.timestamp("us", tz="UTC")
    kinds = {"date": arrow.date32, "integer": arrow.int64, "flag": arrow.bool_}
    return kinds.get(column.kind, arrow.string)()


def batch_of(rows: Sequence[TableRow], schema: Any) -> Batch:
    """Rows, at least one, as a batch.

    :param schema: an :func:`arrow_schema` of their table
    """
    arrow = load()
    arrays = [arrow.array(values, field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def rows_of(batch: Batch) -> list[TableRow]:
    """The rows of a batch: the values of its columns, in their order."""
    return list(zip(*map(_values, batch.columns), strict=True))


def _values(array: Any) -> list[Any]:
    """Values as Python has them. Times are read without their zone, as pyarrow's choice of a zone object has changed."""
    arrow = load()
    if not arrow.types.is_timestamp(array.type):
        return list(array.to_pylist())
    plain = array.cast(arrow.timestamp("us")).to_pylist()
    return [value if value is None else value.replace(tzinfo=UTC) for value in plain]
