"""Nothing is left out in silence: what `make test` says on a machine without the servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lacking import KEPT

ROOT = Path(__file__).parents[1]
HOOK = "from tests.conftest import pytest_terminal_summary  # noqa: F401\n"
TESTS = """
import pytest
from tests.lacking import find

@pytest.fixture(scope="session")
def server():
    return find("no-such-server", "some-server")

@pytest.mark.parametrize("number", range(3))
def test_of_the_server(server, number):
    raise AssertionError("reached without a server")

def test_of_a_browser():
    find("no-such-browser", "some-browser")

def test_of_nothing():
    assert find("sh", "dash").endswith("/sh")

def test_that_is_skipped_for_another_reason():
    pytest.skip("as it likes")
"""
ALL = "NOT TESTED: 4 tests that need some-browser, some-server; to install what is missing: "


def own_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", KEPT) and not name.startswith("PYTEST_")}
    return kept | {"PYTHONPATH": str(ROOT), **more}


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Pytest's own run of the tests above, with the hook of all tests."""
    (folder / "conftest.py").write_text(HOOK)
    (folder / "test_inner.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *options, str(folder)]
    return subprocess.run(command, cwd=folder, env=own_environment(**environment), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_a_run_tells_and_keeps_what_it_lacked(tmp_path: Path, options: tuple[str, ...]) -> None:
    done = run(tmp_path, *options, **{KEPT: str(tmp_path / "kept")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 5 skipped" in done.stdout
    assert [line[: len(ALL)] for line in done.stdout.splitlines() if "NOT TESTED" in line] == [ALL]
    lines = (tmp_path / "kept").read_text().splitlines()
    assert sorted(line.split("::")[0] for line in lines) == ["some-browser test_inner.py", *["some-server test_inner.py"] * 3]


def test_continuous_integration_proves_all(tmp_path: Path) -> None:
    done = run(tmp_path, CI="true")
    assert done.returncode == 1
    assert "1 passed, 1 skipped" in done.stdout
    assert "no-such-server is missing: .ci/servers installs some-server" in done.stdout


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make(folder: Path, python: str) -> list[str]:
    """The lines of a `make test` whose tools are scripts, of which that of Python is the rest of one."""
    binaries = folder / "venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("ruff", "mypy"):
        script(binaries / name, "exit 0")
    script(binaries / "python", f'case "$2" in\n{python}\ntests.lacking) exec {sys.executable} "$@" ;;\nesac')
    for stamp in ("made.stamp", "run.stamp", "test.stamp", "dbt.stamp"):
        (folder / "venv" / stamp).touch()
    (folder / "dbt_nexus").mkdir()
    copied = ("Makefile", "pyproject.toml", "constraints.txt", "dbt_nexus/constraints.txt")
    for name in copied:
        (folder / name).write_bytes((ROOT / name).read_bytes())
        os.utime(folder / name, (1, 1))
    command = ["make", "--no-print-directory", "test", "VENV=venv"]
    done = subprocess.run(command, cwd=folder, env=own_environment(), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


LACKING = 'pytest) echo "some-server tests/test_a.py::test_$#" >>"$NEXUS_NOT_TESTED" ;;'


def test_make_ends_with_what_no_part_could_test(tmp_path: Path) -> None:
    (tmp_path / ".not-tested").write_text("an-old-one tests/test_old.py::test_old\n")
    kept = make(tmp_path, LACKING)[-1]
    tests = {line.split()[1] for line in (tmp_path / ".not-tested").read_text().splitlines()}
    assert len(tests) > 1
    assert kept.startswith(f"NOT TESTED: {len(tests)} tests that need some-server; to install what is missing: ")


def test_make_is_silent_when_all_was_tested(tmp_path: Path) -> None:
    assert not [line for line in make(tmp_path, "pytest) ;;") if "NOT TESTED" in line]
