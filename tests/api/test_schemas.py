from __future__ import annotations

from typing import get_args

import pytest

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas import transactions
from airflow_provider_nexus.api.schemas.field import Field, Kind, Schema, Unit, crypto, fiat, many, mapping, nested, price, text

SCHEMAS = {resource.schema.name: resource.schema for resource in RESOURCES.values()}

every_schema = pytest.mark.parametrize("schema", SCHEMAS.values(), ids=list(SCHEMAS))

OF_THE_TENANT = {("transfers", "address.address"), ("crypto_addresses", "address")}
"""Addresses that are nobody's but the tenant's."""

SAMPLE = Schema(
    "Sample",
    (
        text("transactionCode", "Code"),
        fiat("payout", "Payout"),
        nested(
            "outer", "Object", crypto("amount", "Amount"), price("rate", "Rate"), nested("inner", "Object", fiat("fee", "Fee"))
        ),
        many("lines", "Lines", fiat("value", "Value")),
        mapping("data", "Free data"),
    ),
)


def _levels(fields: tuple[Field, ...]) -> list[tuple[Field, ...]]:
    return [fields, *(level for field in fields for level in _levels(field.children) if field.children)]


def test_schemas_have_different_names() -> None:
    by_identity = {id(resource.schema): resource.schema for resource in RESOURCES.values()}
    assert len({schema.name for schema in by_identity.values()}) == len(by_identity)


@every_schema
def test_names_are_unique_without_case(schema: Schema) -> None:
    for level in _levels(schema.fields):
        names = [field.name.lower() for field in level]
        assert len(names) == len(set(names))


@every_schema
def test_columns_are_unique_snake_case(schema: Schema) -> None:
    for level in _levels(schema.fields):
        columns = [field.column_name for field in level]
        assert len(columns) == len(set(columns))
        assert all(column == column.lower() and column.isidentifier() for column in columns)


@every_schema
def test_every_field_is_described(schema: Schema) -> None:
    for path, field in schema.walk():
        assert field.kind in get_args(Kind), path
        assert field.unit in get_args(Unit), path
        assert field.surface in ("A", "B", "AB"), path
        assert field.meaning.strip() == field.meaning != "", path


@every_schema
def test_units_belong_to_numbers_and_children_to_containers(schema: Schema) -> None:
    for path, field in schema.walk():
        assert bool(field.unit) == (field.kind == "money"), path
        assert not field.children or field.kind in ("object", "list", "map"), path
        assert field.children or field.kind != "object", path


@pytest.mark.parametrize(
    "word",
    ["email", "firstName", "lastName", "phone", "dateOfBirth", "ip", "customerCode", "address", "html", "createdBy", "updatedBy"],
)
def test_what_identifies_a_person_is_marked(word: str) -> None:
    found = [
        (resource.name, path, field)
        for resource in RESOURCES.values()
        for path, field in resource.schema.walk()
        if path[-1] == word and field.kind in ("text", "date") and (resource.name, ".".join(path)) not in OF_THE_TENANT
    ]
    assert found
    assert [(name, path) for name, path, field in found if not field.personal] == []


@pytest.mark.parametrize(
    ("wire", "column"),
    [
        ("transactionCode", "transaction_code"),
        ("enchangeCode", "exchange_code"),
        ("dcReceiveAddress", "dc_receive_address"),
        ("ip", "ip"),
        ("fileSizeInMB", "file_size_in_mb"),
    ],
)
def test_columns_are_the_wire_names_put_right(wire: str, column: str) -> None:
    columns = {field.column_name for schema in SCHEMAS.values() for _, field in schema.walk() if field.name == wire}
    assert columns == {column}


def test_fields_are_found_without_case() -> None:
    assert SAMPLE.by_folded_name["transactioncode"] is SAMPLE.fields[0]
    assert "TransactionCode" not in SAMPLE.by_folded_name


def test_walk_gives_parents_before_children_with_their_paths() -> None:
    assert [".".join(path) for path, _ in SAMPLE.walk()] == [
        "transactionCode",
        "payout",
        "outer",
        "outer.amount",
        "outer.rate",
        "outer.inner",
        "outer.inner.fee",
        "lines",
        "lines.value",
        "data",
    ]


def test_amounts_can_be_summed() -> None:
    assert [(".".join(path), field.unit) for path, field in SAMPLE.amounts()] == [
        ("payout", "fiat"),
        ("outer.amount", "crypto"),
        ("outer.inner.fee", "fiat"),
    ]


def test_totals_sum_fields_of_the_broker_transaction() -> None:
    own = {".".join(path) for path, field in transactions.BROKER_TRANSACTION.amounts() if field.unit == "fiat"}
    fields = RESOURCES["broker_transactions"].totals_fields
    assert fields
    assert set(fields.values()) <= own
