"""The DAGs on the page of warehouses: those whose providers are installed here are taken by Airflow, and say what they mean."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import duckdb
import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.operators.files import NexusListFilesOperator
from tests.airflow.running import stored_form
from tests.docs.pages import DOCS

PAGE = (DOCS / "warehouses.rst").read_text()
_, *_PARTS = re.split(r"^(.+)\n~+\n", PAGE[PAGE.index("\nDAGs\n") :], flags=re.MULTILINE)
BLOCKS = {
    title: textwrap.dedent(block)
    for title, body in zip(_PARTS[::2], _PARTS[1::2], strict=True)
    for block in re.findall(r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", body, re.MULTILINE)
}
INSTALLED = ("Redshift", "Snowflake", "Athena and Trino")
WINDOW = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-01-02T00:00:00Z"}
LIST = {"Redshift": "s3://lake/loads/1.manifest", "Snowflake": "FILES = ('a', 'b')"}


def module_of(title: str, folder: Path) -> ModuleType:
    """A DAG file, as Airflow would find it."""
    path = folder / f"{re.sub(r'[^a-z]', '_', title.lower())}.py"
    path.write_text(BLOCKS[title])
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_dag_for_each_warehouse() -> None:
    assert set(BLOCKS) == {"Redshift", "Snowflake", "Databricks", "BigQuery", "ClickHouse", "Athena and Trino"}


@pytest.mark.parametrize("title", sorted(BLOCKS))
def test_each_says_what_was_tried(title: str) -> None:
    assert re.search(rf"^{title}\n~+\n\n\*Tried\*: parsed", PAGE, re.MULTILINE)


@pytest.mark.parametrize("title", INSTALLED)
def test_airflow_takes_it(title: str, tmp_path: Path) -> None:
    module = module_of(title, tmp_path)
    assert isinstance(module.files, NexusListFilesOperator)
    dag: DAG = module.files.dag
    assert module.files.task_id in dag.get_task("sync").downstream_task_ids
    assert stored_form(dag)


@pytest.mark.parametrize("title", ["Redshift", "Snowflake"])
@pytest.mark.parametrize("has_files", [True, False])
def test_a_window_is_replaced(title: str, has_files: bool, tmp_path: Path) -> None:
    load = module_of(title, tmp_path).load
    found: dict[str, Any] = {"sync": WINDOW, "files": [LIST[title]] if has_files else []}
    load.render_template_fields({"ti": SimpleNamespace(xcom_pull=lambda task_ids: found[task_ids])})
    text = "\n".join([load.sql] if isinstance(load.sql, str) else load.sql)
    assert "DELETE FROM transactions WHERE created >= '2026-01-01T00:00:00Z' AND created < '2026-01-02T00:00:00Z'" in text
    assert ("COPY" in text) is (LIST[title] in text) is has_files
    assert not re.search(r"[{}]", text)


def test_a_sum_of_duckdb_fails_beyond_its_digits_and_is_exact_when_it_is_cast() -> None:
    with duckdb.connect() as database:
        database.execute("CREATE TABLE t AS SELECT 60000000000000.5::DECIMAL(38, 24) AS amount FROM range(3)")
        with pytest.raises(duckdb.OutOfRangeException):
            database.execute("SELECT sum(amount) FROM t").fetchall()
        (found,) = database.execute("SELECT sum(amount::DECIMAL(38, 9)) FROM t").fetchall()
    assert found == (Decimal("180000000000001.5"),)
