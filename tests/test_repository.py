"""What hosts and tools read from the repository leads to commands and files that are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs would be one more dependency

from tests.test_layers import MAY_IMPORT

ROOT = Path(__file__).parents[1]
USE_LAYER = ("hooks", "operators", "transfers", "sensors", "triggers", "assets", "links", "lineage", "cli")
READ_BY_OTHERS = [
    ".pre-commit-config.yaml",
    ".readthedocs.yaml",
    ".airflow-registry.yaml",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.yml")),
]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def scripts_in(found: object) -> list[str]:
    """All texts that a shell is given, however deep they lie."""
    if isinstance(found, dict):
        own = [text for name in ("run", "entry") if isinstance(text := found.get(name), str)]
        return own + [text for value in found.values() for text in scripts_in(value)]
    if isinstance(found, list):
        return [text for value in found for text in ([value] if isinstance(value, str) else scripts_in(value))]
    return []


@pytest.mark.parametrize("name", READ_BY_OTHERS)
def test_commands_and_files_are_there(name: str) -> None:
    found, makefile = read(name), (ROOT / "Makefile").read_text()
    for script in scripts_in(found):
        for target in re.findall(r"\bmake ([a-z.][\w./-]*)", script):
            known = target.replace(".venv", "$(VENV)")
            assert re.search(rf"^{re.escape(known)}:", makefile, re.MULTILINE), f"{name} calls make {target}"
        for path in re.findall(r"\.ci/\w+", script):
            assert (ROOT / path).is_file(), f"{name} calls {path}"


def test_each_combination_that_is_supported_is_tried() -> None:
    matrix = read(".github/workflows/test.yml")["jobs"]["matrix"]["strategy"]["matrix"]
    script = (ROOT / ".ci" / "matrix").read_text()
    assert f"{{PYTHONS:-{' '.join(matrix['python'])}}}" in script
    assert f"{{AIRFLOWS:-{' '.join(matrix['airflow'])}}}" in script
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f">={matrix['python'][0]}" == project["requires-python"]
    assert f"apache-airflow>={matrix['airflow'][0]},<4" in project["dependencies"]


def test_the_map_of_contributors_names_each_folder() -> None:
    package = ROOT / "airflow_provider_nexus"
    rows = re.findall(r"^\| (`.+?`) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    folders = {str(path.parent.relative_to(package)) for path in package.rglob("*/__init__.py")}
    assert folders == {name for name in named if not name.endswith(".py")}
    assert all((package / name).exists() for name in named)
    for folders_of, begin in re.findall(r"^\| (`.+?`) \| .+ \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE):
        places = [package, *(package / name for name in re.findall(r"`([^`]+)/`", folders_of))]
        places += [place.parent for place in places]
        for module in re.findall(r"`([^`]+)`", begin):
            assert any((place / f"{module}.py").is_file() for place in places), f"{folders_of}: {module}"


def test_the_layers_of_contributors_are_those_that_are_held() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Layers")[1].split("## Map")[0]
    arrows = section[: section.index("\n\n- ")]
    assert set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", arrows)))) == {*MAY_IMPORT, *USE_LAYER}


def test_the_help_of_make_names_each_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())
    assert set(re.findall(r'^\t@echo "make (\w+) ', makefile, re.MULTILINE)) == targets - {"help", "untold"}


def test_what_is_owned_is_there() -> None:
    lines = [line.split() for line in (ROOT / ".github" / "CODEOWNERS").read_text().splitlines() if line and line[0] != "#"]
    assert lines
    for place, *owners in lines:
        assert place == "*" or (ROOT / place.strip("/")).exists(), place
        assert all(owner.startswith("@") for owner in owners)


def test_all_tests_that_need_an_airflow_are_where_make_looks_for_them() -> None:
    (places,) = re.findall(r"^PLACES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    marks = re.compile(r"pytest\.mark\.(airflow|standalone|cluster|browser|release)\b")
    found = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py") if marks.search(path.read_text())]
    assert found
    assert [path for path in found if not any(path.is_relative_to(place) for place in places.split())] == []
