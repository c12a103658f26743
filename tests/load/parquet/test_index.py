"""The index of a copy's windows is no more than a note: what is wrong with it is found, and is made good from the manifests."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.extract.totals import Totals
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import windows_of
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet.copy import FORMAT
from airflow_provider_nexus.load.parquet.index import FOLDER, LOOKED_AT, WINDOWS, WindowIndex, month_of
from airflow_provider_nexus.replay.rejected import replay
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of
from tests.load.storing import put
from tests.sync.capturing import DAY, into_files, living

DAYS = 40


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Path]]:
    """A copy of more windows than are looked at in one run, of two months."""
    folder = tmp_path_factory.mktemp("grown")
    with living(per_day=6) as sandbox:
        capture = into_files(sandbox, folder)
        for day in range(DAYS):
            sandbox.advance(DAY if day else 0)
            capture.run()
        assert capture.wrong() == []
        assert verify(folder).problems == ()
        yield sandbox, folder


@pytest.fixture
def copy(grown: tuple[Sandbox, Path], tmp_path: Path) -> Path:
    """The same, to be spoiled."""
    return Path(shutil.copytree(grown[1], tmp_path / "copy"))


def index_of(folder: Path) -> WindowIndex:
    return WindowIndex(folder, FORMAT, has_totals=True)


def stored(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FOLDER / WINDOWS).read_bytes())
    return found


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    found = stored(folder)
    change(found)
    (folder / FOLDER / WINDOWS).write_text(json.dumps(found))


def said(folder: Path) -> list[str]:
    return [problem.what for problem in verify(folder).problems]


def test_it_has_what_manifests_have(copy: Path) -> None:
    index, windows = index_of(copy), list(windows_of(copy).items())
    found = {name: manifest for name, _ in windows if (manifest := manifests.load(copy / name))}
    assert len(found) == DAYS > 3 * LOOKED_AT
    assert {name: entry.read_at for name, (_, entry) in index.windows().items()} == {
        name: manifest.read_moment for name, manifest in found.items()
    }
    assert len({month_of(name) for name in found}) == 2
    for first, last in ((0, DAYS - 1), (0, 3), (5, DAYS - 2), (35, 38), (DAYS - 1, DAYS - 1)):
        expected = Totals()
        for name, _ in windows[first : last + 1]:
            expected.merge(found[name].group_totals)
        totals, parts = index.totals(windows[first][1].start, windows[last][1].end)
        assert totals.same_as(expected), (first, last)
        assert parts == []
    middle = windows[7][1].start + (windows[7][1].end - windows[7][1].start) / 2
    assert index.totals(middle, windows[8][1].start)[1] == [windows[7][0]]


SPOILED: dict[str, Callable[[Path], object]] = {
    "removed": lambda folder: (folder / FOLDER / WINDOWS).unlink(),
    "no JSON": lambda folder: (folder / FOLDER / WINDOWS).write_bytes(b"\xff{"),
    "another form": lambda folder: (folder / FOLDER / WINDOWS).write_bytes(b'{"windows": {"x": 1}}'),
    "no file of a month": lambda folder: (folder / FOLDER / "totals-202601.json").unlink(),
    "a file of a month": lambda folder: (folder / FOLDER / "totals-202601.json").write_bytes(b"{}"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_one_that_is_lost_or_spoiled_is_made_anew(
    grown: tuple[Sandbox, Path], copy: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = stored(copy)
    SPOILED[how](copy)
    if how != "removed":
        assert said(copy), "verify has not found it"
    with caplog.at_level(logging.INFO):
        index = index_of(copy)
        index.windows()
        windows = list(windows_of(copy).values())
        totals, _ = index.totals(windows[0].start, windows[3].end)
        index.commit()
    assert "is made anew" in caplog.text
    assert totals.counts
    assert {name: stored(copy)[name] for name in ("windows", "months")} == {name: before[name] for name in ("windows", "months")}
    assert said(copy) == []


def wrong(found: dict[str, Any], what: str) -> None:
    name = sorted(found["windows"])[3]
    if what == "a digest":
        found["windows"][name][0] = "0" * 64
    elif what == "a time":
        found["windows"][name][1] = "2026-01-01T00:00:00Z"
    elif what == "the window before":
        found["windows"][name][2] = ""
    elif what == "a window":
        found["windows"]["20240101T000000Z-20240102T000000Z"] = found["windows"][name]
    else:
        found["months"]["202601"]["totals"][0]["count"] += 1


@pytest.mark.parametrize("what", ["a digest", "a time", "the window before", "a window", "a count"])
def test_verify_finds_a_wrong_one(copy: Path, what: str) -> None:
    edit(copy, lambda found: wrong(found, what))
    assert ["remove the file, and the next run makes it anew" in each for each in said(copy)] == [True]
    (copy / FOLDER / WINDOWS).unlink()
    assert said(copy) == []


def test_a_manifest_that_somebody_edits_is_noticed_in_its_turn(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = max(windows_of(copy))
    path = copy / name / NAME
    path.write_bytes(path.read_bytes().replace(b'"seconds":', b'"seconds" :'))
    assert "has another manifest" in " ".join(said(copy))
    for _ in range(-(-DAYS // LOOKED_AT)):
        index = index_of(copy)
        index.windows()
        index.commit()
    assert f"The manifest of {copy / name} is not the one that a run has written" in caplog.text
    assert said(copy) == []


def test_a_window_that_a_killed_run_was_about_to_change_is_read_anew(copy: Path) -> None:
    name = max(windows_of(copy))
    index = index_of(copy)
    index.windows()
    index.begin([name])
    assert stored(copy)["changing"] == [name]
    path = copy / name / NAME
    path.write_bytes(path.read_bytes().replace(b'"seconds":', b'"seconds" :'))  # and here it is killed
    assert said(copy) == []
    after = index_of(copy)
    _, entry = after.windows()[name]
    assert entry.sha256 == manifests.digest_of(path.read_bytes())
    after.commit()
    assert stored(copy)["changing"] == []
    assert said(copy) == []


def test_what_another_run_has_written_is_not_overwritten(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    one, other = index_of(copy), index_of(copy)
    names = sorted(one.windows())
    other.windows()
    one.begin(names[:1])
    other.begin(names[1:2])
    assert "was changed by another run" in caplog.text
    assert not (copy / FOLDER / WINDOWS).exists()
    one.commit()
    assert sorted(one.windows()) == names
    one.commit()
    other.commit()
    assert said(copy) == []


def test_who_changes_windows_and_no_index_removes_it(tmp_path: Path) -> None:
    """A sync of one window, and a replay."""
    with living(per_day=30, misfit_share=0.3, misfits=("amount",)) as sandbox:
        client = client_of(sandbox)
        folder = tmp_path / client.session.environment.name / "orders"
        capture = into_files(sandbox, folder, "orders", options={"page_size": 20, "max_rejected": 1000})
        capture.run()
        (name,) = windows_of(folder)
        window = windows_of(folder)[name]
        asked = RequestedWindow(window.start, window.end, "arguments")
        changes: list[Callable[[], object]] = [lambda: replay(folder)]
        changes.append(lambda: put(client, tmp_path, "orders", asked, "parquet", max_rejected=1000))
        for change in changes:
            assert (folder / FOLDER / WINDOWS).exists()
            change()
            assert not (folder / FOLDER / WINDOWS).exists()
            capture.run()
            sandbox.advance(DAY)
            capture.run()
            assert verify(folder).problems == ()
        client.session.close()
