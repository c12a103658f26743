"""What help() shows of the names that DAG authors import leads on to the page that explains them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_nexus
from airflow_provider_nexus.get_provider_info import get_provider_info

DOCS = Path(airflow_provider_nexus.__file__).parents[1] / "docs"
INFO: dict[str, Any] = get_provider_info()
_KINDS = re.compile(r"^Nexus\w+(?:Hook|Operator|Sensor|Trigger|Policy)$|^NexusHook$")
SECTIONS = ("hooks", "operators", "sensors", "triggers", "transfers")


def _modules() -> Iterator[str]:
    for section in SECTIONS:
        for entry in INFO[section]:
            yield from entry.get("python-modules") or [entry["python-module"]]
    yield "airflow_provider_nexus.retry_policy"


def _classes() -> dict[str, type]:
    found: dict[str, type] = {}
    for path in _modules():
        try:
            module = importlib.import_module(path)
        except ImportError:  # the retry policy needs Airflow 3.3
            continue
        names = getattr(
            module, "__all__", [name for name, value in vars(module).items() if getattr(value, "__module__", "") == path]
        )
        found |= {name: getattr(module, name) for name in names if _KINDS.search(name)}
    return found


@pytest.mark.parametrize("name", sorted(_classes()))
def test_each_class_leads_to_its_page(name: str) -> None:
    (pages,) = re.findall(r"^\s*\.\. seealso:: (.+)$", vars(_classes()[name])["__doc__"] or "", re.MULTILINE)
    for page in pages.split(", "):
        assert (DOCS / f"{page.removeprefix(':doc:`').removesuffix('`')}.rst").is_file()
