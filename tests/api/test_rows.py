from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.api.rows import Row, RowReader, in_order
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.exceptions import NexusDataError
from tests.api.amounts import amounts_of

STAMP = "2026-01-02T03:04:05Z"
WITH_AMOUNTS = [resource for resource in RESOURCES.values() if any(resource.schema.amounts())]
SPELLINGS: list[Callable[[str], str]] = [str, str.upper, lambda name: name[:1].upper() + name[1:]]
NUMBERS = st.one_of(
    st.sampled_from(["199.99998000", "-1E-05", "0.30000000000000004", "123456789012.12345678", "9" * 40, "-0.00", "1e3"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=8).map(str),
    st.integers(-(10**30), 10**30).map(str),
)


def read(resource: str, text: str) -> tuple[RowReader, Row]:
    reader = RowReader(get_resource(resource))
    return reader, reader.read(text.encode())


def fields(texts: dict[str, str]) -> str:
    return ",".join(f'"{name}":"{value}"' for name, value in texts.items())


@st.composite
def values(draw: st.DrawFn, field: Field) -> str | None:
    """JSON text of a value of the field; ``None`` to leave it out."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from([None, "null"]))
    match field.kind:
        case "money":
            return draw(NUMBERS)
        case "time":
            return f'"2026-0{draw(st.integers(1, 9))}-02T03:04:05.{draw(st.integers(0, 9999999))}Z"'
        case "object":
            return draw(objects(field.children))
        case "text":
            return json.dumps(draw(st.sampled_from(["BTC", "EUR", 'é\n"', "completed", "1"])))
        case _:
            return draw(st.sampled_from(["null", "[]", "{}", "1"]))


@st.composite
def objects(draw: st.DrawFn, children: tuple[Field, ...], spell: Callable[[str], str] | None = None) -> str:
    spell = spell or str
    drawn = [(spell(field.name), draw(values(field))) for field in draw(st.permutations(children))]
    extra = draw(st.sampled_from([[], [("unheardOf", '{"payout":1.5}')]]))
    return "{" + ",".join(f'"{name}": {value}' for name, value in [*drawn, *extra] if value is not None) + "}"


@st.composite
def records(draw: st.DrawFn, resource: Resource) -> str:
    """A record of the resource, its key and stamp present, written in one of three spellings."""
    fixed = {*resource.key, resource.created.stamp if resource.created else ""}
    amounts = {name for (name, *_), _ in resource.schema.amounts()}
    rest = tuple(field for field in resource.schema.fields if field.name not in fixed - amounts)
    spell = draw(st.sampled_from(SPELLINGS))
    body = draw(objects(rest, spell))
    sure = {name: STAMP if name in ("created", "createdOn", "inserted") else "K" for name in fixed - amounts - {""}}
    return "{" + ",".join([*(f'"{spell(name)}":"{value}"' for name, value in sure.items()), body[1:-1]]).strip(",") + "}"


def oracle(resource: Resource, text: str) -> list[tuple[str, str, Decimal]]:
    """The amounts by a plain reading."""
    record = json.loads(text, parse_float=Decimal, parse_int=Decimal)

    def at(path: tuple[str, ...]) -> Any:
        found: Any = record
        for name in path:
            found = {each.lower(): value for each, value in found.items()}.get(name.lower()) if found is not None else None
        return found

    codes = {
        "fiat": at(resource.fiat_code) if resource.fiat_code else "",
        "crypto": at(resource.crypto_code) if resource.crypto_code else "",
    }
    return [
        (".".join(path), codes[field.unit] or "", at(path)) for path, field in resource.schema.amounts() if at(path) is not None
    ]


def exact(amounts: list[Any]) -> list[Any]:
    return sorted((field, currency, value.as_tuple()) for field, currency, value in amounts)


@pytest.mark.parametrize("resource", WITH_AMOUNTS, ids=lambda resource: resource.name)
def test_amounts_are_those_of_a_plain_reading(resource: Resource) -> None:
    @settings(max_examples=25, deadline=None)
    @given(records(resource))
    def check(text: str) -> None:
        reader = RowReader(resource)
        row = reader.read(text.encode())
        assert exact(amounts_of(reader, row)) == exact(oracle(resource, text))
        assert all(type(value) is Decimal for _, _, value in amounts_of(reader, row))
        assert row.raw == text.encode()

    check()


class TestKey:
    @pytest.mark.parametrize(
        ("form", "key"),
        [('"TX1"', "TX1"), ("17", "17"), ('"a\\u0062\\n\\"|"', 'ab\n"|'), ('"é"', "é"), ('" x "', " x ")],
    )
    def test_single(self, form: str, key: str) -> None:
        _, row = read("orders", f'{{"created":"{STAMP}","orderCode":{form}}}')
        assert row.key == key

    def test_composite(self) -> None:
        _, row = read("prices", '{"cryptoCode":"BTC","buy":1,"currencyCode":"EUR"}')
        assert row.key == "EUR|BTC"

    def test_composite_with_missing_parts(self) -> None:
        _, row = read("reserves", '{"reserveKind":"crypto","code":"BTC","type":"HotWallet","bucketCode":null,"total":1}')
        assert row.key == "crypto|BTC||HotWallet||"

    def test_with_stamp_and_amount_in_it(self) -> None:
        text = f'{{"transactionCode":"T","type":"FEE","cryptoCode":"BTC","cryptoAmount":-0.50,"created":"{STAMP}"}}'
        reader, row = read("hot_wallet_mutations", text)
        assert row.key == f"T|FEE|BTC|-0.50|{STAMP}"
        assert row.stamp == "2026-01-02T03:04:05"
        assert amounts_of(reader, row) == [("cryptoAmount", "BTC", Decimal("-0.50"))]

    @pytest.mark.parametrize("text", ["{}", '{"orderCode":null}', '{"orderCode":""}', f'{{"created":"{STAMP}"}}'])
    def test_missing(self, text: str) -> None:
        with pytest.raises(NexusDataError, match=r"orders record .* field 'orderCode' holds None, which is not a key"):
            read("orders", text)


class TestStamp:
    @pytest.mark.parametrize(
        ("form", "stamp"),
        [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05"),
            ("2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12"),
            ("2026-01-02T05:04:05.1234567+02:00", "2026-01-02T03:04:05.1234567"),
        ],
    )
    def test_is_normalised(self, form: str, stamp: str) -> None:
        _, row = read("orders", f'{{"orderCode":"O","created":"{form}"}}')
        assert row.stamp == stamp
        assert row.stamp[:19] == "2026-01-02T03:04:05"

    def test_has_the_name_of_the_date_filter(self) -> None:
        assert read("customer_persons", f'{{"id":"P","createdOn":"{STAMP}","created":"x"}}')[1].stamp == "2026-01-02T03:04:05"

    @pytest.mark.parametrize("form", ["null", '""', '"yesterday"', '"2026-01-02"', '"2026-02-30T00:00:00Z"', "5", "{}"])
    def test_unreadable(self, form: str) -> None:
        with pytest.raises(NexusDataError) as caught:
            read("orders", f'{{"orderCode":"O","created":{form}}}')
        assert (caught.value.resource, caught.value.key, caught.value.field) == ("orders", "O", "created")

    def test_may_be_missing_where_nothing_is_sorted_by_it(self) -> None:
        assert read("currencies", '{"code":"EUR"}')[1].stamp == ""
        assert read("documents", '{"filePath":"a"}')[1].stamp == ""
        assert read("documents", f'{{"filePath":"a","createdOn":"{STAMP}"}}')[1].stamp == "2026-01-02T03:04:05"


class TestStatusAndCurrency:
    @pytest.mark.parametrize(("form", "status"), [('"Completed"', "COMPLETED"), ("null", ""), ('""', "")])
    def test_status(self, form: str, status: str) -> None:
        reader, row = read("orders", f'{{"orderCode":"O","created":"{STAMP}","status":{form}}}')
        assert reader.status(row) == status

    def test_status_of_the_field_that_the_lifecycle_names(self) -> None:
        reader, row = read("accounts", f'{{"accountCode":"A","created":"{STAMP}","accountStatus":"Active","status":"x"}}')
        assert reader.status(row) == "ACTIVE"

    def test_no_status(self) -> None:
        reader, row = read("currencies", '{"code":"EUR","status":"Active"}')
        assert reader.status(row) == ""

    @pytest.mark.parametrize(("form", "currency"), [('{"currencyCode":"EUR"}', "EUR"), ("{}", ""), ("null", "")])
    def test_nested_currency(self, form: str, currency: str) -> None:
        reader, row = read("orders", f'{{"orderCode":"O","created":"{STAMP}","tradePair":{form}}}')
        assert reader.groups([row])[0][1] == currency

    def test_fiat_and_crypto_amounts_have_their_own(self) -> None:
        codes = fields({"transactionCode": "T", "created": STAMP, "currencyCode": "EUR", "cryptoCurrencyCode": "BTC"})
        text = f'{{{codes},"payout":1,"cryptoSent":2}}'
        reader, row = read("broker_transactions", text)
        assert set(amounts_of(reader, row)) == {("payout", "EUR", Decimal(1)), ("cryptoSent", "BTC", Decimal(2))}


class TestNames:
    def test_a_later_record_in_another_case(self) -> None:
        reader = RowReader(get_resource("orders"))
        text = f'{{"orderCode":"O","created":"{STAMP}","amount":5,"tradePair":{{"currencyCode":"EUR"}},"status":"New"}}'
        for spelt in (text, text.upper().replace("T03", "T03")):
            row = reader.read(spelt.encode())
            assert (row.key, row.stamp, reader.status(row)) == ("O", "2026-01-02T03:04:05", "NEW")
            assert amounts_of(reader, row) == [("amount", "EUR", Decimal(5))]

    @pytest.mark.parametrize("name", ["created", "status", "payout", "currencyCode"])
    def test_one_name_in_another_case(self, name: str) -> None:
        text = f'{{"transactionCode":"T","created":"{STAMP}","status":"New","payout":5,"currencyCode":"EUR"}}'
        reader, row = read("broker_transactions", text.replace(f'"{name}"', f'"{name.upper()}"'))
        assert (row.stamp, reader.status(row), amounts_of(reader, row)) == (
            "2026-01-02T03:04:05",
            "NEW",
            [("payout", "EUR", Decimal(5))],
        )


class TestErrors:
    @pytest.mark.parametrize(
        "form", ['"a lot"', "true", "[]", "1e999999999999999999999", '"NaN"', '"-Infinity"', '"1_000"', '"\u0661\u0662"', '"0x1"']
    )
    def test_an_amount_that_is_none_is_a_flaw(self, form: str) -> None:
        text = f'{{"orderCode":"O","created":"{STAMP}","status":"Open","amount":5,"executed":{{"fee":{form}}}}}'
        reader, row = read("orders", text)
        assert (row.key, row.flaw, reader.status(row), amounts_of(reader, row)) == ("O", "executed.fee", "OPEN", [])

    @pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"5", b"\xff", b'{"orderCode":["O"]}'])
    def test_no_record(self, raw: bytes) -> None:
        with pytest.raises(NexusDataError):
            RowReader(get_resource("orders")).read(raw)


@pytest.mark.parametrize("amount", ["0", "0.0", "-0", "0E-8", '"0"', "12.50", "1E5", "null"])
def test_an_amount_in_a_key_is_the_same_text_alone_and_in_a_page(amount: str) -> None:
    """A record with one text for its key on its own, and another on a page of such records, would be two records."""

    def mutation(crypto: str, amount: str) -> bytes:
        members = f'"transactionCode":"T","type":"FEE","cryptoCode":"{crypto}","cryptoAmount":{amount}'
        return f'{{{members},"created":"2026-01-01T10:00:00Z"}}'.encode()

    reader, raw = RowReader(get_resource("hot_wallet_mutations")), mutation("BTC", amount)
    pages = [reader.page([raw]), reader.page([raw, mutation("ETH", "7")])]
    assert {page[0].key for page in pages} == {reader.read(raw).key}


def test_in_order_is_by_stamp_key_and_text() -> None:
    rows = [
        Row("2026-01-02T03:04:05", "A", b"1"),
        Row("2026-01-02T03:04:05", "A", b"2"),
        Row("2026-01-02T03:04:05", "B", b"0"),
        Row("2026-01-02T03:04:05.1", "A", b"0", object()),
        Row("2026-01-02T03:04:05.1", "A", b"0", object()),
        Row("2026-01-02T03:04:06", "A", b"0"),
    ]
    for seed in range(5):
        shuffled = random.Random(seed).sample(rows, len(rows))
        assert [row[:3] for row in in_order(shuffled)] == [row[:3] for row in rows]


@pytest.mark.parametrize("value", ['"\\ud800"', "9" * 5000])
def test_a_record_that_python_can_not_read_is_named(value: str) -> None:
    """Its amounts, key and stamp can be read, so it is stored as it came; as a dict nobody can have it."""
    reader = RowReader(get_resource("orders"))
    (row,) = reader.page([f'{{"orderCode":"O1","created":"2026-01-01T10:00:00Z","reason":{value}}}'.encode()])
    with pytest.raises(NexusDataError, match="orders record O1"):
        reader.record(row)
