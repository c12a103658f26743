"""Whatever a DAG author can import is in the reference."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest
from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink
from airflow.triggers.base import BaseTrigger

import airflow_provider_nexus
from airflow_provider_nexus import exceptions
from airflow_provider_nexus.compat import HAS_RETRY_POLICIES
from airflow_provider_nexus.exceptions import NexusError
from tests.docs.pages import inventory

PLACES = ("hooks", "operators", "transfers", "sensors", "triggers", "links")
KINDS = (BaseHook, BaseOperator, BaseOperatorLink, BaseTrigger)
TEXT = inventory.reference()
SHOWN = set(re.findall(r"^\.\. auto(?:class|exception|function):: (\S+)$", TEXT, re.MULTILINE))


def _modules() -> Iterator[ModuleType]:
    for place in PLACES:
        package = import_module(f"{airflow_provider_nexus.__name__}.{place}")
        yield from (import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__))


def _classes() -> dict[str, type]:
    found = [value for module in _modules() for value in vars(module).values() if inspect.isclass(value)]
    own = [kind for kind in found if kind.__module__.startswith(airflow_provider_nexus.__name__) and issubclass(kind, KINDS)]
    return {kind.__name__: kind for kind in own}


CLASSES = _classes()
ERRORS = [value for value in vars(exceptions).values() if inspect.isclass(value) and issubclass(value, NexusError)]


def test_there_is_something_to_hold() -> None:
    assert {
        "NexusHook",
        "NexusPayoutTransactionOperator",
        "NexusStatusSensor",
        "NexusToSqlOperator",
        "NexusChangeTrigger",
    } <= set(CLASSES)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_is_in_the_reference_once(name: str) -> None:
    assert len([address for address in SHOWN if address.endswith(f".{name}")]) == 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_in_the_reference(error: type[NexusError]) -> None:
    assert f"{exceptions.__name__}.{error.__name__}" in SHOWN


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("retry_policy.NexusRetryPolicy", marks=pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow 3.3 on")),
        "assets.nexus.create_asset",
        "assets.nexus.fresh_changes",
        "sandbox.Sandbox",
        "sandbox.SandboxSettings",
        "sandbox.Fault",
    ],
)
def test_what_is_no_operator_is_in_the_reference(address: str) -> None:
    assert f"airflow_provider_nexus.{address}" in SHOWN


@pytest.mark.parametrize("address", sorted(SHOWN))
def test_every_address_can_be_imported_and_is_explained(address: str) -> None:
    module, _, name = address.rpartition(".")
    assert inspect.getdoc(getattr(import_module(module), name))
