"""The snippets of the README are what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of
from tests.airflow.transfers.copies import sql_connection

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PATH = README[README.index("## From nothing") : README.index("## Use it")]
QUIET = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
"""An environment in which nothing of Airflow is set."""
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def blocks(text: str) -> list[tuple[str, str]]:
    """The blocks of the path in the README that a person copies, each with its language."""
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


def block(start: str) -> str:
    """The one block of the path that starts with a text."""
    (found,) = (code for _, code in blocks(PATH) if code.startswith(start))
    return found


@contextmanager
def sandbox_of(line: str, folder: Path) -> Iterator[str]:
    """The line that a sandbox, started by a line of the README on a free port, says to run."""
    process = subprocess.Popen([*line.split(), "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True, env=QUIET)
    try:
        yield next(said for said in process.stdout or () if said.startswith("export ")).strip()
    finally:
        process.terminate()
        process.wait(20)


def write_dag(folder: Path, code: str) -> None:
    """Save the DAG where the README says."""
    (name,) = re.findall(r"Write a DAG\*\* into `(.*?)`", PATH)
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(code)


def type_all(folder: Path, export: str) -> subprocess.CompletedProcess[str]:
    """Type the path in its order, with the connection of a sandbox, but for the steps that start something of their own."""
    script = ["set -e"]
    for language, code in blocks(PATH.replace("/tmp/nexus-daily", str(folder / "files"))):
        if language == "python":
            write_dag(folder, code)
        elif not code.startswith(("make", ".venv")):
            script.append(export if code.startswith("export AIRFLOW_CONN") else code)
    command = ["bash", "-c", "\n".join(script)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=200, env=QUIET)


def test_the_path_leads_to_a_proved_file(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with sandbox_of(block(".venv"), tmp_path) as export:
        ended = type_all(tmp_path, export)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-5000:]
    manifests = [json.loads(path.read_bytes()) for path in (tmp_path / "files").rglob("_manifest.json")]
    assert {manifest["resource"] for manifest in manifests} == {"customers", "transactions", "orders", "transfers"}
    assert {manifest["proof"]["verdict"] for manifest in manifests} == {"proved"}
    assert "All is well: 4 manifests" in ended.stdout


def test_the_steps_with_an_airflow_of_their_own_are_tested() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for name in ("demo", "ui"):
        assert block(f"make {name}") == f"make {name}\n"
        assert f"$(BIN)/python -m airflow_provider_nexus {name}\n" in makefile
        assert f'"airflow_provider_nexus", "{name}"' in (ROOT / f"tests/standalone/test_{name}.py").read_text()


def test_the_page_for_beginners_tells_the_same_steps() -> None:
    page = (ROOT / "docs/start.rst").read_text()
    told = [dedent(code).strip() for code in re.findall(r"code-block:: (?:shell|python)\n\n((?:(?:   .*)?\n)+)", page)]
    ours = {line for _, code in blocks(README) for line in code.splitlines()}
    theirs = [line for code in told for line in code.splitlines() if line]
    assert len(theirs) > 10
    assert [line for line in theirs if not any(line in other for other in ours)] == []


def test_the_calls_run() -> None:
    names: dict[str, Any] = {}
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as sandbox, connection(sandbox):
        code = json.loads(sandbox.truth("transactions")[0])["transactionCode"]
        exec(compile(SNIPPETS[1].replace("AA20260101120000A00", code), "README.md", "exec"), names)
        assert names["hook"].get_record("transactions", code)["transactionCode"] == code
        assert isinstance(next(names["hook"].iter_records("orders"))["amount"], Decimal)


def test_the_table_is_filled(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(SNIPPETS[2].replace("):\n", ") as dag:\n", 1), "README.md", "exec"), names)
    with (
        Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as sandbox,
        connection(sandbox),
        sql_connection(f"sqlite:///{tmp_path / 'warehouse.db'}"),
    ):
        (conf,) = re.findall(r"`(\{\"window_start.*?\})`", README)
        assert state_of(run_dag(names["dag"], run_conf=json.loads(conf)), "orders") == "success"
        sandbox.advance(86_400)
        assert state_of(run_dag(names["dag"]), "orders") == "success"


def test_the_connection_of_the_readme_is_one() -> None:
    (text,) = re.findall(r"AIRFLOW_CONN_NEXUS_DEFAULT='(.*?)'", README)
    assert json.loads(text)["extra"] == {"environment": "test"}


def test_every_page_that_is_linked_is_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert linked
    assert [page for page in linked if not (ROOT / page).exists()] == []
