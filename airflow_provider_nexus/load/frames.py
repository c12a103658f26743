"""Data frames of records, with the columns of the typed tables: amounts stay decimals, times are in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from airflow_provider_nexus.api.records import OnUntyped
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.columns import SYSTEM
from airflow_provider_nexus.load.copy import RejectedRecord
from airflow_provider_nexus.load.parquet.batches import arrow, arrow_type, load
from airflow_provider_nexus.load.rows import TableConverter

FrameType = Literal["pandas", "polars"]
_NOWHERE = Origin(datetime.min.replace(tzinfo=UTC), "")


def load_frames(df_type: str) -> Any:
    """The library that makes the frames.

    :raises NexusConfigurationError: when it is none that is known, or not installed
    """
    if df_type not in get_args(FrameType):
        raise NexusConfigurationError(f"df_type is {df_type!r}: give 'pandas' or 'polars'")
    load()
    return load(df_type)


def data_frame(resource: Resource, rows: Iterable[Row], df_type: FrameType, on_untyped: OnUntyped) -> Any:
    """A ``pandas.DataFrame`` or ``polars.DataFrame``: one column for each of the resource's, then ``_raw_extra``.

    :param on_untyped: called for each field with values of another kind than declared; they are in ``_raw_extra``
    :raises NexusDataError: when a record does not fit the columns
    """
    library, converter, found = load_frames(df_type), TableConverter(resource), []
    for row in rows:
        try:
            _, _, _, _, raw_extra, *values = converter.row(row, _NOWHERE)
            found.append((*values, raw_extra))
        except RejectedRecord as rejected:
            raise NexusDataError(resource.name, row.key, rejected.field, "(not shown)", rejected.reason) from None
    for path in converter.untyped:
        on_untyped(path, converter.expected(path))
    columns = (*converter.table.fields, SYSTEM[-1])
    by_column = zip(*found, strict=True) if found else [()] * len(columns)
    arrays = [arrow.array(values, arrow_type(column)) for values, column in zip(by_column, columns, strict=True)]
    table = arrow.Table.from_arrays(arrays, names=[column.name for column in columns])
    return library.from_arrow(table) if df_type == "polars" else table.to_pandas(integer_object_nulls=True)
