from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.records import typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import RejectedRecord
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.load.values import LONGEST_KEY
from airflow_provider_nexus.sandbox import Sandbox
from tests.api.amounts import amounts_of

ORIGIN = Origin(datetime(2026, 1, 2, tzinfo=UTC), "created 20260101T000000Z-20260102T000000Z")
TRANSACTION = {"transactionCode": "T1", "created": "2026-01-01T10:00:00Z"}


def conform(raw: bytes, resource: str = "transactions") -> dict[str, Any]:
    entry = get_resource(resource)
    values = TableConverter(entry).row(RowReader(entry).read(raw), ORIGIN)
    return dict(zip((column.name for column in Table(entry).columns), values, strict=True))


def transaction(**members: Any) -> bytes:
    return msgspec.json.encode(TRANSACTION | members)


@pytest.mark.parametrize("resource", sorted(RESOURCES))
def test_every_resource_has_columns_of_its_own_name(resource: str) -> None:
    names = [column.name for column in Table(get_resource(resource)).columns]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and len(name) <= 63 for name in names)


@pytest.mark.parametrize("resource", ["transactions", "broker_transactions", "orders", "hot_wallet_mutations", "customers"])
def test_everything_the_sandbox_sends_fits(resource: str) -> None:
    entry = get_resource(resource)
    reader, converter = RowReader(entry), TableConverter(entry)
    with Sandbox(transactions=1000, customers=50, amounts="awkward") as sandbox:
        rows = [converter.row(reader.read(raw), ORIGIN) for raw in sandbox.truth(resource)]
    assert rows
    assert all(row[4] is None for row in rows), "the catalogue knows every field"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14) + 1, max_value=10**14 - 1, places=24))
def test_every_digit_of_an_amount_is_kept(value: Decimal) -> None:
    raw = transaction(requestedAmounts={"cryptoAmount": msgspec.Raw(f"{value:f}".encode())})
    assert conform(raw)["requested_amounts_crypto_amount"] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1E-05", "0.00001"), ("199.99998000", "199.99998"), ("-0", "0"), ('"12.50"', "12.5"), ("0.1" + "0" * 60, "0.1")],
)
def test_numbers_in_any_spelling(text: str, value: str) -> None:
    found = conform(transaction(fiatAmountToPay=msgspec.Raw(text.encode())))["fiat_amount_to_pay"]
    assert (found, found.is_signed()) == (Decimal(value), False)


@pytest.mark.parametrize(
    ("members", "field", "reason"),
    [
        ({"fiatAmountToPay": msgspec.Raw(b"1234567890123456789012345678901234567890")}, "fiatAmountToPay", "18 digits before"),
        ({"fees": {"bankFeeFiat": msgspec.Raw(b"0.000000000000000000001")}}, "fees.bankFeeFiat", "20 after"),
        ({"cryptoCode": "a\0b"}, "cryptoCode", "NUL"),
        ({"fees": 5}, "fees", "JSON"),
        ({"transactionCode": "x" * (LONGEST_KEY + 1)}, "transactionCode", "255 characters"),
    ],
)
def test_what_does_not_fit_says_where_and_why(members: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(RejectedRecord, match=reason) as caught:
        conform(transaction(**members))
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["2026-13-45T00:00:00Z", "yesterday", "2026-01-02"])
def test_a_bad_time_does_not_fit(text: str) -> None:
    raw = msgspec.json.encode({"orderCode": "O1", "created": "2026-01-01T10:00:00Z", "finished": text})
    with pytest.raises(RejectedRecord, match="finished: an ISO 8601 time stamp"):
        conform(raw, "orders")


ODD = ('"x"', "1.5", "true", '[{"a":1}]', '{"a":1}', '"a\\u0000b"')


def plain_fields(fields: tuple[Field, ...], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """All fields but those within lists and maps, whose text is stored as it came."""
    for field in fields:
        yield (*path, field.name), field
        if field.kind == "object":
            yield from plain_fields(field.children, (*path, field.name))


def record_with(resource: Resource, path: tuple[str, ...], value: str) -> bytes:
    """A record with key, stamp and one more value."""
    record: dict[str, Any] = {}
    stamps = {".".join(names) for names, field in resource.schema.walk() if field.kind == "time"}
    ordered_by = {resource.created.stamp} if resource.created else set()
    wanted = {name: "2026-01-01T00:00:00Z" if name in stamps else "1" for name in {*resource.key} | ordered_by}
    for name, it in {**wanted, ".".join(path): msgspec.Raw(value.encode())}.items():
        *outer, last = name.split(".")
        place = record
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = it
    return msgspec.json.encode(record)


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_no_field_of_another_kind_makes_a_record_unreadable(resource: Resource) -> None:
    reader, converter, columns = RowReader(resource), TableConverter(resource), [each.name for each in Table(resource).columns]
    stamps = [each.stamp for each in (resource.created, resource.finished) if each]
    status = resource.lifecycle.status_field if resource.lifecycle else ""
    strict = (*resource.key, *stamps, resource.stamp, status, ".".join(resource.fiat_code), ".".join(resource.crypto_code))
    loose = [
        (path, field)
        for path, field in plain_fields(resource.schema.fields)
        if not field.holds_money and not any(f"{name}.".startswith(f"{'.'.join(path)}.") for name in strict)
    ]
    for (path, field), value in product(loose, ODD):
        raw, name = record_with(resource, path, value), ".".join(path)
        converter.untyped.clear()
        row = reader.read(raw)
        found = dict(zip(columns, converter.row(row, ORIGIN), strict=True))
        extra = msgspec.json.decode(found["_raw_extra"] or "{}", type=dict[str, msgspec.Raw])
        assert (row.flaw, amounts_of(reader, row)) == ("", []), (name, value)
        if name in converter.untyped:
            assert bytes(extra[name]).decode() == value
            assert not [column for column in Table(resource).fields if column.path == path and found[column.name] is not None]
        else:
            assert field.kind == "object" or name not in extra
        typed(resource, envelope.decode(raw))


def test_times_are_in_utc_and_empty_ones_are_null() -> None:
    raw = b'{"orderCode": "O1", "created": "2026-01-01T10:00:00.1234567+02:00", "finished": ""}'
    row = conform(raw, "orders")
    assert row["created"] == datetime(2026, 1, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert row["finished"] is None


def test_unknown_fields_are_kept_with_their_digits() -> None:
    raw = b'{"transactionCode":"T1","created":"2026-01-01T10:00:00Z","new":1.10,"fees":{"odd":{"a":[1E-7]}}}'
    assert conform(raw)["_raw_extra"] == '{"fees.odd":{"a":[1E-7]},"new":1.10}'


def test_names_in_another_case_are_the_same_fields() -> None:
    raw = b'{"TransactionCode":"T1","Created":"2026-01-01T10:00:00Z","Fees":{"BankFeeFiat":1}}'
    row = conform(raw)
    assert (row["_key"], row["fees_bank_fee_fiat"], row["_raw_extra"]) == ("T1", Decimal(1), None)


def test_the_content_tells_versions_apart_and_not_readings() -> None:
    entry = get_resource("transactions")
    first, again = (RowReader(entry).read(transaction(status="Initiated")) for _ in range(2))
    other = RowReader(entry).read(transaction(status="COMPLETED"))
    later = Origin(datetime(2026, 1, 3, tzinfo=UTC), "open 20260103T000000Z")
    converter = TableConverter(entry)
    assert converter.row(first, ORIGIN)[3] == converter.row(again, later)[3] != converter.row(other, ORIGIN)[3]
