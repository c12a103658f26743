"""The commands over a copy in a Delta table, as over one in files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.report.pages import Page

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
DAYS = [("2026-02-27", "2026-02-28"), ("2026-02-28", "2026-03-01")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=10, transactions=120, days=3, clock_speed=0, now=NOW) as running, connection(running):
        yield running


@pytest.fixture
def root(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Two days in a Delta table, and a snapshot in another one."""
    for start, end in DAYS:
        assert run(capsys, "sync", "transactions", tmp_path, "--window-start", start, "--window-end", end, *DELTA)[0] == 0
    assert run(capsys, "sync", "prices", tmp_path, *DELTA)[0] == 0
    return tmp_path


DELTA = ("--file-format", "delta")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    try:
        code = main([str(each) for each in arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def table(root: Path) -> Path:
    return root / "sandbox" / "transactions"


def verified(capsys: pytest.CaptureFixture[str], root: Path, *options: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, "verify", root, *options, "--output", "json")
    return code, json.loads(out)


@pytest.mark.parametrize("below", ["", "sandbox", "sandbox/transactions"])
def test_a_table_is_verified_alone_and_against_nexus(
    root: Path, sandbox: Sandbox, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = verified(capsys, root / below, "--against-nexus")
    records = len(sandbox.truth("transactions", datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)))
    prices = 0 if below.endswith("transactions") else len(open_table(root / "sandbox/prices").current())
    assert (code, report["fine"], report["verdict"]) == (0, True, "All is well")
    assert report["records"] == records + prices
    assert report["calls"] > 0


def test_what_was_changed_in_a_table_is_found(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((table(root) / "_nexus/manifests").glob("*.json")).write_text("{}")
    code, report = verified(capsys, root)
    assert (code, report["fine"]) == (1, False)
    assert {problem["where"] for problem in report["problems"]} == {str(table(root))}


def test_a_gap_of_a_table_is_told(sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for start, end in (("2026-02-27", "2026-02-27T12:00:00Z"), DAYS[1]):
        assert run(capsys, "sync", "transactions", tmp_path, "--window-start", start, "--window-end", end, *DELTA)[0] == 0
    code, report = verified(capsys, tmp_path)
    assert (code, report["gaps"]) == (0, 1)


def test_a_table_has_the_page_of_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "report", root, "-o", root / "proof.html")[0] == 0
    text = (root / "proof.html").read_text()
    assert "All is well" in text
    links = [root / link for link in Page.of(text).links if not link.startswith("#")]
    readings = [
        *open_table(table(root)).books().readings.values(),
        *open_table(root / "sandbox/prices").books().readings.values(),
    ]
    assert sorted(path.stem for path in links) == sorted(each.sha256 for each in readings)
    assert all(path.is_file() for path in links)


def test_the_page_shows_a_manifest_that_is_missing(root: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    lost = sorted((table(root) / "_nexus/manifests").glob("*.json"))
    last = open_table(table(root)).books().last
    next(path for path in lost if path.stem != last).unlink()
    assert run(capsys, "report", root, "-o", root / "proof.html")[0] == 0
    assert "is missing" in (root / "proof.html").read_text()


def test_a_table_is_reconciled_as_files_are(
    root: Path, sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ("--window-start", DAYS[0][0], "--window-end", DAYS[1][1])
    files = tmp_path / "files"
    assert run(capsys, "sync", "transactions", files, *span)[0] == 0
    found = []
    for target in (table(root), files):
        code, out, err = run(capsys, "reconcile", f"transactions={target}", "--output", "json")
        assert code == 0, err
        found.append(json.loads(out)["lines"])
    assert found[0] == found[1]
    assert found[0]


@pytest.mark.parametrize("is_in_files", [True, False])
def test_two_copies_under_one_path_are_not_reconciled(
    root: Path, is_in_files: bool, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path_factory.mktemp("other")
    span = ("--window-start", DAYS[0][0], "--window-end", DAYS[1][1])
    assert run(capsys, "sync", "transactions", other, *span, *(() if is_in_files else DELTA))[0] == 0
    shutil.copytree(table(other), root / "other" / "transactions")
    code, _, err = run(capsys, "reconcile", f"transactions={root}")
    assert (code, "has several copies of transactions: give the folder of one" in err) == (2, True)


@pytest.mark.parametrize("form", ["list", "json", "snowflake", "databricks"])
def test_its_files_are_no_list_of_its_rows(root: Path, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "files", root, "--resource", "transactions", "--form", form)
    assert (code, out) == (2, "")
    assert "let the warehouse read it as a table" in err


def test_rejected_records_are_brought_in_by_another_sync(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "replay", root)
    assert (code, out) == (2, "")
    assert "sync their windows again" in err


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_table_takes_no_windows_in_files(root: Path, file_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--window-start", DAYS[0][0], "--window-end", DAYS[0][1])
    code, _, err = run(capsys, "sync", "transactions", root, *span, "--file-format", file_format)
    assert (code, "contains a Delta table" in err) == (2, True)


@pytest.mark.parametrize("harm", ["delete", "double"])
def test_rows_that_somebody_has_harmed_are_right_for_nexus_when_synced_again(
    root: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = DeltaTable(table(root))
    rows = lake.to_pyarrow_table().slice(0, 5)
    if harm == "delete":
        lake.delete(f"_key IN ({', '.join(map(repr, rows['_key'].to_pylist()))})")
    else:
        write_deltalake(table(root), rows, mode="append")
    assert verified(capsys, root, "--against-nexus")[0] == 1
    repaired = 0
    for start, end in DAYS:
        options = ("--window-start", start, "--window-end", end, "--output", "json")
        code, out, _ = run(capsys, "sync", "transactions", root, *options, *DELTA)
        assert code == 0
        repaired += json.loads(out).get("repaired", 0)
    assert repaired == 5
    assert verified(capsys, root, "--against-nexus")[0] == 0


@pytest.mark.parametrize("name", ["a b", "ü", "a#b"])
def test_a_path_of_strange_signs_is_one_folder_for_all_commands(
    sandbox: Sandbox, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [str(tmp_path / name), f"file://{tmp_path}/{name}"]
    for (start, end), place in zip(DAYS, places, strict=True):
        options = ("--window-start", start, "--window-end", end, *DELTA)
        assert run(capsys, "sync", "transactions", place, *options)[0] == 0
    assert [each.name for each in tmp_path.iterdir()] == [name]
    found = [verified(capsys, Path(places[0]))[1]["records"]]
    code, out, _ = run(capsys, "verify", places[1], "--output", "json")
    assert code == 0
    assert [json.loads(out)["records"]] == found
    for number, place in enumerate(places):
        page = tmp_path / f"page{number}.html"
        assert run(capsys, "report", place, "-o", page)[0] == 0
        assert page.is_file()


@pytest.mark.parametrize("name", ["a%20b", "a\\b"])
def test_a_path_that_would_be_two_folders_is_refused(
    sandbox: Sandbox, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start, end = DAYS[0]
    for place in (str(tmp_path / name), f"file://{tmp_path}/{name}"):
        code, _, said = run(capsys, "sync", "transactions", place, "--window-start", start, "--window-end", end, *DELTA)
        assert code != 0
        assert "in a path otherwise than Airflow does" in said
    assert list(tmp_path.iterdir()) == []


def test_a_check_ends_with_the_bytes_of_the_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "verify", root)
    assert code == 0
    assert ", 0 bytes" not in out
    live = [Path(file) for name in ("transactions", "prices") for file in DeltaTable(root / "sandbox" / name).file_uris()]
    assert f"{sum(file.stat().st_size for file in live):,} bytes" in out


@pytest.mark.parametrize("place", ["s3:///nexus", "s3://aws_default@/nexus"])
def test_a_place_without_a_bucket_is_refused_in_plain_words(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("sync", "transactions", place, *DELTA), ("verify", place), ("report", place)):
        code, _, said = run(capsys, *arguments)
        assert code != 0
        assert "names no bucket or container" in said
        assert "\x1b" not in said
