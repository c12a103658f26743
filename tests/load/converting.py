"""Rows of records, many at a time, for the tests of what keeps them."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.copy import RejectedRecord, TableRow
from airflow_provider_nexus.load.rows import TableConverter


def converted(entry: Resource, raws: Iterable[bytes], origin: Origin) -> list[TableRow]:
    """The rows of records, each of which has to fit."""
    rows = TableConverter(entry).rows(RowReader(entry).page(list(raws)), origin)
    assert not [row for row in rows if isinstance(row, RejectedRecord)]
    return [row for row in rows if not isinstance(row, RejectedRecord)]
