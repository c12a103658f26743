"""What a loader is given: the files of proved windows, each as it was published, and of nothing else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusDataError,
    NexusStorageError,
    NexusUnprovedError,
    NexusWindowError,
)
from airflow_provider_nexus.extract.window import RequestedWindow, Window
from airflow_provider_nexus.load.forms import refuse_inside
from airflow_provider_nexus.load.listing import Listing, Wanted, listing
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import capture, hours_of, put

DAYS = ((36, 24), (24, 12), (12, 0))
TWO = pytest.mark.parametrize("file_format", ["jsonl", "parquet"])


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with sandbox_and_client(misfit_share=0.1, misfits=("amount",)) as (sandbox, _):
        yield sandbox


@pytest.fixture(scope="module")
def patterns(served: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three windows end to end, with records put aside, in each format; and another resource beside them."""
    made = {}
    for file_format in ("jsonl", "parquet"):
        made[file_format] = root = tmp_path_factory.mktemp(file_format)
        for start, until in DAYS:
            window = hours_of(served, start=start, until=until)
            put(client_of(served), root, "transactions", window, file_format, max_rejected=500)
        put(client_of(served), root, "prices", None, file_format, max_rejected=500)
    return made


@pytest.fixture
def tree(patterns: dict[str, Path], tmp_path: Path, file_format: str) -> Path:
    shutil.copytree(patterns[file_format], tmp_path / "tree")
    return tmp_path / "tree"


def windows_of(root: Path) -> list[Path]:
    return sorted((root / "sandbox" / "transactions").glob("*Z-*Z"))


def listed(root: Any, resource: str = "transactions", **wanted: Any) -> Listing:
    return listing(root, Wanted(resource, **wanted))


def files_of(found: Listing) -> list[Path]:
    return [window.folder / file.name for window in found.windows for file in window.manifest.files]


def span(start: datetime | None, end: datetime | None) -> RequestedWindow:
    return RequestedWindow(start, end, "arguments")


def window_of(folder: Path) -> Window:
    start, end = (datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for text in folder.name.split("-"))
    return Window(start, end)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / NAME).read_bytes())
    change(manifest)
    (folder / NAME).write_text(json.dumps(manifest))


@TWO
def test_all_windows_are_given_with_their_data_files_alone(tree: Path) -> None:
    found = listed(tree)
    assert [window.folder for window in found.windows] == windows_of(tree)
    assert sorted(path for path in files_of(found)) == sorted((tree / "sandbox/transactions").rglob("part-*"))
    assert all((folder / "_rejected").is_dir() for folder in windows_of(tree)), "there is something that must not be listed"
    assert all(path.parent in windows_of(tree) for path in files_of(found))
    assert all("that did not fit" in note for note in found.notes)
    assert len(found.notes) == 3


@TWO
@pytest.mark.parametrize("below", ["", "sandbox", "sandbox/transactions"])
def test_any_folder_above_the_windows_will_do(tree: Path, below: str) -> None:
    assert files_of(listed(tree / below)) == files_of(listed(tree))
    assert files_of(listing(tree / "sandbox/transactions", Wanted())) == files_of(listed(tree))


@TWO
def test_the_folder_of_one_window_is_that_window(tree: Path) -> None:
    found = listing(windows_of(tree)[1], Wanted())
    assert [window.folder for window in found.windows] == [windows_of(tree)[1]]


@TWO
def test_several_resources_are_no_one_load(tree: Path) -> None:
    with pytest.raises(NexusConfigurationError, match=r"has sandbox/prices, sandbox/transactions, and a load takes one"):
        listing(tree, Wanted())
    with pytest.raises(NexusConfigurationError, match=r"no windows of orders: there are prices, transactions"):
        listed(tree, "orders")
    with pytest.raises(NexusConfigurationError, match="there is no sync"):
        listed(tree / "nothing")


@TWO
def test_a_span_takes_the_windows_in_it(tree: Path) -> None:
    first, second, third = map(window_of, windows_of(tree))
    for start, end, expected in [
        (None, None, [0, 1, 2]),
        (second.start, None, [1, 2]),
        (None, second.end, [0, 1]),
        (second.start, second.end, [1]),
        (first.start, third.end, [0, 1, 2]),
    ]:
        found = listed(tree, span=span(start, end))
        assert [window.folder for window in found.windows] == [windows_of(tree)[number] for number in expected]


@TWO
def test_a_window_that_is_only_partly_in_the_span_is_refused(tree: Path) -> None:
    second = window_of(windows_of(tree)[1])
    for start, end in ((second.start + timedelta(seconds=1), None), (None, second.end - timedelta(seconds=1))):
        with pytest.raises(NexusWindowError, match="lies only partly in the span"):
            listed(tree, span=span(start, end))


@TWO
def test_a_span_that_is_not_covered_is_refused(tree: Path) -> None:
    first, second, third = map(window_of, windows_of(tree))
    for start, end in (
        (first.start - timedelta(hours=1), third.end),
        (first.start, third.end + timedelta(hours=2)),
        (third.end, None),
        (None, first.start),
        (third.end, third.end + timedelta(days=1)),
    ):
        with pytest.raises(NexusWindowError, match="has no"):
            listed(tree, span=span(start, end))
    shutil.rmtree(windows_of(tree)[1])
    with pytest.raises(NexusWindowError, match=f"no window from {second.start:%FT%TZ} to {second.end:%FT%TZ}"):
        listed(tree, span=span(first.start, third.end))
    assert listed(tree).notes[0] == f"no window from {second.start:%FT%TZ} to {second.end:%FT%TZ}"


@TWO
def test_a_list_is_not_written_into_the_copy(tree: Path) -> None:
    window, snapshot = windows_of(tree)[0], next((tree / "sandbox/prices").glob("2*"))
    link = tree.parent / "link"
    link.symlink_to(tree / "sandbox")
    inside = [
        *(window / NAME, window / "list.txt", window.parent / "files.json", snapshot / NAME),
        tree / "x" / ".." / window.relative_to(tree) / NAME,
        link / "transactions" / window.name / NAME,
        ObjectStoragePath((window / NAME).as_uri()),
    ]
    outside = [tree / "files.json", tree.parent / "files.json", tree / "sandbox" / "transactions.txt"]
    for root in (tree, window.parent, ObjectStoragePath(tree.as_uri())):
        for since in (None, datetime(2100, 1, 1, tzinfo=UTC)):
            found = listed(root, changed_since=since)
            for target in inside:
                if root != window.parent or "prices" not in str(target):
                    with pytest.raises(NexusConfigurationError, match="lies in the copy itself"):
                        refuse_inside(found, target)
            for target in outside:
                refuse_inside(found, target)


@TWO
def test_one_window_covers_no_wider_span(tree: Path) -> None:
    first, second, third = map(window_of, windows_of(tree))
    folder = windows_of(tree)[1]
    assert len(listing(folder, Wanted(span=span(second.start, second.end))).windows) == 1
    for start, end in ((first.start, second.end), (second.start, third.end)):
        with pytest.raises(NexusWindowError, match="has no window from"):
            listing(folder, Wanted(span=span(start, end)))


@TWO
def test_snapshots_that_have_all_lost_their_manifests_are_refused(tree: Path) -> None:
    folder = next((tree / "sandbox/prices").glob("2*"))
    (folder / NAME).unlink()
    for root in (tree, folder):
        with pytest.raises(NexusStorageError, match=f"{folder.name} has .* and no {NAME}"):
            listed(root, "prices")


@TWO
def test_only_what_was_written_since_is_given(tree: Path) -> None:
    now = datetime.now(UTC)
    for days, folder in zip((5, 3, 1), windows_of(tree), strict=True):
        moment = (now - timedelta(days=days)).timestamp()
        os.utime(folder / NAME, (moment, moment))
    for days, expected in ((6, 3), (4, 2), (2, 1), (0, 0)):
        assert len(listed(tree, changed_since=now - timedelta(days=days)).windows) == expected


@TWO
@pytest.mark.parametrize("which", ["part-*", "_rejected/*"])
@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
def test_a_file_that_is_not_as_it_was_published_is_refused(tree: Path, which: str, how: str) -> None:
    path = next(windows_of(tree)[1].glob(which))
    whole = path.read_bytes()
    path.unlink()
    if how != "missing":
        path.write_bytes(whole[:-1] if how == "cut" else bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(NexusStorageError, match=r"sync the window from .* again"):
        listed(tree)
    assert len(listed(tree, span=span(None, window_of(windows_of(tree)[0]).end)).windows) == 1


@TWO
def test_a_folder_that_has_lost_its_manifest_is_refused(tree: Path) -> None:
    folder = windows_of(tree)[1]
    (folder / NAME).unlink()
    for root in (tree, folder):
        with pytest.raises(NexusStorageError, match=f"{folder.name} has .* and no {NAME}"):
            listed(root)


@TWO
def test_a_window_that_is_being_replaced_is_refused(tree: Path) -> None:
    folder = windows_of(tree)[1]
    (folder / "_superseded").mkdir()
    (folder / NAME).rename(folder / "_superseded" / "a.json")
    with pytest.raises(NexusStorageError, match="a run that replaces the window is at work, or was cut off"):
        listed(tree)


@TWO
def test_what_is_not_proved_is_refused_unless_it_is_allowed(tree: Path) -> None:
    edit(windows_of(tree)[1], lambda manifest: manifest["proof"].update(verdict="unproved", reasons=["counts differ"]))
    with pytest.raises(NexusUnprovedError) as refused:
        listed(tree)
    assert refused.value.reasons == ("counts differ",)
    found = listed(tree, strict=False)
    assert len(found.windows) == 3
    assert f"{windows_of(tree)[1].name} was never proved complete" in found.notes


@TWO
@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["window"].update(start="2020-01-01T00:00:00Z"),
        lambda manifest: manifest["proof"].update(unique=manifest["proof"]["unique"] + 1),
        lambda manifest: manifest.update(records=manifest["records"] + 1),
        lambda manifest: manifest.update(resource="orders"),
    ],
    ids=["window", "proof", "records", "resource"],
)
def test_a_manifest_that_was_edited_is_refused(tree: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit(windows_of(tree)[1], change)
    with pytest.raises(NexusStorageError, match="was edited or moved"):
        listed(tree)


@TWO
def test_what_is_no_manifest_is_refused(tree: Path) -> None:
    (windows_of(tree)[1] / NAME).write_text("{}")
    with pytest.raises(NexusDataError):
        listed(tree)


@TWO
def test_windows_that_overlap_are_refused(tree: Path, served: Sandbox, file_format: str) -> None:
    put(client_of(served), tree, "transactions", hours_of(served, start=18, until=6), file_format, max_rejected=500)
    with pytest.raises(NexusConfigurationError, match="which overlap, so a load would take records twice"):
        listed(tree)


def test_formats_are_not_mixed(patterns: dict[str, Path], tmp_path: Path) -> None:
    for number, (_, root) in enumerate(sorted(patterns.items())):
        folder = windows_of(root)[number]
        shutil.copytree(folder, tmp_path / "transactions" / folder.name)
    with pytest.raises(NexusConfigurationError, match="has windows in jsonl and parquet, and a load takes one"):
        listing(tmp_path, Wanted())


@TWO
def test_of_snapshots_the_latest_is_given(tree: Path, served: Sandbox, file_format: str) -> None:
    served.advance(60)
    latest = put(client_of(served), tree, "prices", None, file_format, max_rejected=500)
    assert [window.folder for window in listed(tree, "prices").windows] == [latest]
    first = min((tree / "sandbox/prices").glob("2*"))
    moment = datetime.strptime(latest.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert [window.folder for window in listed(tree, "prices", span=span(None, moment)).windows] == [first]
    (latest / NAME).unlink()
    assert [window.folder for window in listed(tree, "prices").windows] == [first]


def test_a_reading_of_some_parents_is_not_the_whole(served: Sandbox, tmp_path: Path) -> None:
    code = json.loads(served.truth("customers")[0])["customerCode"]
    folder = put(client_of(served), tmp_path, "customer_bank_accounts", parents=(code,))
    with pytest.raises(NexusConfigurationError, match="was read for some parents only"):
        listed(tmp_path, "customer_bank_accounts")
    assert len(listing(folder, Wanted()).windows) == 1


def test_a_load_by_prefix_takes_what_is_no_window(tmp_path: Path) -> None:
    with Sandbox(customers=20, transactions=300, days=3, lives="long", clock_speed=0) as sandbox:
        start = sandbox.now - timedelta(days=2)
        for _ in range(3):
            folder = capture(sandbox, tmp_path, "transactions", start, history=True)
            sandbox.advance(43_200)
    files = [str(path) for path in files_of(listed(tmp_path))]
    with duckdb.connect() as database:
        rows, keys = database.execute("SELECT count(*), count(DISTINCT _key) FROM read_parquet(?)", [files]).fetchall()[0]
        by_prefix = database.execute("SELECT count(*) FROM read_parquet(?)", [f"{folder}/**/*.parquet"]).fetchall()[0][0]
    assert rows == keys == sum(window.manifest.records for window in listed(tmp_path).windows)
    assert by_prefix > rows
