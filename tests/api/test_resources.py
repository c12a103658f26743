from __future__ import annotations

import pytest

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES, find_by_path, get_resource
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.exceptions import NexusUnknownResourceError

NAMES = [
    "transactions",
    "broker_transactions",
    "customers",
    "accounts",
    "orders",
    "transfers",
    "hot_wallet_mutations",
    "mails",
    "payment_methods",
    "trust_levels",
    "portfolios",
    "buckets",
    "currencies",
    "prices",
    "reserves",
    "balances",
    "hot_wallet_balances",
    "broker_balances",
    "exchanges",
    "trade_pairs",
    "label_partner",
    "customer_persons",
    "customer_bank_accounts",
    "customer_traces",
    "transaction_callbacks",
    "documents",
    "countries",
    "cryptocurrencies",
    "crypto_addresses",
    "banks",
    "data_templates",
    "document_types",
    "document_store",
    "interest_schedules",
    "sanction_lists",
    "sanction_list_uploads",
    "customer_compliance_history",
    "customer_comments",
    "customer_data",
    "customer_personal_data",
    "customer_trace_summaries",
    "customer_balances",
    "transaction_flows",
    "broker_transaction_callbacks",
    "payment_method_customer_fees",
    "payment_method_tag_fees",
]

every_resource = pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)


def _field(resource: Resource, *path: str) -> Field | None:
    return next((field for found, field in resource.schema.walk() if found == path), None)


def test_the_catalogue_is_complete() -> None:
    assert sorted(RESOURCES) == sorted(NAMES)


def test_the_catalogue_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        RESOURCES["mine"] = RESOURCES["mails"]  # type: ignore[index]


@every_resource
def test_names_are_unique_snake_case(resource: Resource) -> None:
    assert RESOURCES[resource.name] is resource
    assert resource.name.replace("_", "").isalpha()
    assert resource.name.islower()


@every_resource
def test_every_named_field_is_in_the_schema(resource: Resource) -> None:
    stamps = [resource.stamp, *(filter_.stamp for filter_ in (resource.created, resource.finished) if filter_)]
    named = [
        *(name.split(".")[0] for name in resource.key),
        resource.parent_field,
        resource.holder_field,
        resource.keyed_by,
        *resource.lifted,
        *stamps,
    ]
    assert [name for name in named if name and _field(resource, name) is None] == []


@every_resource
def test_every_record_can_be_told_from_another(resource: Resource) -> None:
    assert resource.key
    assert len(set(resource.key)) == len(resource.key)


@every_resource
def test_stamps_are_times(resource: Resource) -> None:
    stamps = [resource.stamp, *(filter_.stamp for filter_ in (resource.created, resource.finished) if filter_)]
    assert {field.kind for stamp in stamps if stamp and (field := _field(resource, stamp))} <= {"time"}


@every_resource
def test_currencies_of_amounts_are_texts_of_the_schema(resource: Resource) -> None:
    for path in (resource.fiat_code, resource.crypto_code):
        field = _field(resource, *path) if path else None
        assert not path or (field is not None and field.kind == "text"), path


@every_resource
def test_parents_exist_and_are_named_once(resource: Resource) -> None:
    if not resource.parent:
        assert (resource.parent_field, resource.parent_query, resource.parent_only) == ("", "", "")
        assert "{parent}" not in resource.path
        return
    parent = RESOURCES[resource.parent]
    assert not parent.parent
    assert resource.parent_field
    assert ("{parent}" in resource.path) != bool(resource.parent_query)
    assert not resource.parent_only or _field(parent, resource.parent_only) is not None


@every_resource
def test_paths_start_at_the_root(resource: Resource) -> None:
    for path in (resource.path, resource.member_path, resource.totals_path, *resource.not_members):
        assert path == "" or (path.startswith("/") and not path.endswith("/"))
    assert resource.totals_path == resource.totals_path.lower()
    assert all(path == path.lower() for path in resource.not_members)
    assert not resource.member_path or (len(resource.key) == 1 and "{code}" in resource.member_path)


@every_resource
def test_shapes_say_where_the_records_are(resource: Resource) -> None:
    keyed_or_lists = resource.shape in (Shape.LISTS, Shape.KEYED)
    assert not resource.holders or keyed_or_lists
    assert bool(resource.keyed_by) == (resource.shape is Shape.KEYED)
    assert bool(resource.holder_field) == any(resource.holders.values())
    assert len(set(resource.holders.values())) == len(resource.holders)


@every_resource
def test_filters_are_not_the_names_of_paging_or_of_the_window(resource: Resource) -> None:
    bounds = {
        name.lower() for filter_ in (resource.created, resource.finished) if filter_ for name in (filter_.since, filter_.until)
    }
    filters = [name.lower() for name in resource.filters]
    assert len(filters) == len(set(filters))
    assert not set(filters) & (bounds | {"page", "limit", "sortby", "sortdirection"})


def test_versions_of_the_api_are_those_of_the_sources() -> None:
    assert {resource.name for resource in RESOURCES.values() if resource.api_version != "1.2"} == {"broker_balances"}
    assert RESOURCES["broker_balances"].api_version == "1.1"


def test_surfaces_are_known() -> None:
    assert {resource.surface for resource in RESOURCES.values()} == {"A", "B", "AB"}


@pytest.mark.parametrize("name", NAMES)
def test_a_resource_is_found_by_name(name: str) -> None:
    assert get_resource(name).name == name


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("transaction", "transactions"),
        ("Customers", "customers"),
        ("customer", "customers"),
        ("hotwallet_balances", "hot_wallet_balances"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(NexusUnknownResourceError, match=f"did you mean '{nearest}'"):
        get_resource(wrong)


@pytest.mark.parametrize("wrong", ["", "zzzz"])
def test_a_name_near_to_none_is_answered_with_all(wrong: str) -> None:
    with pytest.raises(NexusUnknownResourceError) as error:
        get_resource(wrong)
    assert all(name in str(error.value) for name in NAMES)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/transaction", "broker_transactions"),
        ("/transaction/BC20260101000000A1B", "broker_transactions"),
        ("/transactions/custodian", "transactions"),
        ("/Transactions/Custodian/NXS1", "transactions"),
        ("/transactions/custodian/NXS1/callbacks", "transaction_callbacks"),
        ("/customer", "customers"),
        ("customer", "customers"),
        ("/Customer/", "customers"),
        ("/customer/C-1?x=/y", "customers"),
        ("/customer?status=New%7CBlocked", "customers"),
        ("/customer/C-1/bankAccounts", "customer_bank_accounts"),
        ("/customer/C-1/person", "customer_persons"),
        ("/balances", "balances"),
        ("/balances/hotwallet", "hot_wallet_balances"),
        ("/balances/hotwallet/mutations", "hot_wallet_mutations"),
        ("/labelpartner", "label_partner"),
        ("/labelpartner/balance", "broker_balances"),
        ("/prices/EUR", "prices"),
        ("/integrations/documentstore/list", "documents"),
        ("/integrations/documentstore", "document_store"),
        ("/integrations/documentstore/type", "document_types"),
        ("/integrations/documentstore/type/ID", "document_types"),
        ("/customer/C-1/data", "customer_data"),
        ("/customer/C-1/personaldata", "customer_personal_data"),
        ("/Customer/C-1/ComplianceHistory", "customer_compliance_history"),
        ("/customer/C-1/comments", "customer_comments"),
        ("/customer/C-1/trace", "customer_traces"),
        ("/customer/C-1/trace/summary", "customer_trace_summaries"),
        ("/balances/customers/C-1", "customer_balances"),
        ("/transaction/T1/flows", "transaction_flows"),
        ("/transaction/T1/callbacks", "broker_transaction_callbacks"),
        ("/paymentmethod/SEPA", "payment_methods"),
        ("/paymentmethod/SEPA/fees/customer", "payment_method_customer_fees"),
        ("/paymentmethod/SEPA/fees/tag", "payment_method_tag_fees"),
        ("/LabelPartner/cryptoCurrencies", "cryptocurrencies"),
        ("/sanction/lists", "sanction_lists"),
        ("/sanction/lists/uploads", "sanction_list_uploads"),
        ("/interest/custodian/schedules", "interest_schedules"),
        ("/interest/custodian/schedules/0b6f", "interest_schedules"),
    ],
)
def test_a_path_is_known_by_its_resource(path: str, name: str) -> None:
    found = find_by_path(path)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/transaction/totals",
        "/transaction/Totals/",
        "/transaction/totals?status=New",
        "/transactions",
        "/transactions/custodian/NXS1/cancel",
        "/customer/bankaccounts",
        "/customer/C-1/comments/0b6f/history",
        "/customer/C-1/limits/broker/buy",
        "/customer/C-1/accounts",
        "/paymentmethod/SEPA/fees/customer/C-1",
        "/interest/custodian/schedules/0b6f/intervals/Current",
        "/integrations/documentstore/file",
        "/sanction/lists/uploads/latest",
        "/sanction/search",
        "/prices/EUR/BTC/historic",
        "/api/MinuteChart/GetDefault/30",
        "/accounts/tokens",
        "/accounts/activate/A1",
        "/prices/EUR/BTC",
        "/elsewhere",
    ],
)
def test_a_call_that_is_no_resource_is_not_taken_for_one(path: str) -> None:
    assert find_by_path(path) is None


@every_resource
def test_no_two_resources_share_a_path(resource: Resource) -> None:
    for path in (resource.collection_path("X-1"), resource.record_path("X-1") if resource.member_path else ""):
        owners = [other.name for other in RESOURCES.values() if path and other.owns_path(path)]
        assert owners == ([resource.name] if path else [])
