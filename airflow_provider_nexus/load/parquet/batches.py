"""Batches of rows as Arrow has them: typed columns, amounts as decimals and times in UTC.

pyarrow belongs to the ``parquet`` extra and takes a tenth of a second to import, so it is imported when it is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.api.schemas.field import PRECISION
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
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


class _Imported:
    """A module that is imported when something of it is first needed, and not everybody needs it."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(load(self._module), name)


arrow, compute, parquet = _Imported("pyarrow"), _Imported("pyarrow.compute"), _Imported("pyarrow.parquet")


def arrow_schema(table: Table, metadata: Mapping[str, str]) -> Any:
    """The ``pyarrow.Schema`` of a table's files: the columns that the SQL table has, in its order.

    The metadata of a column has its ``meaning``, its dotted ``wire_name``, whether it is ``personal``, and ``content: json``
    where its values are JSON text.

    :param metadata: of the file; each name gets the prefix ``nexus.``
    :raises NexusConfigurationError: when pyarrow is not installed
    """
    fields = [arrow.field(column.name, arrow_type(column), metadata=_metadata(column)) for column in table.columns]
    return arrow.schema(fields, metadata={f"nexus.{name}": metadata[name] for name in sorted(metadata)})


def _metadata(column: Column) -> dict[str, str]:
    known = {"meaning": column.meaning, "wire_name": ".".join(column.path), "personal": str(column.personal).lower()}
    return known | {"content": "json"} if column.kind == "json" else known


def arrow_type(column: Column) -> Any:
    """The Arrow type of a column's values."""
    if column.kind == "money":
        return arrow.decimal128(PRECISION, column.scale)
    if column.kind == "time":
        return arrow.timestamp("us", tz="UTC")
    kinds = {"date": arrow.date32, "integer": arrow.int64, "flag": arrow.bool_}
    return kinds.get(column.kind, arrow.string)()


def inside(batch: Batch, created: str, window: Window) -> Batch:
    """The rows of a batch that were created in a window; one without a stamp lies in all time only."""
    return batch if window == ALL_TIME else batch.filter(is_inside(batch, created, window))


def is_inside(batch: Batch, created: str, window: Window) -> Any:
    """Which rows of a batch were created in a window."""
    if window == ALL_TIME:
        return arrow.array([True] * batch.num_rows, arrow.bool_())
    bounds = compute.greater_equal(batch[created], moment(window.start)), compute.less(batch[created], moment(window.end))
    return compute.fill_null(compute.and_(*bounds), False)


def is_gone(batch: Batch, stays: Any, created: str, scope: Window, read_at: datetime | None) -> Any:
    """Which rows lie in a scope and did not come.

    :param stays: which rows came, or are to stay for another reason
    :param read_at: when the others were read: what was read later stays; ``None`` when nothing was
    """
    gone = compute.and_(compute.invert(stays), is_inside(batch, created, scope))
    if read_at is not None:
        gone = compute.and_(gone, compute.less_equal(batch["_read_at"], moment(read_at)))
    return compute.fill_null(gone, False)


def moment(value: datetime) -> Any:
    """A moment as columns of times are compared with it."""
    return arrow.scalar(value, arrow.timestamp("us", tz="UTC"))


def rows_of(batch: Batch) -> list[TableRow]:
    """The rows of a batch: the values of its columns, in their order."""
    return list(zip(*map(_values, batch.columns), strict=True))


def _values(array: Any) -> list[Any]:
    """Values as Python has them. Times are read without their zone, as pyarrow's choice of a zone object has changed."""
    if not arrow.types.is_timestamp(array.type):
        return list(array.to_pylist())
    plain = array.cast(arrow.timestamp("us")).to_pylist()
    return [value if value is None else value.replace(tzinfo=UTC) for value in plain]
