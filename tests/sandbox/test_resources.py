"""Every resource of the catalogue can be read, with exactly the fields that its schema knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.api.schemas.field import Field
from tests.sandbox.conftest import Client, Make, decoded

ALL = list(RESOURCES.values())
TOP = [resource for resource in ALL if not resource.parent]
UNCERTAIN = ("exchanges", "trade_pairs")
"""Their shapes were never seen on the wire: see the tests of other shapes."""
CHILDREN = [resource for resource in ALL if resource.parent]


def names(resources: list[Resource]) -> list[str]:
    return [resource.name for resource in resources]


def parents(client: Client, resource: Resource) -> list[str]:
    key = RESOURCES[resource.parent].key[0]
    return [decoded(record)[key] for record in client.sandbox.truth(resource.parent)]


def record_texts(client: Client, resource: Resource, parent: str = "") -> list[bytes]:
    path = resource.collection_path(parent)
    if resource.shape is Shape.PAGED:
        stamp = resource.created.stamp if resource.created else ""
        return client.read_all(path, limit=500, sortBy=stamp, **parent_query(resource, parent))
    return client.sandbox.truth(resource.name, parent=parent)


def parent_query(resource: Resource, parent: str) -> dict[str, str]:
    return {resource.parent_query: parent} if resource.parent_query else {}


@pytest.mark.parametrize("resource", TOP, ids=names(TOP))
def test_list(shared: Client, resource: Resource) -> None:
    answer = shared.get(resource.path)
    assert answer.status_code == 200
    body = decoded(answer.content)
    assert ("values" in body) is resource.envelope
    if resource.shape is not Shape.PAGED and resource.name not in UNCERTAIN:
        values = body["values"] if resource.envelope else body
        assert isinstance(values, list) is (resource.shape is Shape.ARRAY)
        assert all(name in values for name in resource.holders)
    texts = record_texts(shared, resource)
    assert sorted(texts) == sorted(shared.sandbox.truth(resource.name))
    assert texts


@pytest.mark.parametrize("resource", [each for each in ALL if each.member_path], ids=lambda each: each.name)
def test_record(shared: Client, resource: Resource) -> None:
    for text in shared.sandbox.truth(resource.name)[:20]:
        record = decoded(text)
        single = shared.values(resource.record_path(record[resource.key[0]]))
        assert {**single, **record} == single
    missing = shared.get(resource.record_path("no-such"))
    assert missing.status_code == 404
    assert missing.json()["errors"][0].endswith("NotFound")
    assert missing.json()["values"] is None


@pytest.mark.parametrize("resource", CHILDREN, ids=names(CHILDREN))
def test_children(shared: Client, resource: Resource) -> None:
    seen = 0
    for parent in parents(shared, resource)[:40]:
        if shared.get(resource.collection_path(parent), **parent_query(resource, parent)).status_code == 404:
            assert parent == "SEK", "only a currency that is not in use has no prices"
            continue
        texts = record_texts(shared, resource, parent)
        assert sorted(texts) == sorted(shared.sandbox.truth(resource.name, parent=parent))
        seen += len(texts)
    assert seen
    assert shared.get(resource.collection_path("no-such"), **parent_query(resource, "no-such")).status_code == 404


def test_no_customer_has_more_traces_than_a_page_as_no_source_shows_another(shared: Client) -> None:
    pages = [shared.page(f"/customer/{code}/trace") for code in parents(shared, RESOURCES["customer_traces"])]
    assert 20 < max(page.total for page in pages) < 50
    assert all(page.total == len(page.records) for page in pages)


def paths(value: Any, fields: tuple[Field, ...], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of a record; fields without known children end a path."""
    known = {field.name: field for field in fields}
    for name, held in value.items():
        path = (*prefix, name)
        yield path
        field = known.get(name)
        assert field is not None, f"no schema knows {path}"
        inner = held if isinstance(held, list) else list(held.values()) if field.kind == "map" and held else [held]
        for item in inner if field.children else []:
            if isinstance(item, dict):
                yield from paths(item, field.children, path)


def everything(client: Client, resource: Resource) -> Iterator[Any]:
    for parent in parents(client, resource) if resource.parent else [""]:
        if parent != "SEK":
            yield from map(decoded, client.sandbox.truth(resource.name, parent=parent))
    if resource.member_path:
        for text in client.sandbox.truth(resource.name)[:20]:
            yield client.values(resource.record_path(decoded(text)[resource.key[0]]))
    if resource.name == "transactions":
        body = {"cryptoCode": "BTC", "currencyCode": "EUR", "fiatValue": 100, "paymentMethodCode": "CUST_BUY_IDEAL"}
        bought = client.post("/buy/custodian/simulate", customerCode="C0000000", **body)
        yield decoded(bought.content)["values"]["transaction"]


@pytest.mark.parametrize(("classic", "casp"), [(True, True), (True, False), (False, True)])
def test_fields_are_those_of_the_schemas(make: Make, classic: bool, casp: bool) -> None:
    client = make(classic=classic, casp=casp)
    offered = set("A" * classic + "B" * casp)
    for resource in ALL:
        if not offered & set(resource.surface):
            assert client.get(resource.collection_path("C0000000")).status_code == 404
            continue
        added = {resource.keyed_by, resource.holder_field, *resource.lifted, resource.parent_field}
        own = [field for field in resource.schema.fields if field.name not in added]
        expected = {field.name for field in own if offered & set(field.surface)}
        seen = {path for record in everything(client, resource) for path in paths(record, resource.schema.fields)}
        assert {path[0] for path in seen} - added == expected, resource.name
        if classic and casp:
            known = {path for path, field in resource.schema.walk() if path[0] not in added and path[-2:-1] != ("country",)}
            assert known <= seen | _never_filled(resource), resource.name


def _never_filled(resource: Resource) -> set[tuple[str, ...]]:
    """Blocks of callbacks for trades that no seed has: merchant payments, and for broker transactions what is not theirs."""
    blocks = {"transaction_callbacks": {"merchant"}, "broker_transaction_callbacks": {"merchant", "sendout", "receiveIn"}}
    wanted = blocks.get(resource.name, set())
    return {path for path, _ in resource.schema.walk() if path[0] == "notification" and path[1:2] and path[1] in wanted}


def test_unknown_fields(make: Make) -> None:
    client = make(unknown_fields=True, customers=5, transactions=50)
    for resource in ALL:
        if resource.shape is Shape.PAGED and not resource.parent:
            assert all("sandboxExtra" in decoded(text) for text in client.sandbox.truth(resource.name)), resource.name


def test_awkward_values_are_there(shared: Client) -> None:
    text = b"\n".join(shared.sandbox.truth("transactions") + shared.sandbox.truth("hot_wallet_mutations")).decode()
    for awkward in ("E-05", "E-08", "000000", ":0,", "123456789012", '"crypto":-'):
        assert awkward in text, awkward
    mails = [decoded(record) for record in shared.sandbox.truth("mails")]
    assert {"", "Sent"} <= {mail["sent"] for mail in mails} | {mail["status"] for mail in mails}
    assert any(mail["recipient"]["email"].endswith(" ") for mail in mails)
    assert any((each["txId"] or "").isdigit() for each in map(decoded, shared.sandbox.truth("transfers")))
    customers = [decoded(record) for record in shared.sandbox.truth("customers")]
    assert any(each["email"] is None for each in customers)
    assert any(not (each["firstName"] or "a").isascii() for each in customers)
    assert any(each["customerCode"].startswith("NL") for each in customers)


def test_float_noise_is_there(make: Make) -> None:
    client = make(transactions=3000)
    values = [decoded(record)["tradeValue"] for record in client.sandbox.truth("broker_transactions")]
    assert any(len(str(value)) > 15 for value in values)


def test_usual_amounts_are_believable(make: Make) -> None:
    client = make(transactions=3000, amounts="usual")
    values, places = defaultdict[str, list[Decimal]](list), defaultdict[str, int](int)
    for each in map(decoded, client.sandbox.truth("transactions")):
        amounts = each["requestedAmounts"]
        value, coins = amounts["fiatValue"], amounts["cryptoAmount"]
        values[each["currencyCode"]].append(Decimal(value))
        digits = f"{Decimal(coins):f}".rstrip("0").partition(".")[2]
        places[each["cryptoCode"]] = max(places[each["cryptoCode"]], len(digits))
        assert value == round(value, 2)
        assert abs(coins * amounts["cryptoPrice"] - value) < Decimal("0.02")
    for currency, found in values.items():
        found.sort()
        assert 150 < found[len(found) // 2] < 400, currency
        assert 1 < found[0] < 20, currency
        assert 3_000 < found[-1] < 150_000, currency
    assert 500_000 < sum(values["EUR"]) < 2_000_000
    assert (places["BTC"], places["ADA"], places["XLM"]) == (8, 6, 7)
    assert all(each["value"] < 150_000 for each in map(decoded, client.sandbox.truth("hot_wallet_mutations")))


def test_statuses_are_spelt_as_on_the_wire(shared: Client) -> None:
    for name in ("transactions", "orders", "transfers"):
        resource = RESOURCES[name]
        lifecycle = resource.lifecycle
        assert lifecycle is not None
        seen = {decoded(record)["status"] for record in shared.sandbox.truth(name)}
        assert seen <= set(lifecycle.statuses), name
    assert {decoded(record)["status"] for record in shared.sandbox.truth("customers")} >= {"ACTIVE"}
    broker = RESOURCES["broker_transactions"].lifecycle
    assert broker is not None
    assert {decoded(record)["status"] for record in shared.sandbox.truth("broker_transactions")} <= set(broker.statuses)


def test_codes_look_as_described(shared: Client) -> None:
    codes = [decoded(record)["transactionCode"] for record in shared.sandbox.truth("transactions")]
    assert len(set(codes)) == len(codes)
    assert all(len(code) == 19 and code[:2].isalpha() and code[2:16].isdigit() and code[16].isalpha() for code in codes)


def test_views_of_one_trade_agree(shared: Client) -> None:
    casp = {each["transactionCode"]: each for each in map(decoded, shared.sandbox.truth("transactions"))}
    broker = [decoded(record) for record in shared.sandbox.truth("broker_transactions")]
    assert len(broker) == sum(each["type"].startswith("BROKER") for each in casp.values()) == 480
    for each in broker:
        other = casp[each["transactionCode"]]
        assert other["type"] == f"BROKER{each['type']}"
        assert (other["customerCode"], other["accountCode"], other["created"]) == (
            each["customerCode"],
            each["accountCode"],
            each["created"],
        )
        assert other["requestedAmounts"]["fiatValue"] == each["tradeValue"]
        assert (other["status"] == "COMPLETED") is each["status"].endswith("Completed")


def test_records_belong_together(shared: Client) -> None:
    customers = {each["customerCode"]: each for each in map(decoded, shared.sandbox.truth("customers"))}
    accounts = {each["accountCode"]: each for each in map(decoded, shared.sandbox.truth("accounts"))}
    trades = {each["transactionCode"]: each for each in map(decoded, shared.sandbox.truth("transactions"))}
    orders = {each["orderCode"] for each in map(decoded, shared.sandbox.truth("orders"))}
    for each in trades.values():
        account = accounts[each["accountCode"]]
        assert account["customerCode"] == each["customerCode"]
        assert account["dcCode"] == each["cryptoCode"]
        assert customers[each["customerCode"]]["created"] <= each["created"]
        if each["linkedTransactionCode"]:
            assert trades[each["linkedTransactionCode"]]["linkedTransactionCode"] == each["transactionCode"]
            assert {each["direction"], trades[each["linkedTransactionCode"]]["direction"]} == {"SOURCE", "DESTINATION"}
    linked = [each["exchangeOrderCode"] for each in map(decoded, shared.sandbox.truth("broker_transactions"))]
    assert {code for code in linked if code} <= orders
    assert any(linked)
    assert any(each["linkedTransactionCode"] for each in trades.values())


def test_mutations_come_in_twos(shared: Client) -> None:
    ledger = [decoded(record) for record in shared.sandbox.truth("hot_wallet_mutations")]
    assert len(ledger) == 2400
    assert all(
        fee["type"] == "FEE" and fee["created"] == move["created"] for move, fee in zip(ledger[::2], ledger[1::2], strict=True)
    )
    key = RESOURCES["hot_wallet_mutations"].key
    assert len({tuple(str(each[name]) for name in key) for each in ledger}) == len(ledger)


def test_same_seed_same_bytes(make: Make) -> None:
    first, second, other = make(), make(), make(seed=8)
    for name in ("transactions", "customers", "mails"):
        assert first.sandbox.truth(name) == second.sandbox.truth(name)
        assert first.sandbox.truth(name) != other.sandbox.truth(name)
