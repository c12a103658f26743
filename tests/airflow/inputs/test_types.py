"""The arguments of the provider as type checkers see them, and as a reader of a signature does."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

DAGS = Path(__file__).with_name("typed_dags.py")


def pyright(path: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """What pyright has to say in its standard mode, about that file alone."""
    settings = tmp_path / "pyrightconfig.json"
    root = Path(__file__).parents[3]
    settings.write_text(json.dumps({"typeCheckingMode": "standard", "include": [str(path)], "extraPaths": [str(root)]}))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(settings), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1
    return [each for each in found["generalDiagnostics"] if each["severity"] == "error"]


def test_pyright_takes_a_dag_of_each_kind(tmp_path: Path) -> None:
    """mypy, in its strict mode, reads that file with all others."""
    assert pyright(DAGS, tmp_path) == []


def test_pyright_sees_a_wrong_argument(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(DAGS.read_text() + "\nNexusOperator(task_id='x', endpoint=3)\n")
    assert ["3" in each["message"] or "int" in each["message"] for each in pyright(wrong, tmp_path)] == [True]


@pytest.mark.parametrize("operator", [NexusToObjectStorageOperator, NexusToSqlOperator])
def test_transfers_name_their_arguments(operator: Any) -> None:
    base = set(inspect.signature(operator.__mro__[1].__init__).parameters)
    assert base - set(inspect.signature(operator.__init__).parameters) == set()


def test_a_query_is_no_param_of_airflow() -> None:
    assert "params" not in inspect.signature(NexusOperator.__init__).parameters
