"""Whatever a DAG author may use is shown on a page, in code that a test runs."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.get_provider_info import get_provider_info
from tests.docs.pages import DOCS, ROOT, inventory

SNIPPETS = sorted((DOCS / "snippets").glob("*.py"))
_INCLUDE = re.compile(r"^\.\. literalinclude:: (\S+)\n((?:   :.*\n)+)", re.MULTILINE)
_TESTS = (ROOT / "tests/airflow/test_snippets.py", *sorted((ROOT / "tests/airflow/example_dags").glob("test_*.py")))
_INFO: Mapping[str, Any] = get_provider_info()
_OF_AIRFLOW = {name for each in _INFO["asset-uris"] for name in each.values() if isinstance(name, str)}
"""Functions that Airflow itself calls."""


@dataclass(frozen=True)
class Include:
    """A part of a file that a page shows."""

    file: Path
    name: str

    @property
    def text(self) -> str:
        """What is shown."""
        lines = self.file.read_text().partition(f"[START {self.name}]\n")[2]
        return textwrap.dedent(lines.partition(f"# [END {self.name}]")[0])


def _includes() -> set[Include]:
    found = [(page, *each) for page in sorted(DOCS.glob("*.rst")) for each in _INCLUDE.findall(page.read_text())]
    starts = [(page.parent / file, re.findall(r"\[START (\w+)\]", options)) for page, file, options in found]
    return {Include(file.resolve(), name) for file, names in starts for name in names}


def _names(code: str) -> set[str]:
    """The names that code uses; imports alone are no use."""
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


INCLUDES = _includes()
SHOWN = {name for include in INCLUDES for name in _names(include.text)}
CARRIED = {
    type(link).__name__: entry.address.rpartition(".")[2]
    for title in ("Operators", "Transfers", "Sensors")
    for entry in inventory.groups()[title]
    for link in getattr(entry.value, "operator_extra_links", ())
}
"""Buttons that operators bring, each with one that does."""
RUN = "\n".join(path.read_text() for path in _TESTS)
PUBLIC = [
    entry
    for title, entries in inventory.groups().items()
    for entry in entries
    if title != "Errors" and (inspect.isclass(entry.value) or title == "Assets") and entry.address not in _OF_AIRFLOW
]


@pytest.mark.parametrize("address", [entry.address for entry in PUBLIC])
def test_every_public_name_is_shown_in_use(address: str) -> None:
    name = address.rpartition(".")[2]
    assert name in SHOWN or CARRIED.get(name) in SHOWN


def test_there_is_something_to_show() -> None:
    names = {entry.address.rpartition(".")[2] for entry in PUBLIC}
    assert {"NexusHook", "NexusSendMailsOperator", "NexusStatusTrigger", "NexusPortalLink", "Fault", "fresh_changes"} <= names


@pytest.mark.parametrize("file", sorted({include.file for include in INCLUDES}), ids=lambda file: file.stem)
def test_what_is_shown_is_run_by_a_test(file: Path) -> None:
    assert f'"{file.stem}"' in RUN or f'"{file.name}"' in RUN


@pytest.mark.parametrize("file", SNIPPETS, ids=lambda file: file.stem)
def test_every_part_of_a_snippet_is_on_a_page(file: Path) -> None:
    parts = re.findall(r"\[START (\w+)\]", file.read_text())
    assert parts
    assert parts == re.findall(r"\[END (\w+)\]", file.read_text())
    assert [name for name in parts if Include(file, name) not in INCLUDES] == []
