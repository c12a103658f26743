"""Windows, snapshots and readings are found by the names of their folders, wherever the search begins."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.collection import (
    below,
    collections,
    content_of,
    previous_of,
    refuse_another,
    snapshots_of,
    windows_of,
)
from airflow_provider_nexus.load.manifest import NAME, to_json
from airflow_provider_nexus.report import write_report
from airflow_provider_nexus.verify.files import verify
from tests.load.manifests import manifest_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, LATER = "20260101T000000Z-20260102T000000Z", "20260102T000000Z-20260105T000000Z"
SHOT = "20260103T000000Z"
IMPOSSIBLE = ["20260102T000000Z-20260101T000000Z", "20261399T000000Z-20270101T000000Z", "20260101T000000Z-20260101T000000Z"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a resource below the path of a sync, with a manifest in each of its folders but the last window."""
    root = tmp_path / "data" / "test" / "transactions"
    for name in (FIRST, SHOT, f"{SHOT}-of-0123456789ab", "_readings/open-20260104T000000Z", "november", "_staging/x"):
        (root / name).mkdir(parents=True)
        (root / name / NAME).write_bytes(to_json(manifest_of()))
    (root / LATER).mkdir()
    return root


@pytest.mark.parametrize("up", [0, 1, 2])
def test_a_resource_is_found_from_any_folder_above(folder: Path, up: int) -> None:
    root = (folder, *folder.parents)[up]
    (found,) = collections(root)
    assert (found.folder, found.path) == (folder, str(folder.relative_to(root)).lstrip("."))
    assert list(found.windows) == [FIRST, LATER]
    assert found.snapshots == dict.fromkeys((SHOT, f"{SHOT}-of-0123456789ab"), datetime(2026, 1, 3, tzinfo=UTC))
    assert (found.readings, found.strangers, len(found.folders)) == (("open-20260104T000000Z",), ("november",), 6)
    assert list(below(folder.parents[2], 1)) == []


@pytest.mark.parametrize("name", [FIRST, SHOT, "november", "_readings/open-20260104T000000Z"])
def test_one_folder_is_found_by_itself(folder: Path, name: str) -> None:
    (found,) = collections(folder / name)
    assert (found.folder, found.folders, found.is_whole) == (folder, [folder / name], False)


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_name_that_can_be_no_window_stops_nothing(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    (folder / name / NAME).write_bytes(to_json(manifest_of()))
    assert list(windows_of(folder)) == [FIRST, LATER]
    assert name in content_of(folder).strangers
    assert any(f"its folder is called {name!r}" in problem.what for problem in verify(folder / name).problems)
    assert "3 of 3 windows are proved complete" in write_report(folder)
    before = previous_of(folder, windows_of(folder)[LATER])
    assert before
    assert before.window == FIRST


def test_what_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert windows_of(tmp_path / "nowhere") == snapshots_of(tmp_path / "nowhere") == {}


def test_a_window_is_published_without_a_look_at_each_of_a_thousand_names(tmp_path: Path) -> None:
    """The one before it is found, and whose records lie there, by the names that are tried."""
    hours = [BEGIN + timedelta(hours=hour) for hour in range(1002)]
    windows = [Window(*ends) for ends in pairwise(hours)]
    for window in windows[:-1]:
        (tmp_path / window.label).mkdir()
    (tmp_path / windows[-2].label / NAME).write_bytes(to_json(manifest_of()))
    read = Counter[str]()

    def called(frame: Any, event: str, _: object) -> None:
        read[frame.f_code.co_name] += event == "call"

    sys.setprofile(called)
    try:
        before = previous_of(tmp_path, windows[-1])
        refuse_another(tmp_path, manifest_of().base_url)
    finally:
        sys.setprofile(None)
    assert before
    assert before.window == windows[-2].label
    assert read["previous_of"] == read["refuse_another"] == 1
    assert 0 < read["_time"] < 10
