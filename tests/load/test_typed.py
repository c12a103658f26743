"""Many records at once become the same rows as each by itself, whatever is in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.load.copy import RejectedRecord
from airflow_provider_nexus.load.rows import TableConverter, TypedDecoder
from airflow_provider_nexus.sandbox import Sandbox
from tests.api.amounts import amounts_of

ORIGIN = Origin(datetime(2026, 1, 2, tzinfo=UTC), "created")
RECORD = {"transactionCode": "T1", "created": "2026-01-01T10:00:00Z", "status": "COMPLETED", "currencyCode": "EUR"}

# Values as JSON texts, in place of any field: of its kind, of another, and of none.
VALUES = st.sampled_from(
    [
        "null", "true", "false", "0", "-0", "-0.0", "1", "1.0", "1.10", "1E5", "1e-7", "1e999999999", "9" * 30,
        "9223372036854775807", "9223372036854775808", "0.1234567890123456789", "[]", "[1.50, {}]", "{}", '{"a": 1.0}',
        '""', '" "', '"x"', '"é"', '"1"', '" 1.5 "', '"1_000"', '"NaN"', '"-Infinity"', '"2026-01-02"',
        '"\\u0000"', '"\\ud800"', '"2026-01-02T03:04:05Z"', '"2026-01-02T03:04:05.1234567Z"', '"2026-01-02T05:04:05+02:00"',
        '"2026-02-30T00:00:00Z"', '"2026-01-02T00:00:00Z"',
        '{"currencyCode":"EUR","code":"BTC"}', '{"fee":1.5,"odd":"x"}',
    ]
)  # fmt: skip
SPELLINGS = st.sampled_from([str, str.upper, lambda name: name[:1].upper() + name[1:]])


@st.composite
def records(draw: st.DrawFn, resource: str) -> bytes:
    """A record whose fields have whatever values, some of them unknown, named in another case, or twice."""
    names = [field.name for field in get_resource(resource).schema.fields]
    fixed = [(name, json.dumps(value)) for name, value in RECORD.items() if name in names]
    drawn = draw(st.lists(st.tuples(st.sampled_from([*names, "new", "newer", "Nexus"]), VALUES), max_size=6))
    spelt: Any = draw(SPELLINGS) if draw(st.integers(0, 5)) == 0 else str
    members = [f"{json.dumps(spelt(name))}:{value}" for name, value in [*fixed, *drawn]]
    return b"{" + ",".join(members).encode() + b"}"


def outcome(row: Any) -> Any:
    return (row.field, row.reason) if isinstance(row, RejectedRecord) else (row, [type(value) for value in row])


def alone(converter: TableConverter, record: Row) -> Any:
    try:
        return outcome(converter.row(record, ORIGIN))
    except RejectedRecord as rejected:
        return outcome(rejected)


@pytest.mark.parametrize("resource", ["broker_transactions", "orders", "customer_bank_accounts"])
@pytest.mark.parametrize("keeps_untyped", [True, False])
def test_records_of_any_content(resource: str, keeps_untyped: bool) -> None:
    @settings(max_examples=60)
    @given(st.lists(records(resource), min_size=1, max_size=6))
    def check(raws: list[bytes]) -> None:
        rows = [Row("", f"K{number}", raw) for number, raw in enumerate(raws)]
        entry = get_resource(resource)
        many, one = (TableConverter(entry, keeps_untyped=keeps_untyped) for _ in range(2))
        for _ in range(2):  # a second time, unknown fields are known
            assert [outcome(row) for row in many.rows(rows, ORIGIN)] == [alone(one, row) for row in rows]
            assert many.untyped == one.untyped

    check()


def test_every_record_of_the_sandbox_is_decoded_at_once(served: Sandbox) -> None:
    for name, entry in ((name, entry) for name, entry in RESOURCES.items() if not entry.parent):
        raws = list(served.truth(name))[:50]
        reader, converter = RowReader(entry), TableConverter(entry)
        rows = [reader.read(raw) for raw in raws]
        assert [outcome(row) for row in converter.rows(rows, ORIGIN)] == [
            outcome(TableConverter(entry).row(row, ORIGIN)) for row in rows
        ]
        decoded = TypedDecoder(converter.table).values(raws)
        assert not entry.is_windowed or None not in decoded, name


def test_one_that_does_not_fit_keeps_no_other_from_being_decoded() -> None:
    fit = json.dumps(RECORD).encode()
    raws = [fit] * 20
    raws[13] = json.dumps(RECORD | {"payout": "1_000"}).encode()
    decoded = TypedDecoder(TableConverter(get_resource("broker_transactions")).table).values(raws)
    assert [place for place, values in enumerate(decoded) if values is None] == [13]


def test_an_unknown_field_is_decoded_at_once_from_its_second_batch_on() -> None:
    converter = TableConverter(get_resource("broker_transactions"))
    rows = [Row("", "T1", json.dumps(RECORD | {"newer": 1.5, "new": [1]}).encode())] * 3
    first = converter.rows(rows, ORIGIN)
    assert None not in converter._typed.values([row.raw for row in rows])
    assert converter.rows(rows, ORIGIN) == first
    assert isinstance(first[0], tuple)
    assert first[0][4] == '{"new":[1],"newer":1.5}'


class TestPages:
    @pytest.mark.parametrize(
        "resource", ["broker_transactions", "orders", "hot_wallet_mutations", "currencies", "prices", "documents"]
    )
    def test_rows_of_a_page_are_those_of_its_records(self, resource: str) -> None:
        entry = get_resource(resource)

        @settings(max_examples=60)
        @given(st.lists(records(resource), min_size=1, max_size=5))
        def check(raws: list[bytes]) -> None:
            def rows(read: Any) -> Any:
                try:
                    return [(row.stamp, row.key, row.raw) for row in read()]
                except Exception as error:  # noqa: BLE001 - whatever it is, both must end alike
                    return type(error), str(error)

            reader = RowReader(entry)
            found = rows(lambda: reader.page(raws))
            assert found == rows(lambda: [RowReader(entry).read(raw) for raw in raws])
            if isinstance(found, list):
                one, many = RowReader(entry), reader.decoded(reader.page(raws))
                each = [one.decoded([one.read(raw)])[0] for raw in raws]
                assert [(row.flaw, amounts_of(reader, row), reader.status(row)) for row in many] == [
                    (row.flaw, amounts_of(one, row), one.status(row)) for row in each
                ]

        check()


@pytest.mark.parametrize("raw", [b'{"payout":99,"transactionCode":"T","payout":1}', b'{"new":1,"transactionCode":"T","new":2}'])
def test_a_member_that_comes_twice_is_refused_and_not_lost(raw: bytes) -> None:
    converter = TableConverter(get_resource("broker_transactions"))
    for _ in range(2):
        fits, twice = converter.rows([Row("", "K", b'{"transactionCode":"T","new":1}'), Row("", "T", raw)], ORIGIN)
        assert isinstance(fits, tuple)
        assert isinstance(twice, RejectedRecord)
        assert "one comes twice" in twice.reason


def test_two_fields_with_one_dotted_name_are_refused_and_not_lost() -> None:
    converter = TableConverter(get_resource("orders"))
    for _ in range(2):
        (row,) = converter.rows([Row("", "O", b'{"orderCode":"O","executed.new":2,"executed":{"new":1}}')], ORIGIN)
        assert isinstance(row, RejectedRecord)
        assert "the same dotted name" in row.reason


def test_names_that_are_written_in_a_text_or_apart_from_their_colon_change_nothing() -> None:
    fields = b'"created":"2026-01-01T10:00:00Z","status":"a \\":b"'
    spaced = fields.replace(b'"status":', b'"status" :')
    rows = TableConverter(get_resource("orders")).rows(
        [Row("", "O", b'{"orderCode":"O",%b}' % each) for each in (fields, spaced)], ORIGIN
    )
    assert rows[0] == rows[1]
    assert isinstance(rows[0], tuple)
