"""Lists take the query names that a source shows and no others, and the catalogue asks for nothing else."""

from __future__ import annotations

import pytest

from airflow_provider_nexus.api.resource import Resource, Shape
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox import served
from airflow_provider_nexus.sandbox.app import all_routes
from airflow_provider_nexus.sandbox.settings import OTHER_SHAPES
from tests.sandbox.conftest import Client, Make, decoded

PAGING = {"page", "limit", "sortby", "sortdirection"}
SENT_ON_TRUST = {"/transaction", "/customer/{parent}/trace", "/customer/{parent}/comments", "/cryptoaddress"}
"""Sorted or paged by the client on trust, and found out not to be."""


def asked(resource: Resource) -> set[str]:
    """All names but those of paging that the catalogue knows for a resource."""
    dates = [each for each in (resource.created, resource.finished) if each]
    names = {name for each in dates for name in (each.since, each.until)} | {*resource.filters, resource.parent_query}
    return {name.lower() for name in names if name}


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_the_catalogue_filters_by_what_the_sources_show_and_by_all_of_it(name: str) -> None:
    resource = RESOURCES[name]
    assert asked(resource) == served.taken(resource.path).names - PAGING


@pytest.mark.parametrize("name", sorted(name for name, each in RESOURCES.items() if each.created or each.stamp))
def test_the_catalogue_sorts_by_what_the_sources_show(name: str) -> None:
    resource = RESOURCES[name]
    if resource.path in SENT_ON_TRUST or resource.path.endswith("/complianceHistory"):
        assert not served.taken(resource.path).sorts
    else:
        assert resource.sort_name.lower() in served.taken(resource.path).sorts


ROUTED = {served._plain(route.path) for route in all_routes() if route.method == "GET"}


@pytest.mark.parametrize("path", sorted(path for path in served.SORTS if served._plain(path) in ROUTED))
def test_names_to_sort_by_are_fields_of_the_records(shared: Client, path: str) -> None:
    assert {"sortby", "sortdirection"} <= served.taken(path).names
    query = {"customerCode": "C0000000"} if path.endswith("documentstore/list") else {}
    for name in served.SORTS[path].split():
        for direction in ("Asc", "Desc"):
            answer = shared.get(path.replace("{}", "C0000000"), sortBy=name, sortDirection=direction, **query)
            assert answer.status_code == 200, (name, answer.text)


PATHS = [
    "/customer",
    "/transaction",
    "/transaction/totals",
    "/transactions/custodian",
    "/customer/C0000000/trace",
    "/customer/C0000000/accounts",
    "/mail",
    "/buckets",
    "/reserves",
    "/portfolios",
]


@pytest.mark.parametrize("path", PATHS)
def test_names_that_no_source_shows_are_ignored(shared: Client, path: str) -> None:
    plain = decoded(shared.get(path).content)
    odd = decoded(shared.get(path, customerName="x", createdSince="2026-01-01", pageSize="3", orderBy="status").content)
    assert odd == plain


def test_broker_transactions_and_traces_are_not_sorted_and_traces_have_one_page(shared: Client) -> None:
    for path in ("/transaction", "/customer/C0000000/trace"):
        plain = shared.page(path)
        assert shared.page(path, sortBy="created", sortDirection="Asc") == plain
        assert shared.page(path, sortBy="nonsense", sortDirection="sideways") == plain
    traces = shared.page("/customer/C0000000/trace", page=2, limit=3)
    assert (traces.page, len(traces.records)) == (1, traces.total)


def test_they_are_with_the_other_shapes(make: Make) -> None:
    client = make(other_shapes=["transaction_sort", "trace_pages"])
    newest = client.page("/transaction", limit=1).records
    assert client.page("/transaction", limit=1, sortBy="created", sortDirection="Asc").records != newest
    assert client.get("/transaction", sortBy="nonsense").status_code == 400
    traces = client.page("/customer/C0000000/trace", page=2, limit=3)
    assert (traces.page, len(traces.records)) == (2, 3)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/integrations/documentstore/list", "createdOn"),
        ("/integrations/documentstore/list", "created"),
        ("/customer/C0000000/person", "created"),
        ("/customer/C0000000/bankaccounts", "createdOn"),
        ("/mail", "createdDate"),
        ("/transactions/custodian", "finished"),
        ("/customer", "finished"),
    ],
)
def test_a_wrong_name_to_sort_by_is_refused(shared: Client, path: str, name: str) -> None:
    answer = shared.get(path, sortBy=name, customerCode="C0000000")
    assert (answer.status_code, answer.json()["errors"]) == (400, ["InvalidQueryParameter"])


def test_documents_are_sorted_by_their_own_name(shared: Client) -> None:
    query = {"customerCode": "NL20NEXS0000000001", "sortBy": "CreatedDate"}
    up, down = (shared.page("/integrations/documentstore/list", sortDirection=each, **query).records for each in ("Asc", "Desc"))
    assert up == down[::-1]


def test_other_shapes_that_are_none(make: Make) -> None:
    with pytest.raises(ValueError, match="unknown other_shapes bank: known are trade_pairs, exchanges"):
        make(other_shapes=["bank"])
    with pytest.raises(ValueError, match="other_shapes is a list, not 'bank_id'"):
        make(other_shapes="bank_id")
    assert make(other_shapes=list(OTHER_SHAPES)).get("/customer").status_code == 200


def test_paged_lists_of_the_catalogue_can_be_paged_as_far_as_a_source_shows() -> None:
    unshown = {
        resource.path
        for resource in RESOURCES.values()
        if resource.shape is Shape.PAGED and not {"page", "limit"} <= served.taken(resource.path).names
    }
    assert unshown == {"/customer/{parent}/trace"}
