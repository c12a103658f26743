"""The arrows between the layers all point one way, as docs/architecture.rst shows. The sandbox knows the api alone."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_nexus

ROOT = Path(airflow_provider_nexus.__file__).parent
PACKAGE = ROOT.name
MODULES = sorted(path for path in ROOT.rglob("*.py") if "example_dags" not in path.parts)

_API = {"api", "exceptions"}
_CALLS = {"client", "storage", *_API}
MAY_IMPORT: dict[str, set[str]] = {
    "exceptions": set(),
    "api": {"exceptions"},
    "storage": _API,
    "client": _API | {"storage"},
    "extract": _CALLS,
    "load": _CALLS | {"extract"},
    "writes": _CALLS | {"extract"},
    "watch": _CALLS | {"extract"},
    "sync": _CALLS | {"extract", "load"},
    "verify": _CALLS | {"extract", "load", "sync"},
    "replay": _CALLS | {"extract", "load", "verify"},
    "report": _CALLS | {"extract", "load", "verify", "reconcile"},
    "reconcile": _CALLS | {"extract", "load", "verify"},
    "sandbox": _API,
}
"""Which parts of the package each part may import besides itself; the version in the package itself is free to all."""

WITHOUT_AIRFLOW = {"exceptions", *MAY_IMPORT}
WITHOUT_SOCKETS = {"exceptions", "api"}
SOCKETS = {"socket", "ssl", "http", "requests", "httpx", "urllib3", "aiohttp", "fastapi", "uvicorn", "starlette"}
CLOCKS = {"now", "utcnow", "today"}
FOR_DAGS = {"hooks", "operators", "transfers", "sensors", "triggers", "assets", "get_provider_info"}
HEAVY = ("pyarrow", "pandas", "starlette", "httpx", "uvicorn")
FOR_FILES = {"hooks", "operators", "transfers", "sensors", "assets"}
"""What a DAG file imports, which Airflow reads again and again, and once more for each task."""
_OF_RUNS = ("report", "sync", "triggers", "verify", "reconcile.reconciliation", "reconcile.copied", "reconcile.results")
FOR_RUNS = ("requests", "urllib3", "sqlalchemy", *(f"{PACKAGE}.{part}" for part in _OF_RUNS))
"""What only a task needs when it runs."""

_IMPORT_ALL = """
import importlib, importlib.abc, json, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"{{name}} is not there", name=name)

sys.meta_path.insert(0, Missing())
for name in {names!r}:
    importlib.import_module(name)
"""

_HEAVY_IMPORTS = """
import importlib, json, sys

{prepare}
found = {{}}
for name in {names!r}:
    for loaded in [module for module in sys.modules if module.partition(".")[0] in {heavy!r}]:
        del sys.modules[loaded]
    importlib.import_module(name)
    found[name] = sorted({{module.partition(".")[0] for module in sys.modules}} & set({heavy!r}))
print(json.dumps(found))
"""

_NEW_IMPORTS = """
import importlib, json, sys

{prepare}
before = set(sys.modules)
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

_AIRFLOW_FIRST = """
import airflow.sdk, airflow.triggers.base
for name in airflow.sdk.__all__:
    getattr(airflow.sdk, name, None)
"""
"""Airflow imports some heavy modules by itself; they are not counted as ours."""


def _part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _dotted(path: Path) -> str:
    return ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_parts(path: Path) -> set[str]:
    own = {name.split(".")[1] for name in _imports(path) if name.startswith(f"{PACKAGE}.")}
    return own - {"__version__"}


def _of(parts: set[str]) -> list[Path]:
    return [path for path in MODULES if _part(path) in parts]


def _run(script: str) -> str:
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip().rpartition("\n")[2]


def _ids(path: Path) -> str:
    return _dotted(path).removeprefix(f"{PACKAGE}.")


@pytest.mark.parametrize("path", _of(set(MAY_IMPORT)), ids=_ids)
def test_arrows_point_one_way(path: Path) -> None:
    assert _own_parts(path) <= MAY_IMPORT[_part(path)] | {_part(path)}


def test_the_page_of_the_architecture_tells_the_same() -> None:
    rows = re.findall(r"^   \* - (``.+)\n     - ((?:.+\n)+?)     - (.+)\n", _layers_on_the_page(), re.MULTILINE)
    told = {name: allowed for names, _, allowed in rows for name in _quoted(names)}
    assert {name: _quoted(told.pop(name)) for name in MAY_IMPORT} == MAY_IMPORT
    assert set(told.values()) == {"all of the above"}
    assert set(told) | set(MAY_IMPORT) - {"exceptions", "storage"} == {
        path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()
    }


def _layers_on_the_page() -> str:
    return (ROOT.parent / "docs" / "architecture.rst").read_text().partition("What a sync does\n")[0]


def _quoted(text: str) -> set[str]:
    return set(re.findall(r"``(\w+)``", text))


@pytest.mark.parametrize("path", [path for path in MODULES if _part(path) in FOR_DAGS], ids=_ids)
def test_what_dags_use_does_not_know_the_sandbox(path: Path) -> None:
    assert "sandbox" not in _own_parts(path)


@pytest.mark.parametrize("path", _of(WITHOUT_AIRFLOW), ids=_ids)
def test_the_lower_layers_do_not_know_airflow(path: Path) -> None:
    assert "airflow" not in {name.partition(".")[0] for name in _imports(path)}


@pytest.mark.parametrize("path", _of(WITHOUT_SOCKETS), ids=_ids)
def test_the_api_has_no_sockets_and_no_clock(path: Path) -> None:
    assert not {name.partition(".")[0] for name in _imports(path)} & (SOCKETS | {"time"})
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    assert not {call.attr for call in calls if isinstance(call, ast.Attribute)} & CLOCKS


def test_airflow_reads_about_us_without_importing_anything() -> None:
    assert list(_imports(ROOT / "get_provider_info.py")) == ["__future__.annotations"]
    assert list(_imports(ROOT / "__init__.py")) == []


def test_the_lower_layers_work_without_airflow_and_the_extras() -> None:
    names = [_dotted(path) for path in _of(WITHOUT_AIRFLOW - {"sandbox"})]
    _run(_IMPORT_ALL.format(missing={"airflow", "pyarrow", "pandas", "starlette", "uvicorn"}, names=names))


def test_the_sandbox_works_without_airflow_and_the_client() -> None:
    names = [_dotted(path) for path in _of({"sandbox"})]
    _run(_IMPORT_ALL.format(missing={"airflow", "pyarrow", "pandas", "requests", "tenacity"}, names=names))


@functools.cache
def _heavy_imports() -> dict[str, list[str]]:
    names = [_dotted(path) for path in _of(FOR_DAGS)]
    found: dict[str, list[str]] = json.loads(_run(_HEAVY_IMPORTS.format(prepare=_AIRFLOW_FIRST, names=names, heavy=HEAVY)))
    return found


@pytest.mark.parametrize("path", _of(FOR_DAGS), ids=_ids)
def test_dags_do_not_wait_for_heavy_imports(path: Path) -> None:
    assert _heavy_imports()[_dotted(path)] == []


def test_what_only_a_run_needs_is_not_imported_by_a_dag_file() -> None:
    names = [_dotted(path) for path in _of(FOR_FILES)]
    imported = json.loads(_run(_NEW_IMPORTS.format(prepare=_AIRFLOW_FIRST, names=names)))
    assert set(names) <= set(imported)
    assert not [name for name in imported if f"{name}.".startswith(tuple(f"{part}." for part in FOR_RUNS))]


def test_the_command_line_is_defined_without_heavy_imports() -> None:
    names = [_dotted(path) for path in _of({"cli"}) if path.stem in ("__init__", "definition")]
    found = json.loads(_run(_HEAVY_IMPORTS.format(prepare=_AIRFLOW_FIRST, names=names, heavy=HEAVY)))
    assert {name: heavy for name, heavy in found.items() if heavy} == {}


def test_no_class_shares_its_name_with_another_one() -> None:
    named = [node.name for path in MODULES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert {name for name, times in Counter(named).items() if times > 1} == set()
