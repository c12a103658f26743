"""Histories and deletions captured into a Delta table. That it equals the truth is in tests/sync/test_capture, as of files."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.delta.files import rows_in
from airflow_provider_nexus.load.delta.table import VersionTable
from airflow_provider_nexus.load.parquet.batches import arrow_schema, rows_of
from tests.repeated import times
from tests.sync.capturing import DAY, Capture, into_delta, living


def versions_of(folder: Path, capture: Capture) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a history by key, the first version first."""
    copy: Any = capture.place()[0]
    table = VersionTable(copy.resource)
    schema, found = arrow_schema(table, {}), defaultdict[str, list[tuple[Any, ...]]](list)
    for file in copy.snapshot().files(table.created):
        for batch in rows_in(folder, file, schema):
            for row in rows_of(batch):
                found[row[0]].append(row)
    return {key: sorted(rows, key=lambda row: row[-2]) for key, rows in found.items()}


@pytest.mark.parametrize("history", [False, True], ids=["current", "history"])
@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_what_is_deleted_leaves_the_copy(tmp_path: Path, resource: str, history: bool) -> None:
    with living(per_day=60, delete_share=0.1, delete_seconds=5.0 * DAY) as sandbox:
        capture = into_delta(sandbox, tmp_path, resource, history=history, rereads=100)
        deleted = 0
        for day in range(7):
            sandbox.advance(DAY if day else 0)
            deleted += (capture.run() or {})["deleted"]
            assert capture.wrong() == [], day
            assert capture.flaws() == (), day
        assert deleted
        if history:
            gone = {key for key, versions in versions_of(tmp_path, capture).items() if versions[-1][-1]}
            assert len(gone) == deleted


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_a_history_holds_each_version_that_a_run_saw_once(tmp_path: Path, resource: str) -> None:
    seen: dict[str, list[str]] = {}
    with living(per_day=40) as sandbox:
        capture = into_delta(sandbox, tmp_path, resource, history=True, rereads=100)
        for day in range(times(9, 20)):
            sandbox.advance(DAY if day else 0)
            capture.run()
            for key, row in capture.truth().items():
                if seen.setdefault(key, [""])[-1] != row[3]:
                    seen[key].append(row[3])
        assert capture.wrong() == []
        assert capture.flaws() == ()
        held = versions_of(tmp_path, capture)
    assert {key: ["", *(row[3] for row in rows)] for key, rows in held.items()} == seen
    assert max(map(len, seen.values())) > 2


def test_the_files_of_a_history_are_never_changed(tmp_path: Path) -> None:
    """Small ones may be made one, with all of their rows."""
    with living(per_day=40) as sandbox:
        capture, before = into_delta(sandbox, tmp_path, "orders", history=True, rereads=100), dict[str, list[Any]]()
        for day in range(8):
            sandbox.advance(DAY if day else 0)
            capture.run()
            now = versions_of(tmp_path, capture)
            assert all(now[key][: len(rows)] == rows for key, rows in before.items())
            before = now
        width = len(Table(capture.entry).columns)
        assert all(len(row) == width + 2 for rows in now.values() for row in rows)
