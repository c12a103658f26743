from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pendulum
import pytest

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.records import key_text, typed
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.schemas.field import Schema, fiat, flag, integer, mapping, nested, text, time
from airflow_provider_nexus.exceptions import NexusDataError

SAMPLE = Resource(
    name="samples",
    path="/samples",
    meaning="Samples",
    key=("code",),
    schema=Schema(
        "RecordSample",
        (
            text("code", "Code"),
            integer("count", "Count"),
            flag("isOn", "On"),
            mapping("prices", "By currency", fiat("value", "Value"), time("updated", "Read")),
            mapping("data", "Free"),
            nested("outer", "Outer", nested("inner", "Inner", fiat("fee", "Fee"))),
        ),
    ),
)


def read(resource: str, body: str) -> dict[str, Any]:
    """A record as it goes from the wire to a user."""
    return typed(get_resource(resource), envelope.decode(body.encode()))


def kept(resource: str, body: str) -> list[tuple[str, str]]:
    """What is reported of a record whose odd values stay as they came."""
    told: list[tuple[str, str]] = []
    record = envelope.decode(body.encode())
    assert typed(get_resource(resource), record, lambda path, expected: told.append((path, expected))) == record
    assert typed(get_resource(resource), record) == record
    return told


class TestMoney:
    @pytest.mark.parametrize(
        "digits", ["199.99998000", "-1E-05", "0.30000000000000004", "123456789012.12345678", "5", "0", "-7", "1" * 40]
    )
    def test_is_decimal_with_its_digits(self, digits: str) -> None:
        for form in (digits, f'"{digits}"', f'" {digits} "'):
            value = read("broker_transactions", f'{{"transactionCode":"A","payout":{form}}}')["payout"]
            assert type(value) is Decimal
            assert value.as_tuple() == Decimal(digits).as_tuple()

    @pytest.mark.parametrize("value", ["x", "", "NaN", "Infinity", "-inf", True, [], {}, 1.5, "1_000", "\u0661\u0662", "0x10"])
    def test_refuses_what_is_no_number(self, value: object) -> None:
        with pytest.raises(NexusDataError, match="not a decimal number"):
            typed(get_resource("broker_transactions"), {"transactionCode": "A", "payout": value})

    def test_prices_and_ratios_too(self) -> None:
        assert type(read("currencies", '{"code":"EUR","rate":1}')["rate"]) is Decimal
        assert type(read("customer_persons", '{"id":"P","ownershipPercentage":1}')["ownershipPercentage"]) is Decimal


class TestTime:
    @pytest.mark.parametrize(
        ("form", "microsecond"),
        [
            ("2026-01-02T03:04:05", 0),
            ("2026-01-02T03:04:05Z", 0),
            ("2026-01-02T03:04:05.678", 678000),
            ("2026-01-02T03:04:05.678Z", 678000),
            ("2026-01-02T03:04:05.1234567Z", 123456),
            ("2026-01-02T05:04:05+02:00", 0),
        ],
    )
    def test_every_form_is_pendulum_in_utc(self, form: str, microsecond: int) -> None:
        value = read("customers", f'{{"customerCode":"C","created":"{form}"}}')["created"]
        assert isinstance(value, pendulum.DateTime)
        assert value == pendulum.datetime(2026, 1, 2, 3, 4, 5, microsecond)
        assert value.timezone_name == "UTC"

    @pytest.mark.parametrize("form", ['""', '"  "', "null"])
    def test_never(self, form: str) -> None:
        assert read("mails", f'{{"code":"M","sent":{form}}}') == {"code": "M", "sent": None}
        assert read("customers", f'{{"customerCode":"C","dateOfBirth":{form}}}')["dateOfBirth"] is None

    @pytest.mark.parametrize(
        "form", ['"03:04"', '"2026-01-02"', '"2026-02-30T00:00:00Z"', "1767323045000", "1.5", "true", "[]", "{}"]
    )
    def test_refuses_the_rest(self, form: str) -> None:
        with pytest.raises(NexusDataError, match="not an ISO 8601 time stamp"):
            read("customers", f'{{"customerCode":"C","created":{form}}}')

    @pytest.mark.parametrize("form", ["1990-05-06", "1990-05-06T00:00:00", "1990-05-06T00:00:00Z"])
    def test_date(self, form: str) -> None:
        value = read("customers", f'{{"customerCode":"C","dateOfBirth":"{form}"}}')["dateOfBirth"]
        assert type(value) is date
        assert value == date(1990, 5, 6)

    @pytest.mark.parametrize("form", ['"1990-05-06T10:00:00"', '"6 May"', "19900506", "true"])
    def test_what_is_no_date_stays(self, form: str) -> None:
        assert kept("customers", f'{{"customerCode":"C","dateOfBirth":{form}}}') == [("dateOfBirth", "a date")]


class TestText:
    @pytest.mark.parametrize(
        ("form", "value"),
        [
            ("12345678901234567890", "12345678901234567890"),
            ("0", "0"),
            ('"00012"', "00012"),
            ('" padded "', " padded "),
            ('""', ""),
            ("1.50", "1.50"),
        ],
    )
    def test_ids_stay_text(self, form: str, value: str) -> None:
        assert read("transfers", f'{{"transferCode":"T","txId":{form}}}')["txId"] == value

    @pytest.mark.parametrize("form", ["true", "[]", "{}"])
    def test_what_is_no_text_stays(self, form: str) -> None:
        assert kept("transfers", f'{{"transferCode":"T","txId":{form}}}') == [("txId", "text")]

    @pytest.mark.parametrize("form", ["true", "[]", "{}"])
    @pytest.mark.parametrize("name", ["transferCode", "cryptoCode", "status"])
    def test_a_key_a_currency_and_a_status_are_text(self, name: str, form: str) -> None:
        with pytest.raises(NexusDataError, match="not text"):
            read("transfers", f'{{"{name}":{form}}}')


class TestContainers:
    def test_nested_objects(self) -> None:
        record = read("orders", '{"orderCode":"O","executed":{"amount":1,"partial":false},"tradePair":null}')
        assert record == {"orderCode": "O", "executed": {"amount": Decimal(1), "partial": False}, "tradePair": None}
        assert type(record["executed"]["amount"]) is Decimal

    def test_lists_of_objects(self) -> None:
        body = '{"balanceCurrencyCode":"BTC","currencies":[{"ask":2,"rates":[{"rate":3,"updated":"2026-01-02T03:04:05"}]},null]}'
        currencies = read("broker_balances", body)["currencies"]
        assert currencies == [
            {"ask": Decimal(2), "rates": [{"rate": Decimal(3), "updated": pendulum.datetime(2026, 1, 2, 3, 4, 5)}]},
            None,
        ]
        assert type(currencies[0]["rates"][0]["rate"]) is Decimal

    def test_maps_of_objects(self) -> None:
        prices = {"EUR": {"value": 1, "updated": ""}, "USD": None}
        assert typed(SAMPLE, {"code": "A", "prices": prices})["prices"] == {
            "EUR": {"value": Decimal(1), "updated": None},
            "USD": None,
        }

    def test_deep_objects(self) -> None:
        fee = typed(SAMPLE, {"code": "A", "OUTER": {"Inner": {"FEE": 2}}})["OUTER"]["Inner"]["FEE"]
        assert type(fee) is Decimal

    def test_free_data_stays(self) -> None:
        data = {"payout": 1, "created": "x", "nested": {"a": [1, True]}}
        assert typed(SAMPLE, {"code": "A", "data": data}) == {"code": "A", "data": data}

    @pytest.mark.parametrize(("name", "value"), [("tradePair", []), ("tradePair", "x"), ("executed", 5)])
    def test_refuses_another_container_for_money_and_its_currency(self, name: str, value: object) -> None:
        with pytest.raises(NexusDataError) as caught:
            typed(get_resource("orders"), {"orderCode": "O", name: value})
        assert caught.value.field == name

    @pytest.mark.parametrize("value", ["5", '"x"', "[]", "true"])
    def test_another_container_stays(self, value: str) -> None:
        assert kept("customer_persons", f'{{"id":"P","nationality":{value}}}') == [("nationality", "an object")]


class TestOtherKinds:
    @pytest.mark.parametrize("updated", ["true", "false"])
    def test_a_flag(self, updated: str) -> None:
        pair = read("trade_pairs", f'{{"code":"A","status":{{"updated":{updated}}}}}')
        assert pair["status"]["updated"] is (updated == "true")

    def test_a_time_where_a_flag_is_declared(self) -> None:
        pair = read("trade_pairs", '{"code":"A","status":{"updated":"2026-01-02T03:04:05"}}')
        assert pair["status"]["updated"] == pendulum.datetime(2026, 1, 2, 3, 4, 5)

    @pytest.mark.parametrize("country", ['"NL"', '{"code":"NL","name":"Netherlands"}', "null"])
    def test_a_text_where_an_object_may_be(self, country: str) -> None:
        body = f'{{"id":"3f2b","bank":{{"id":"8c1d","country":{country}}}}}'
        assert read("customer_bank_accounts", body) == json.loads(body)
        assert kept("customer_bank_accounts", body) == []


def test_unknown_fields_stay_untouched_and_in_place() -> None:
    body = '{"newField":{"x":1.50,"y":[2]},"customerCode":"C","other":7,"when":"2026-01-02T03:04:05"}'
    record = read("customers", body)
    assert list(record) == ["newField", "customerCode", "other", "when"]
    assert record == {
        "newField": {"x": Decimal("1.50"), "y": [2]},
        "customerCode": "C",
        "other": 7,
        "when": "2026-01-02T03:04:05",
    }
    assert type(record["other"]) is int


def test_names_in_any_case_keep_their_spelling() -> None:
    record = read("orders", '{"ORDERCODE":"O","Amount":5,"CREATED":"","executed":{"VALUE":2}}')
    assert list(record) == ["ORDERCODE", "Amount", "CREATED", "executed"]
    assert type(record["Amount"]) is type(record["executed"]["VALUE"]) is Decimal
    assert record["CREATED"] is None


def test_the_record_handed_in_is_not_changed() -> None:
    record = {"orderCode": "O", "executed": {"amount": 1}}
    typed(get_resource("orders"), record)
    assert record == {"orderCode": "O", "executed": {"amount": 1}}


def test_integers_and_flags_stay() -> None:
    record = typed(SAMPLE, {"code": "A", "count": 3, "isOn": True})
    assert type(record["count"]) is int
    assert record["isOn"] is True


def test_error_names_resource_key_field_and_value() -> None:
    with pytest.raises(NexusDataError) as caught:
        read("orders", '{"orderCode":"O-1","executed":{"fee":"a lot"}}')
    error = caught.value
    assert (error.resource, error.key, error.field, error.value) == ("orders", "O-1", "executed.fee", "a lot")
    assert str(error) == "orders record O-1: field 'executed.fee' holds 'a lot', which is not a decimal number"


@pytest.mark.parametrize(
    ("resource", "record", "key"),
    [
        ("orders", {"ORDERCODE": "O"}, "O"),
        ("orders", {}, ""),
        ("orders", {"orderCode": 17}, "17"),
        ("prices", {"currencyCode": "EUR", "cryptoCode": "BTC"}, "EUR|BTC"),
        (
            "reserves",
            {"reserveKind": "crypto", "code": "BTC", "type": "HotWallet", "bucketCode": None},
            "crypto|BTC||HotWallet||",
        ),
    ],
)
def test_key_text(resource: str, record: dict[str, Any], key: str) -> None:
    assert key_text(get_resource(resource), record) == key


def test_a_personal_value_is_in_no_error() -> None:
    with pytest.raises(NexusDataError) as caught:
        typed(get_resource("customers"), {"customerCode": ["born 1970"]})
    assert "1970" not in str(caught.value.value)
