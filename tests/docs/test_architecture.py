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
WAYS = ["token"]


def way_of(what: str) -> dict[str, list[str]]:
    """The functions of each module, in the order of the page."""
    section = re.split(r"\n[^\n]+\n----", PAGE.read_text().partition(f"The way of the {what}\n")[2])[0]
    found: dict[str, list[str]] = {}
    module = ""
    for name in re.findall(r"``([\w./]+)``", section):
        if (PACKAGE / f"{name}.py").is_file():
            module = name
        elif module:
            found.setdefault(module, []).append(name)
    return found


def names_in(module: str) -> Iterator[str]:
    for node in ast.parse((PACKAGE / f"{module}.py").read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))


@pytest.mark.parametrize("what", WAYS)
def test_each_step_is_there(what: str) -> None:
    way = way_of(what)
    assert way
    for module, names in way.items():
        known = set(names_in(module))
        assert {name for name in names if name not in known} == set(), module


def test_as_many_as_are_named() -> None:
    assert "Seven functions in three modules" in PAGE.read_text()
    assert (sum(map(len, way_of("token").values())), len(way_of("token"))) == (7, 3)
