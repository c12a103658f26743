"""What the sources say that Nexus answers is read whole: typed for tasks, and fitted into the columns of a table."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.records import typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.rows import TableConverter
from tests.load.samples import SAMPLES

PARENTS = {"customers": "NL91ABNA0417164300", "transactions": "BC20260102030405A1B", "payment_methods": "SEPA"}
ORIGIN = Origin(datetime(2026, 1, 3, tzinfo=UTC), "whole")
KINDS: dict[str, type] = {"money": Decimal, "time": datetime, "date": date, "text": str, "integer": int, "flag": bool}

every_sample = pytest.mark.parametrize("name", SAMPLES)


def records_of(resource: Resource, body: bytes) -> list[bytes]:
    """The records as a sync holds them: with the parent's code, where they are a child's."""
    raw = envelope.records(resource, body).raw
    code = PARENTS.get(resource.parent)
    return [envelope.inject(each, {resource.parent_field: msgspec.json.encode(code)}) for each in raw] if code else raw


def misread(fields: tuple[Field, ...], record: dict[str, Any], prefix: str = "") -> list[str]:
    """The places of a typed record that hold another kind of value than the schema says, or that it does not know."""
    known, found = {field.name: field for field in fields}, []
    for name, value in record.items():
        field = known.get(name)
        if field is None:
            found.append(f"{prefix}{name}: unknown")
        elif value is not None and field.kind in KINDS and not isinstance(value, KINDS[field.kind]):
            found.append(f"{prefix}{name}: {type(value).__name__}")
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and field is not None and field.children:
                found += misread(field.children, inner, f"{prefix}{name}.")
    return found


@every_sample
def test_every_value_is_of_its_kind(name: str) -> None:
    resource = get_resource(name)
    records = records_of(resource, SAMPLES[name][0])
    assert records
    for raw in records:
        assert misread(resource.schema.fields, typed(resource, envelope.decode(raw))) == []


@every_sample
def test_every_field_of_the_schema_is_in_the_sample(name: str) -> None:
    """So that no field is made up: what the schema has, the sources have, down to the objects that the sample fills."""
    resource = get_resource(name)
    first = envelope.decode(records_of(resource, SAMPLES[name][0])[0])
    assert set(first) == {field.name for field in resource.schema.fields}
    for field in resource.schema.fields:
        held = first[field.name]
        held = held[0] if field.kind == "list" and field.children and held else held
        if isinstance(held, dict) and field.children:
            assert set(held) == {child.name for child in field.children}, field.name


@every_sample
def test_the_columns_hold_what_was_sent(name: str) -> None:
    resource = get_resource(name)
    body, expected = SAMPLES[name]
    reader, converter = RowReader(resource), TableConverter(resource)
    rows = [reader.read(raw) for raw in records_of(resource, body)]
    assert [row.flaw for row in rows] == [""] * len(rows)
    assert len({row.key for row in rows}) == len(rows), "the key tells records apart"
    columns = dict(zip((column.name for column in Table(resource).columns), converter.row(rows[0], ORIGIN), strict=True))
    assert columns["_raw_extra"] is None
    assert {column: plain(columns[column]) for column in expected} == expected


def plain(value: Any) -> Any:
    """Numbers and times as text, without the zeros that a column adds."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value) if isinstance(value, int | date) and not isinstance(value, bool) else value
