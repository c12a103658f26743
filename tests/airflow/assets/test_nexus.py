from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import Asset

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.assets import nexus
from airflow_provider_nexus.assets.nexus import create_asset, fresh_changes, sanitize_uri
from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusConfigurationError

since_3_3 = pytest.mark.skipif(not HAS_TASK_STATE, reason="assets have a state store from Airflow 3.3 on")


@pytest.mark.parametrize("resource", RESOURCES)
@pytest.mark.parametrize("environment", ["test", "production", "sandbox", "nexus.example.com"])
def test_every_resource_is_an_asset(environment: str, resource: str) -> None:
    assert create_asset(environment=environment, resource=resource).uri == f"nexus://{environment}/{resource}"


@pytest.mark.parametrize("uri", ["nexus://TEST/orders", "nexus://test/orders/", "nexus://test/orders"])
def test_an_address_has_one_spelling(uri: str) -> None:
    assert sanitize_uri(urlsplit(uri)).geturl() == "nexus://test/orders"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("nexus://test/transactoins", "did you mean 'transactions'"),
        ("nexus://test", "unknown Nexus resource"),
        ("nexus://test/orders/ORD-1", "unknown Nexus resource"),
        ("nexus:///orders", "environments are"),
        ("nexus://prod/orders", "environments are"),
        ("nexus://a:secret@test/orders", "environments are"),
        ("nexus://test:8080/orders", "environments are"),
        ("nexus://test/orders?status=Open", "ends after the resource"),
        ("nexus://test/orders#x", "ends after the resource"),
    ],
)
def test_what_is_no_asset_is_refused(uri: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as raised:
        sanitize_uri(urlsplit(uri))
    assert "secret" not in str(raised.value)


def test_extra_is_kept() -> None:
    assert create_asset(environment="test", resource="orders", extra={"team": "treasury"}).extra == {"team": "treasury"}


def test_lineage_knows_it_by_environment_and_resource() -> None:
    pytest.importorskip("openlineage.client")
    dataset = nexus.convert_asset_to_openlineage(create_asset(environment="test", resource="orders"), None)
    assert (dataset.namespace, dataset.name) == ("nexus://test", "orders")


ORDERS = Asset("nexus://sandbox/orders")


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Events(dict[Any, Any]):
    """By asset, as Airflow gives them."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key.uri, default)


def run(store: Store | None, run_id: str, *codes: str, dag_id: str = "settle") -> Any:
    events = [
        SimpleNamespace(
            timestamp=datetime.now(UTC), extra={"from_trigger": True, "payload": {"changes": [{"id": code, "code": code}]}}
        )
        for code in codes
    ]
    context: dict[str, Any] = {
        "triggering_asset_events": Events({ORDERS.uri: events}),
        "run_id": run_id,
        "dag": SimpleNamespace(dag_id=dag_id),
    }
    if store is not None:
        context["asset_state_store"] = _ByAsset(store)
    return context


class _ByAsset:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, asset: Asset) -> Store:
        return self._store


def codes(context: Any) -> list[str]:
    return [change["code"] for change in fresh_changes(context, ORDERS)]


@pytest.fixture
def store() -> Iterator[Store]:
    return Store()  # type: ignore[return-value]


@since_3_3
def test_repeats_are_dropped_within_a_run_and_between_runs(store: Store) -> None:
    assert codes(run(store, "1", "a", "b", "a")) == ["a", "b"]
    assert codes(run(store, "2", "b", "c")) == ["c"]
    assert codes(run(store, "3", "a")) == []


def test_the_retry_of_a_run_is_given_the_same(store: Store) -> None:
    assert codes(run(store, "1", "a")) == codes(run(store, "1", "a")) == ["a"]


def test_every_dag_has_its_own_memory(store: Store) -> None:
    assert codes(run(store, "1", "a")) == codes(run(store, "1", "a", dag_id="other")) == ["a"]


@since_3_3
def test_the_memory_is_bounded_and_forgets_the_oldest(store: Store) -> None:
    for number in range(12):
        codes(run(store, str(number), *(f"{number}-{each}" for each in range(100))))
    assert len(store["nexus-handled.settle"]) == nexus.REMEMBERED
    assert codes(run(store, "x", "0-1", "11-1")) == ["0-1"]


def test_events_of_others_are_left_alone(store: Store) -> None:
    context = run(store, "1", "a")
    context["triggering_asset_events"][ORDERS.uri] += [SimpleNamespace(extra={}), SimpleNamespace(extra={"payload": "x"})]
    assert codes(context) == ["a"]


def test_a_run_that_no_asset_started_has_none(store: Store) -> None:
    context = run(store, "1")
    context["triggering_asset_events"].clear()
    assert codes(context) == []


@since_3_3
def test_a_task_without_the_asset_is_told_what_to_do() -> None:
    with pytest.raises(NexusConfigurationError, match=r"inlets=\[asset\]"):
        fresh_changes(run(None, "1", "a"), ORDERS)
