"""What the package imports is what it asks for: nothing is there only because something else happens to bring it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import airflow_provider_nexus

ROOT = Path(airflow_provider_nexus.__file__).parent
PROJECT = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
PROVIDERS = "airflow.providers."
FOR_PEOPLE_WHO_DEVELOP = ("test", "docs")
_BRINGS = {name: {each.lower().replace("_", "-") for each in brought} for name, brought in packages_distributions().items()}


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _declared() -> set[str]:
    extras = (needs for name, needs in PROJECT["optional-dependencies"].items() if name not in FOR_PEOPLE_WHO_DEVELOP)
    return {_name(each) for needs in (PROJECT["dependencies"], *extras) for each in needs}


def _imported() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module)


def _third_party() -> list[str]:
    """Modules, each by what a distribution brings: top-level names, and Airflow's providers by theirs."""
    found = set()
    for module in _imported():
        top = module.partition(".")[0]
        if module.startswith(PROVIDERS):
            found.add(module)
        elif top != ROOT.name and top not in sys.stdlib_module_names:
            found.add(top)
    return sorted(found)


def _brought_by(module: str) -> set[str]:
    """The distributions that a module may come from."""
    if not module.startswith(PROVIDERS):
        return {"apache-airflow"} if module == "airflow" else _BRINGS[module]
    parts = module.removeprefix(PROVIDERS).split(".")
    return {f"apache-airflow-providers-{'-'.join(parts[:length])}" for length in (1, 2)}


@pytest.mark.parametrize("module", _third_party())
def test_what_is_imported_is_declared(module: str) -> None:
    assert _brought_by(module) & _declared(), f"{module} is imported, and pyproject.toml does not ask for it"


def test_something_is_imported() -> None:
    assert {"airflow", "msgspec", "requests", "rich"} <= set(_third_party())
