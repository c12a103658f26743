"""The folder of a resource is read by other tools as it is, with all that lies beside the rows, and each record once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas  # type: ignore[import-untyped]
import polars
import pyarrow.dataset  # type: ignore[import-untyped]
import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.load.columns import Table
from tests.extract.serving import client_of
from tests.load.storing import hours_of, put
from tests.sync.capturing import DAY, held_in, into_files, living

COLUMNS = [column.name for column in Table(get_resource("broker_transactions")).columns]
Found = tuple[list[str], list[str]]
"""Columns, and keys in order."""


def with_pandas(folder: Path) -> Found:
    frame = pandas.read_parquet(folder)
    return list(frame.columns), sorted(frame["_key"])


def with_pyarrow(folder: Path) -> Found:
    table = pyarrow.dataset.dataset(folder).to_table()
    return table.column_names, sorted(table["_key"].to_pylist())


def with_polars(folder: Path) -> Found:
    frame = polars.scan_parquet(folder / "*" / "*.parquet").collect()
    return frame.columns, sorted(frame["_key"])


def with_duckdb(folder: Path) -> Found:
    with duckdb.connect() as database:
        found = database.execute(f"SELECT * FROM read_parquet('{folder}/*/*.parquet')")
        columns = [column[0] for column in found.description or ()]
        return columns, sorted(row[columns.index("_key")] for row in found.fetchall())


TOOLS = (with_pandas, with_pyarrow, with_polars, with_duckdb)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of one resource: after syncs of windows, and after captures with a history."""
    root = tmp_path_factory.mktemp("readers")
    with living(per_day=40, misfit_share=0.1, misfits=("amount",)) as sandbox:
        captured = root / "captured"
        capture = into_files(sandbox, captured, history=True, options={"page_size": 50, "max_rejected": 1000})
        for day in range(3):
            sandbox.advance(DAY if day else 0)
            capture.run()
        client = client_of(sandbox)
        windows = [hours_of(sandbox, start=start, until=start - 24) for start in (48, 24)]
        for days in (0, 9):
            sandbox.advance(days * DAY)
            for window in windows:
                synced = put(client, root, "broker_transactions", window, "parquet", max_rejected=1000).parent
        client.session.close()
    return {"synced": synced, "captured": captured}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("how", ["synced", "captured"])
def test_each_record_is_read_once(folders: dict[str, Path], how: str, tool: Callable[[Path], Found]) -> None:
    folder = folders[how]
    beside = {path.name for path in folder.rglob("*") if path.name.startswith("_")}
    assert beside >= {"_manifest.json", "_superseded", "_rejected"}
    if how == "captured":
        assert beside >= {"_readings", "_unsettled.json", "_watermark.json"}
        assert list((folder / "_readings").rglob("*.parquet"))
    keys = sorted(held_in(folder))
    assert len(keys) > 20
    assert tool(folder) == (COLUMNS, keys)
