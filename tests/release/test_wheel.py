"""What is published: the sdist and the wheel, and the wheel alone in an Airflow that knows nothing of this checkout."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.client.settings import EXTRAS
from airflow_provider_nexus.get_provider_info import get_provider_info
from airflow_provider_nexus.sandbox import Sandbox

pytestmark = [pytest.mark.release, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_nexus"
INFO = f"{PACKAGE}-{__version__}.dist-info"
NEEDS_EXTRA = {
    "pyarrow": "parquet",
    "openlineage": "openlineage",
    **dict.fromkeys(("starlette", "uvicorn"), "sandbox"),
}
"""What a module may miss in an installation without extras, and the extra that brings it."""

_IMPORT_ALL = """
import importlib, json, pkgutil
import airflow_provider_nexus as package

failed = {}
for module in pkgutil.walk_packages(package.__path__, "airflow_provider_nexus."):
    if module.name.endswith("__main__") or ".example_dags." in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except Exception as error:
        failed[module.name] = [type(error).__name__, str(getattr(error, "name", None) or error)]
print(json.dumps([package.__file__, failed]))
"""

_EXAMPLES = """
import json
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag

bundle = {bundle!r}
found = {{each.name: str(each.path) for each in DagBundlesManager().get_all_dag_bundles()}}
bag = DagBag(found[bundle], bundle_name=bundle)
print(json.dumps([found[bundle], sorted(bag.dags), bag.import_errors]))
"""

_FORM = """
import json
from airflow.api_fastapi.app import create_app
from fastapi.testclient import TestClient

with TestClient(create_app(apps="core")) as api:
    token = api.get("/auth/token").json()["access_token"]
    forms = api.get("/ui/connections/hook_meta", headers={"Authorization": f"Bearer {token}"}).json()
print(json.dumps(next(form for form in forms if form["connection_type"] == "nexus")))
"""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout: float = 120) -> str:
    """What a command prints; it must end well."""
    answer = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)
    assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


@functools.cache
def tree() -> frozenset[str]:
    """Every file that is the package's or an example's, by where the wheel has to have it."""
    folders = (ROOT / PACKAGE, ROOT / "example_dags")
    found = [path.relative_to(ROOT) for folder in folders for path in folder.rglob("*") if path.is_file()]
    return frozenset(_in_wheel(path.as_posix()) for path in found if "__pycache__" not in path.parts)


def _in_wheel(name: str) -> str:
    return f"{PACKAGE}/{name}" if name.startswith("example_dags/") else name


@dataclass(frozen=True)
class Built:
    """The two files that are published."""

    wheel: Path
    sdist: Path

    def wheel_names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def sdist_names(self) -> set[str]:
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}

    def read(self, name: str) -> str:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(name).decode()

    def metadata(self) -> Message:
        return Parser().parsestr(self.read(f"{INFO}/METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of the checkout, and the wheel that is built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder, timeout=300)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, with Airflow and nothing else."""

    binaries: Path
    home: Path

    def run(self, *command: str, **more: str) -> str:
        """What a command of the environment prints, in a folder that has nothing to do with the checkout."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))}
        airflow = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "COLUMNS": "200",
        }
        env = {**clean, **airflow, "PATH": f"{self.binaries}{os.pathsep}{os.environ['PATH']}", **more}
        return run(self.binaries / command[0], *command[1:], cwd=self.home, env=env)

    def json_of(self, script: str, **more: str) -> Any:
        """The last line that a script prints, read."""
        return json.loads(self.run("python", "-c", script, **more).strip().rpartition("\n")[2])


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv")
    binaries, home = folder / "venv" / "bin", folder / "home"
    home.mkdir()
    what = ("--constraint", ROOT / "constraints.txt", built.wheel)
    try:
        run(sys.executable, "-m", "uv", "pip", "install", "--python", binaries / "python", *what, cwd=home, timeout=600)
    except AssertionError:  # uv knows nothing of pip's settings, as of another index
        pip = (sys.executable, "-m", "pip", "--python", binaries / "python", "--quiet", "--disable-pip-version-check")
        # Most of Airflow's modules are never imported here, so compiling all of them would be the longest part.
        run(*pip, "install", "--no-compile", *what, cwd=home, timeout=600)
    made = Installed(binaries, home)
    made.run("airflow", "db", "migrate")
    yield made
    # Hundreds of megabytes, which pytest would keep for three runs
    run("rm", "-rf", folder, cwd=ROOT)


def test_the_index_would_take_them(built: Built) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", built.wheel, built.sdist, cwd=built.wheel.parent)


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    names = built.wheel_names()
    assert {name for name in names if not name.startswith(f"{INFO}/")} == tree()
    assert f"{PACKAGE}/py.typed" in names
    assert f"{INFO}/licenses/LICENSE" in names


def test_the_wheel_holds_the_example_dags(built: Built) -> None:
    examples = {f"{PACKAGE}/example_dags/{path.name}" for path in (ROOT / "example_dags").glob("*.py")}
    assert examples
    assert examples <= built.wheel_names()


def test_the_sdist_holds_what_a_packager_needs(built: Built) -> None:
    names = built.sdist_names()
    assert {"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "pyproject.toml", "Makefile"} <= names
    assert {
        "constraints.txt",
        "tests/conftest.py",
        "docs/conf.py",
        "docs/index.rst",
        ".ci/run",
        "dbt_nexus/dbt_project.yml",
    } <= names
    assert tree() <= {_in_wheel(name) for name in names}


def test_neither_holds_what_is_left_over_from_working_on_it(built: Built) -> None:
    names = built.wheel_names() | built.sdist_names()
    parts = {part for name in names for part in PurePosixPath(name).parts}
    assert not parts & {
        "__pycache__",
        "_build",
        "_generated",
        ".venv",
        ".dbt",
        ".demo",
        ".airflow",
        ".git",
        ".env",
        ".matrix",
        "dist",
        "logs",
    }
    assert not {name for name in names if name.endswith((".pyc", ".db", ".log", ".pem", ".key", ".cfg", "~"))}


def test_a_wheel_that_is_built_from_the_checkout_is_the_same(built: Built, tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    assert _contents(wheel) == _contents(built.wheel)


def _contents(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_the_metadata(built: Built) -> None:
    metadata = built.metadata()
    assert (metadata["Name"], metadata["Version"]) == ("airflow-provider-nexus", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider", "Typing :: Typed"} <= {
        *(metadata.get_all("Classifier") or ())
    }
    assert "airflow-provider" in metadata["Keywords"].split(",")
    needed = {line.partition(";")[0].strip() for line in metadata.get_all("Requires-Dist") or () if "extra ==" not in line}
    assert "apache-airflow<4,>=3.1" in needed
    assert not any(line.startswith(("pyarrow", "pytest", "duckdb", "fastapi", "starlette", "uvicorn")) for line in needed)
    entry_point = f"[apache_airflow_provider]\nprovider_info = {PACKAGE}.get_provider_info:get_provider_info"
    assert built.read(f"{INFO}/entry_points.txt").strip() == entry_point


def test_every_module_can_be_imported_without_extras_or_says_which_it_needs(installed: Installed) -> None:
    where, failed = installed.json_of(_IMPORT_ALL)
    assert Path(where).is_relative_to(installed.binaries.parent)
    unexpected = {
        name: (kind, what)
        for name, (kind, what) in failed.items()
        if not (kind == "ModuleNotFoundError" and what.partition(".")[0] in NEEDS_EXTRA)
    }
    assert unexpected == {}
    public = {name for group in ("hooks", "operators", "sensors", "triggers") for name in _modules(group)} | _transfers()
    assert not failed.keys() & public


def _modules(group: str) -> Iterator[str]:
    entries: Any = get_provider_info()[group]
    yield from (name for entry in entries for name in entry["python-modules"])


def _transfers() -> set[str]:
    entries: Any = get_provider_info()["transfers"]
    return {entry["python-module"] for entry in entries}


def test_airflow_lists_the_provider_and_its_form(installed: Installed) -> None:
    listed = installed.run("airflow", "providers", "list", "--output", "plain")
    line = next(line for line in listed.splitlines() if line.startswith("airflow-provider-nexus"))
    assert __version__ in line.split()
    shown = installed.run("airflow", "providers", "get", "airflow-provider-nexus", "--full", "--output", "json")
    (form,) = json.loads(shown[shown.index("[") :])[0]["connection-types"]
    assert set(form["conn-fields"]) == set(EXTRAS)


def test_the_user_interface_is_given_the_form(installed: Installed) -> None:
    form = installed.json_of(_FORM)
    assert form["hook_name"] == "Quantoz Nexus"
    assert form["standard_fields"]["password"]["title"] == "API token"
    assert set(form["extra_fields"]) == set(EXTRAS)


def test_airflow_offers_the_commands(installed: Installed) -> None:
    said = installed.run("airflow", "nexus", "--help")
    assert [command.name for command in COMMANDS if command.name not in said] == []
    listed = installed.run("airflow", "nexus", "resources", "--output", "json")
    assert [entry["name"] for entry in json.loads(listed[listed.index("[\n") :])] == list(RESOURCES)


def test_airflow_finds_the_example_dags(installed: Installed) -> None:
    bundle = "airflow-provider-nexus-example-dags"
    where, dags, errors = installed.json_of(_EXAMPLES.format(bundle=bundle), AIRFLOW__CORE__LOAD_EXAMPLES="True")
    assert Path(where).is_relative_to(installed.binaries.parent)
    assert errors == {}
    assert {path.stem for path in (ROOT / "example_dags").glob("*.py")} <= set(dags)


def test_an_example_dag_runs_and_the_commands_work_without_airflow_s(installed: Installed, tmp_path: Path) -> None:
    with Sandbox(customers=10, transactions=100, days=2, clock_speed=0) as sandbox:
        end = sandbox.now.replace(microsecond=0) - timedelta(hours=2)
        conf = {
            "path": tmp_path.as_uri(),
            "window_start": (end - timedelta(days=1)).isoformat(),
            "window_end": end.isoformat(),
            "max_windows": 2,
        }
        airflow = {"AIRFLOW__CORE__LOAD_EXAMPLES": "True", "AIRFLOW_CONN_NEXUS_DEFAULT": sandbox.connection_uri}
        installed.run("airflow", "dags", "test", "example_nexus_backfill", "--conf", json.dumps(conf), **airflow)
    manifests = [json.loads(path.read_bytes()) for path in tmp_path.rglob("_manifest.json")]
    assert [manifest["proof"]["verdict"] for manifest in manifests] == ["proved"] * len(manifests)
    assert sum(manifest["records"] for manifest in manifests) > 0
    assert json.loads(installed.run("python", "-m", PACKAGE, "verify", tmp_path.as_uri(), "--output", "json"))
