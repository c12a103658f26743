"""What pages say by hand that the code says as well."""

from __future__ import annotations

import ast
import re
import textwrap
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from airflow_provider_nexus.api.schemas.field import PRECISION, Field, Unit
from airflow_provider_nexus.extract.request import CONTRACTS
from tests.docs.pages import DOCS, ROOT

_BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", re.MULTILINE)
_FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

PAGES = [*sorted(DOCS.glob("*.rst")), *sorted(ROOT.glob("*.md"))]


def _examples(page: Path) -> list[str]:
    text = page.read_text()
    return [*map(textwrap.dedent, _BLOCK.findall(text)), *_FENCE.findall(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_can_be_read_and_import_what_there_is(page: Path) -> None:
    for example in _examples(page):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_provider_nexus"):
                assert [name.name for name in node.names if not hasattr(import_module(str(node.module)), name.name)] == []


def test_there_are_examples() -> None:
    assert sum(len(_examples(page)) for page in PAGES) > 5


def test_the_scales_of_money_are_those_of_the_code() -> None:
    text = (DOCS / "money_and_time.rst").read_text()
    rows = re.findall(r"^   \* - ``(\w+)``( and all others)?\n     - (\d+)\n     - (\d+)\n     - (\d+)$", text, re.MULTILINE)
    told = {unit: (int(scale), int(before), int(after)) for unit, _, scale, before, after in rows}
    others = next(unit for unit, rest, *_ in rows if rest)
    for unit in get_args(Unit):
        scale = Field("x", "", "money", unit=unit).scale
        assert told.get(unit, told[others]) == (scale, PRECISION - scale, scale)


def test_every_contract_is_explained() -> None:
    text = (DOCS / "upgrading.rst").read_text()
    assert [name for name in CONTRACTS if f"   * - ``{name}``" not in text] == []
