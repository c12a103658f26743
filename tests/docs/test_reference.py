"""Whatever a DAG author can import is in the reference, and whatever the examples and pages import is there too."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import textwrap
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
from tests.docs.pages import DOCS, ROOT, inventory

PLACES = ("hooks", "operators", "transfers", "sensors", "triggers", "links")
KINDS = (BaseHook, BaseOperator, BaseOperatorLink, BaseTrigger)
TEXT = inventory.reference()
SHOWN = set(re.findall(r"^\.\. auto(?:class|data|exception|function):: (\S+)$", TEXT, re.MULTILINE))


def _modules() -> Iterator[ModuleType]:
    for place in PLACES:
        package = import_module(f"{airflow_provider_nexus.__name__}.{place}")
        yield from (import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__))


def _classes() -> dict[str, type]:
    found = [value for module in _modules() for value in vars(module).values() if inspect.isclass(value)]
    own = [kind for kind in found if kind.__module__.startswith(airflow_provider_nexus.__name__) and issubclass(kind, KINDS)]
    # what others are derived from is not used by itself
    return {kind.__name__: kind for kind in own if not any(issubclass(other, kind) and other is not kind for other in own)}


def _code() -> Iterator[tuple[str, str]]:
    """All Python that a user is shown: where it is, and the code."""
    for path in (*sorted((ROOT / "example_dags").glob("*.py")), *sorted((DOCS / "snippets").glob("*.py"))):
        yield path.name, path.read_text()
    for path in sorted(DOCS.glob("*.rst")):
        blocks = re.findall(r"^( *)\.\. code-block:: python\n((?:\n|\1 +.*\n)+)", path.read_text(), re.MULTILINE)
        yield from ((path.name, textwrap.dedent(code)) for _, code in blocks)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        yield "README.md", code


def _imports(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTED = {
    (where, name) for where, code in _code() for name in _imports(code) if name.startswith(airflow_provider_nexus.__name__)
}
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


@pytest.mark.parametrize(("where", "address"), sorted(IMPORTED))
def test_what_is_shown_imports_public_names_alone(where: str, address: str) -> None:
    if not HAS_RETRY_POLICIES and ".retry_policy." in address:
        pytest.skip("Airflow 3.3 on")
    assert address in SHOWN, f"{where} imports {address}, which is not in the reference"


def test_code_of_every_kind_is_looked_at() -> None:
    assert {"README.md", "report.rst", "nexus_calls.py", "example_nexus_sync.py"} <= {where for where, _ in IMPORTED}


def test_no_module_that_is_private_is_named() -> None:
    assert re.findall(r"airflow_provider_nexus[.\w]*\._\w+", TEXT) == []


@pytest.mark.parametrize(
    ("name", "argument"),
    [("NexusToSqlOperator", "readings"), ("NexusCreateOrderOperator", "wait_timeout"), ("NexusStatusSensor", "retry_policy")],
)
def test_arguments_of_private_parents_are_with_their_children(name: str, argument: str) -> None:
    section = re.split(r"^\.\. auto", TEXT[TEXT.index(f".{name}\n") :], maxsplit=1, flags=re.MULTILINE)[0]
    assert re.search(rf"^   \* ``{argument}``: \w", section, re.MULTILINE)


def test_no_name_has_two_addresses() -> None:
    names = [address.rpartition(".")[2] for address in SHOWN]
    assert sorted(names) == sorted(set(names))


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
    home = import_module(module)
    value = getattr(home, name)
    assert inspect.getdoc(value) if callable(value) else re.search(rf'^{name} = .*\n"""', inspect.getsource(home), re.MULTILINE)
