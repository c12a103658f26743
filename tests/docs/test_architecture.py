"""The ways through the modules that the page of the architecture describes are those of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_nexus

PACKAGE = Path(airflow_provider_nexus.__file__).parent
PAGE = PACKAGE.parent / "docs" / "architecture.rst"
WAYS = ["The way of a record", "The way of the token"]


def section_of(title: str) -> str:
    return re.split(r"\n[^\n]+\n----", PAGE.read_text().partition(f"{title}\n")[2])[0]


def way_of(title: str) -> dict[str, list[str]]:
    """The functions of each module, in the order of the page."""
    found: dict[str, list[str]] = {}
    for module, rest in re.findall(r"^#\. ``([\w/]+)``: (.+?)(?=^#|^$|\Z)", section_of(title), re.MULTILINE | re.DOTALL):
        found[module] = [name for name in re.findall(r"``([\w.]+)``", rest) if name not in ("Row", "Secret")]
    return found


def names_in(module: str) -> Iterator[str]:
    for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))


def test_each_module_that_is_named_is_there() -> None:
    named = set(re.findall(r"``([a-z_]+/[\w/]+?)(?:\.py)?``", PAGE.read_text())) - {
        "airflow_provider_nexus/api",
        "tests/test_layers",
    }
    assert len(named) > 40
    assert {name for name in named if not (PACKAGE / f"{name}.py").is_file() and not (PACKAGE / name).is_dir()} == set()


@pytest.mark.parametrize("title", WAYS)
def test_each_step_is_there_and_all_are_counted(title: str) -> None:
    way = way_of(title)
    for module, names in way.items():
        known = set(names_in(module))
        assert {name for name in names if name not in known} == set(), module
    functions, modules = sum(map(len, way.values())), len(way)
    assert (functions <= 30, modules <= 12) == (True, True), "what a reader can hold in mind"
    assert re.search(rf"\b{functions} functions in {modules} modules", section_of(title))
