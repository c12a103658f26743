from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.envelope import MalformedAnswerError, RefusedAnswerError
from airflow_provider_nexus.api.resource import Shape
from airflow_provider_nexus.api.resources import RESOURCES, get_resource

BOM = b"\xef\xbb\xbf"
DIGITS = ("199.99998000", "-1E-05", "0.30000000000000004", "123456789012.12345678", "1" * 40, "-" + "9" * 40, "0", "-0.00", "1e5")
BY_SHAPE = {
    Shape.PAGED: "transactions",
    Shape.ARRAY: "portfolios",
    Shape.OBJECT: "label_partner",
    Shape.LISTS: "reserves",
    Shape.KEYED: "prices",
}
"""One resource of every shape; what is said of these holds for all."""


def wrapped(values: str, errors: str = "null") -> bytes:
    return b'{"message":"Successfully processed your request","errors":%b,"values":%b}' % (errors.encode(), values.encode())


def holding(shape: Shape, record: str) -> str:
    """``values`` with one record."""
    return {
        Shape.PAGED: f'{{"page":1,"total":1,"totalPages":1,"filteringParameters":{{}},"records":[{record}]}}',
        Shape.ARRAY: f"[{record}]",
        Shape.OBJECT: record,
        Shape.LISTS: f'{{"currencyReserves":[{record}],"cryptoReserves":null}}',
        Shape.KEYED: f'{{"currencyCode":"EUR","created":"2026-01-02T03:04:05","prices":{{"BTC":{record}}}}}',
    }[shape]


def read(name: str, body: bytes) -> list[bytes]:
    return envelope.records(get_resource(name), body).raw


every_shape = pytest.mark.parametrize("shape", list(Shape))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=8)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.just("line\nbreak\r\n"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)
json_objects = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), json_values, max_size=6)


def written(value: Any, indent: int | None = None) -> str:
    """JSON text with decimals as numbers."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        gap = "\n" if indent else ""
        return "{" + gap + ("," + gap).join(f"{json.dumps(n)}:{gap}{written(v, indent)}" for n, v in value.items()) + gap + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, indent) for item in value) + "]"
    return json.dumps(value)


def plain(text: bytes | str) -> Any:
    return json.loads(text, parse_float=Decimal)


def test_every_shape_of_the_catalogue_is_covered() -> None:
    assert {resource.shape for resource in RESOURCES.values()} == set(BY_SHAPE)
    assert all(get_resource(name).shape is shape for shape, name in BY_SHAPE.items())


class TestShapes:
    def test_page(self) -> None:
        found = envelope.records(
            get_resource("transactions"), wrapped('{"page":1,"total":116,"totalPages":3,"records":[{"a":1},{"a": 2 }]}')
        )
        assert (found.raw, found.total, found.total_pages) == ([b'{"a":1}', b'{"a": 2 }'], 116, 3)

    def test_empty_page(self) -> None:
        found = envelope.records(get_resource("transactions"), wrapped('{"page":9,"total":0,"totalPages":0,"records":[]}'))
        assert (found.raw, found.total, found.total_pages) == ([], 0, 0)

    def test_page_without_counts(self) -> None:
        found = envelope.records(get_resource("transactions"), wrapped('{"records":[{}]}'))
        assert (found.raw, found.total, found.total_pages) == ([b"{}"], None, None)

    def test_array_counts_itself(self) -> None:
        found = envelope.records(get_resource("portfolios"), wrapped('[{"code":"A"},{"code":"B"}]'))
        assert (found.raw, found.total, found.total_pages) == ([b'{"code":"A"}', b'{"code":"B"}'], 2, 1)

    def test_array_without_envelope(self) -> None:
        assert read("hot_wallet_balances", b'[{"cryptoCode":"BTC"}]') == [b'{"cryptoCode":"BTC"}']

    def test_object_is_the_record(self) -> None:
        assert read("label_partner", wrapped('{"labelPartnerCode":"X"}')) == [b'{"labelPartnerCode":"X"}']

    def test_lists_mark_their_records(self) -> None:
        body = wrapped('{"currencyReserves":[{"code":"EUR"}],"cryptoReserves":[{"code":"BTC"},{}]}')
        assert read("reserves", body) == [
            b'{"reserveKind":"currency","code":"EUR"}',
            b'{"reserveKind":"crypto","code":"BTC"}',
            b'{"reserveKind":"crypto"}',
        ]

    @pytest.mark.parametrize("values", ['{"currencyReserves":null}', '{"currencyReserves":[],"cryptoReserves":[]}'])
    def test_lists_without_records(self, values: str) -> None:
        assert read("reserves", wrapped(values)) == []

    @pytest.mark.parametrize("values", ["{}", '{"reserves":[]}'])
    def test_no_list_at_all_is_not_an_empty_one(self, values: str) -> None:
        with pytest.raises(MalformedAnswerError, match="without currencyReserves and cryptoReserves"):
            read("reserves", wrapped(values))

    def test_lists_without_marks(self) -> None:
        assert read("currencies", wrapped('{"baseCurrency":{},"currencies":[{"code":"EUR"}]}')) == [b'{"code":"EUR"}']

    def test_keyed_with_a_holder(self) -> None:
        assert read("prices", wrapped(holding(Shape.KEYED, '{"buy":1}'))) == [
            b'{"currencyCode":"EUR","created":"2026-01-02T03:04:05","cryptoCode":"BTC","buy":1}'
        ]

    def test_keyed_without_holder_and_envelope(self) -> None:
        assert read("broker_balances", b'{"BTC":{"a":1},"ETH":{"balanceCurrencyCode":"ETH"}}') == [
            b'{"balanceCurrencyCode":"BTC","a":1}',
            b'{"balanceCurrencyCode":"ETH"}',
        ]

    @pytest.mark.parametrize(
        ("name", "body"),
        [
            ("transactions", wrapped("[]")),
            ("transactions", wrapped("null")),
            ("transactions", wrapped('{"records":{}}')),
            ("transactions", wrapped('{"records":null}')),
            ("transactions", wrapped('{"total":0}')),
            ("transactions", b'{"message":null,"errors":null}'),
            ("transactions", b"[]"),
            ("transactions", b""),
            ("transactions", b"<html></html>"),
            ("transactions", wrapped('{"records":[{"a":1}],"total":1}')[:-9]),
            ("transactions", wrapped('{"total":1,"records":[{"a":"?"}]}').replace(b"?", b"\xff")),
            ("portfolios", wrapped("{}")),
            ("portfolios", b"[]"),
            ("label_partner", wrapped("[]")),
            ("label_partner", wrapped("null")),
            ("reserves", wrapped("[]")),
            ("reserves", wrapped('{"currencyReserves":{}}')),
            ("prices", wrapped('{"currencyCode":"EUR"}')),
            ("prices", wrapped('{"prices":null}')),
            ("prices", wrapped('{"prices":{"BTC":null}}')),
            ("hot_wallet_balances", b"{}"),
            ("broker_balances", b"[]"),
        ],
    )
    def test_another_shape_is_malformed(self, name: str, body: bytes) -> None:
        with pytest.raises(MalformedAnswerError):
            read(name, body)


class TestForms:
    @every_shape
    @pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.swapcase])
    def test_names_in_any_case(self, shape: Shape, change: Any) -> None:
        name = BY_SHAPE[shape]
        body = wrapped(holding(shape, '{"1":1}')).decode()
        for word in (
            "values",
            "errors",
            "message",
            "records",
            "total",
            "totalPages",
            "prices",
            "currencyReserves",
            "currencyCode",
        ):
            body = body.replace(f'"{word}"', f'"{change(word)}"')
        assert [plain(record)["1"] for record in read(name, body.encode())] == [1]

    def test_counts_in_another_case_beside_records_in_the_known_one(self) -> None:
        found = envelope.records(get_resource("transactions"), wrapped('{"records":[{}],"Total":7,"TOTALPAGES":2}'))
        assert (found.total, found.total_pages) == (7, 2)

    @every_shape
    def test_bom(self, shape: Shape) -> None:
        body = wrapped(holding(shape, '{"a":1}'))
        assert read(BY_SHAPE[shape], BOM + body) == read(BY_SHAPE[shape], body) != []

    @every_shape
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_pretty_printed_record_becomes_one_line(self, shape: Shape, newline: str) -> None:
        value = {"a": "line\nbreak\r and\ttab \u2028 \\n", "b": [1, {"c": None}], "d": "é€𝄞"}
        text = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", newline)
        (record,) = read(BY_SHAPE[shape], wrapped(holding(shape, text)))
        assert b"\n" not in record
        assert b"\r" not in record
        assert value.items() <= json.loads(record).items()

    @every_shape
    @pytest.mark.parametrize("digits", DIGITS)
    def test_digits_to_the_character(self, shape: Shape, digits: str) -> None:
        (record,) = read(BY_SHAPE[shape], wrapped(holding(shape, f'{{"amount":{digits}}}')))
        assert record.endswith(f'"amount":{digits}}}'.encode())

    @pytest.mark.parametrize("digits", DIGITS)
    def test_unwrap_keeps_digits(self, digits: str) -> None:
        value = envelope.unwrap(wrapped(f'{{"amount":{digits}}}'))["amount"]
        assert not isinstance(value, float)
        assert Decimal(value).as_tuple() == Decimal(digits).as_tuple()


class TestRefusals:
    refusing = pytest.mark.parametrize(
        "errors", ['["InvalidQueryParameter"]', '"Nope"', '[""]', '{"a":["b"]}', "[null]", "[ 1 ]"]
    )
    agreeing = pytest.mark.parametrize("errors", ["null", "[]", "[ ]", '""', "{}", "[\n]"])

    @every_shape
    @refusing
    @pytest.mark.parametrize("name", ["errors", "Errors", "ERRORS"])
    def test_records(self, shape: Shape, errors: str, name: str) -> None:
        body = wrapped(holding(shape, "{}"), errors).replace(b'"errors"', f'"{name}"'.encode())
        with pytest.raises(RefusedAnswerError):
            read(BY_SHAPE[shape], body)

    @every_shape
    @agreeing
    def test_no_errors(self, shape: Shape, errors: str) -> None:
        assert len(read(BY_SHAPE[shape], wrapped(holding(shape, "{}"), errors))) == 1
        assert envelope.unwrap(wrapped('{"a":1}', errors)) == {"a": 1}

    @refusing
    @pytest.mark.parametrize("name", ["errors", "Errors", "ERRORS"])
    def test_unwrap(self, errors: str, name: str) -> None:
        for body in (wrapped("null", errors), b'{"message":"no","errors":%b}' % errors.encode()):
            with pytest.raises(RefusedAnswerError):
                envelope.unwrap(body.replace(b'"errors"', f'"{name}"'.encode()))

    @pytest.mark.parametrize("name", ["hot_wallet_balances", "broker_balances"])
    def test_envelope_in_place_of_a_bare_body(self, name: str) -> None:
        with pytest.raises(RefusedAnswerError):
            read(name, wrapped("null", '["Forbidden"]'))


class TestUnwrap:
    @pytest.mark.parametrize("body", [b"", b" \r\n", BOM])
    def test_empty(self, body: bytes) -> None:
        assert envelope.unwrap(body) is None

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            (wrapped("null"), None),
            (wrapped("[1,2]"), [1, 2]),
            (b'{"VALUES":{"a":true}}', {"a": True}),
            (b"[[1.50]]", [[Decimal("1.50")]]),
            (b'{"BTC":{"errors":["kept"]}}', {"BTC": {"errors": ["kept"]}}),
            (b'"text"', "text"),
        ],
    )
    def test_value(self, body: bytes, value: object) -> None:
        assert envelope.unwrap(body) == envelope.unwrap(BOM + body) == value

    @pytest.mark.parametrize(
        "body", [b"<html>", b'{"values":', b"NaN", b'{"a":1e999999999999999999999}', b'"\xff"', b"[" * 100_000]
    )
    def test_no_json(self, body: bytes) -> None:
        with pytest.raises(MalformedAnswerError):
            envelope.unwrap(body)


class TestInject:
    @pytest.mark.parametrize(
        ("raw", "members", "out"),
        [
            (b'{"a": 1.50 }', {"b": b"2"}, b'{"b":2,"a": 1.50 }'),
            (b'  { "a":1E-05}', {"b": b'"x"', "c": b"null"}, b'{"b":"x","c":null,"a":1E-05}'),
            (b"{}", {"b": b"2"}, b'{"b":2}'),
            (b" { } ", {"b": b"2"}, b'{"b":2}'),
            (b"{}", {}, b"{}"),
            (b'{"a":1}', {}, b'{"a":1}'),
            (b'{"A":1}', {"a": b"2"}, b'{"A":1}'),
            (b'{"a":1}', {'q"uote': b"2"}, b'{"q\\"uote":2,"a":1}'),
        ],
    )
    def test_the_rest_stays_as_it_came(self, raw: bytes, members: dict[str, bytes], out: bytes) -> None:
        assert envelope.inject(raw, members) == out


@given(st.lists(json_objects, max_size=4), st.booleans(), st.booleans())
def test_any_record_survives_a_page(objects: list[dict[str, Any]], pretty: bool, in_capitals: bool) -> None:
    texts = [written(each, 2 if pretty else None) for each in objects]
    name = "RECORDS" if in_capitals else "records"
    found = envelope.records(get_resource("transactions"), wrapped(f'{{"{name}":[{",".join(texts)}],"total":{len(objects)}}}'))
    assert [plain(record) for record in found.raw] == [plain(text) for text in texts]
    assert found.total == len(objects)
    assert not any(b"\n" in record for record in found.raw)
    if not pretty:
        assert found.raw == [text.encode() for text in texts]


@given(json_objects, st.dictionaries(st.sampled_from(["reserveKind", "cryptoCode", "created"]), json_values))
def test_any_object_survives_injection(own: dict[str, Any], new: dict[str, Any]) -> None:
    raw = written(own).encode()
    out = envelope.inject(raw, {name: written(value).encode() for name, value in new.items()})
    taken = {name.lower() for name in own}
    assert plain(out) == {**{n: plain(written(v)) for n, v in new.items() if n.lower() not in taken}, **plain(raw)}
    assert out.endswith(raw.strip()[1:])


@pytest.mark.parametrize("name", [b"values", b"Values", b"VALUES"])
@pytest.mark.parametrize("other", [b"", b'{"orderCode":"O"}', b'{"orderCode":"P"}', b'{"values":1},{"orderCode":"O"}'])
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("gap", [b"", b" ", b"\n"])
def test_two_values_are_none(name: bytes, other: bytes, is_first: bool, gap: bytes) -> None:
    """Either could have the records that count."""
    one = b'"values":%b{"records":[{"orderCode":"O"},%b{"orderCode":"O"}],"total":2,"totalPages":1}' % (gap, gap)
    two = b'"%b":{"records":[%b],"total":0}' % (name, other)
    body = b"{%b}" % b",".join([two, one] if is_first else [one, two])
    with pytest.raises(MalformedAnswerError, match="twice"):
        envelope.records(get_resource("orders"), body)


@pytest.mark.parametrize("gap", [b"", b" "])
def test_values_in_a_record_are_its_own(gap: bytes) -> None:
    raw = [b'{"orderCode":"O","values":{"records":[]}}', b'{"VALUES":"values"}', b'{"orderCode":"O","values":{"records":[]}}']
    body = b'{"errors":null,"values":{"records":[%b],"total":3,"totalPages":1}}' % (b"," + gap).join(raw)
    assert envelope.records(get_resource("orders"), body).raw == raw
