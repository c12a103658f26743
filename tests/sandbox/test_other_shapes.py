"""What no source has seen on the wire: as it is declared, and as the setting ``other_shapes`` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.cli.sandbox import parse_settings
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox.settings import OTHER_SHAPES
from tests.sandbox.conftest import Client, Make, decoded

CUSTOMER = "/customer/C0000000"
BANK_ACCOUNTS, DOCUMENTS = f"{CUSTOMER}/bankaccounts", "/integrations/documentstore/list?customerCode=NL20NEXS0000000001"


def read(client: Client, path: str) -> Any:
    values = client.values(path)
    return values["records"][0] if isinstance(values, dict) and "records" in values else values


def bank(client: Client) -> Any:
    return read(client, BANK_ACCOUNTS)["bank"]


def test_as_declared(make: Make) -> None:
    client = make(customers=60)
    pairs, exchange = read(client, "/tradepairs"), read(client, "/exchanges")
    assert list(pairs) == ["tradePairs"]
    assert {type(each["status"]["updated"]) for each in pairs["tradePairs"]} == {bool}
    assert set(exchange) == {"code", "name", "priceUpdated", "reserveUpdated"}
    assert len(client.sandbox.truth("exchanges")) == 1
    assert (bank(client)["country"], len(bank(client)["id"])) == ("NL", 36)
    assert set(read(client, DOCUMENTS)["documentStoreType"]) == {"Code", "Name", "OtherDescription"}


def test_other_shapes(make: Make) -> None:
    client = make(customers=60)
    client.sandbox.configure(other_shapes=["trade_pairs", "trade_pair_updated", "exchanges"])
    pairs = read(client, "/TradePairs")
    assert isinstance(pairs, list)
    assert pairs[0]["status"]["updated"] == "2026-03-01T12:00:00Z"
    assert [each["exchange"]["code"] for each in read(client, "/tradepairs/kraken")][:1] == ["KRAKEN"]
    assert [each["code"] for each in read(client, "/exchanges")] == ["BITSTAMP", "KRAKEN", "BITVAVO"]
    assert len(client.sandbox.truth("exchanges")) == 3
    client.sandbox.configure(other_shapes=["bank_country"])
    assert bank(client)["country"] == {"code": "NL", "name": "Netherlands"}
    assert len(bank(client)["id"]) == 36
    client.sandbox.configure(other_shapes=["bank_id", "document_names"])
    assert (bank(client)["country"], type(bank(client)["id"])) == ("NL", int)
    assert set(read(client, DOCUMENTS)["documentStoreType"]) == {"code", "name", "otherDescription"}
    made = client.post(BANK_ACCOUNTS, number="NL7", currencyCode="EUR", isPrimary=False, bank={"bicCode": "INGBNL2A"})
    assert decoded(made.content)["values"]["bank"]["id"] == bank(client)["id"]


def test_over_the_control_page_and_the_command_line(make: Make) -> None:
    client = make()
    assert client.post("/_sandbox/settings", other_shapes=["bank_country"]).status_code == 200
    assert isinstance(bank(client)["country"], dict)
    refused = client.post("/_sandbox/settings", other_shapes=["bank_town"])
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("unknown other_shapes bank_town: known are trade_pairs, exchanges, ")
    assert parse_settings(['other_shapes=["bank_country", "bank_id"]']) == {"other_shapes": ["bank_country", "bank_id"]}
    with pytest.raises(NexusConfigurationError):
        parse_settings(["other_shapes"])


def test_lists_of_the_classic_generation_carry_the_data_of_customers(make: Make) -> None:
    for generations, carried in (({}, True), ({"casp": False}, True), ({"classic": False}, False)):
        client = make(**generations)
        assert ("data" in decoded(bytes(client.page("/customer").records[0]))) is carried
        assert "data" in client.values(CUSTOMER)


def test_every_name_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sandbox.rst").read_text()
    assert all(f"\n``{name}``  " in page for name in OTHER_SHAPES)
