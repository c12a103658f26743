from __future__ import annotations

from decimal import Decimal

from airflow_provider_nexus.api.rows import Row, RowReader


def amounts_of(reader: RowReader, row: Row) -> list[tuple[str, str, Decimal]]:
    """The amounts of a row that are not null: field, currency and value of each."""
    columns = reader.columns([row])
    return [(name, code, value) for name, (code,), (value,) in columns if value is not None]
