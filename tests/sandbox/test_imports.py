"""The sandbox's imports all point one way, those for types alone included."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import airflow_provider_nexus.sandbox

ROOT = Path(airflow_provider_nexus.sandbox.__file__).parent
PACKAGE = airflow_provider_nexus.sandbox.__name__
MODULES = {".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """The sandbox's modules that a module imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & set(MODULES)


def test_imports_have_no_cycle() -> None:
    graph = {name: imported(path) for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > len(graph), "the imports were found"
    order = list(TopologicalSorter(graph).static_order())  # CycleError names the modules of a cycle
    world, sandbox = f"{PACKAGE}.world", f"{PACKAGE}.sandbox"
    assert order.index(world) < order.index(sandbox)
    below_world = {name for name in MODULES if name.startswith(f"{PACKAGE}.data.")}
    assert not {name for name in below_world if imported(MODULES[name]) & {world, sandbox}}
