"""A table that somebody takes back to an earlier version: the books go back with the rows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.load.copy import Reject
from tests.load.delta.writing import copy_in, day, held, load_day, sealed_of, window_of
from tests.sync.capturing import DAY, into_delta, living


def to_version(folder: Path, version: int) -> None:
    DeltaTable(folder).restore(version)


def to_time(folder: Path, version: int) -> None:
    """Back to when a version was the latest one: the moments of the versions are made a minute apart."""
    log, now = folder / "_delta_log", datetime.now(UTC)
    latest = DeltaTable(folder).version()
    for number in range(latest + 1):
        at = now - timedelta(minutes=latest - number)
        path = log / f"{number:020}.json"
        lines = path.read_text().splitlines()
        place, entry = next((place, json.loads(line)) for place, line in enumerate(lines) if "commitInfo" in line)
        entry["commitInfo"]["timestamp"] = int(at.timestamp() * 1000)
        lines[place] = json.dumps(entry)
        path.write_text("\n".join(lines))
        os.utime(path, (at.timestamp(), at.timestamp()))
    DeltaTable(folder).restore(now - timedelta(minutes=latest - version - 0.5))


WAYS: dict[str, Callable[[Path, int], None]] = {"version": to_version, "time": to_time}


def loaded(folder: Path, count: int, **options: Any) -> None:
    """Days, one load each, from version 1 on."""
    for number in range(count):
        load_day(folder, number, day(number, 20), **options)


def windows(folder: Path, **options: Any) -> list[Any]:
    return [window for window, _ in copy_in(folder, **options).windows()]


@pytest.mark.parametrize("output", ["current", "history"])
@pytest.mark.parametrize("way", WAYS)
def test_the_books_go_back_with_the_rows(tmp_path: Path, way: str, output: Any) -> None:
    loaded(tmp_path, 4, output=output)
    WAYS[way](tmp_path, 2)
    copy = copy_in(tmp_path, output=output)
    assert windows(tmp_path, output=output) == [window_of(0), window_of(1)]
    assert copy.check().problems == ()
    for number in (2, 3):
        stored = load_day(tmp_path, number, day(number, 20), output=output)
        assert (stored.inserted, stored.repaired) == (20, 0)
    copy = copy_in(tmp_path, output=output)
    assert copy.check().problems == ()
    assert len(copy.current()) == 80


@pytest.mark.parametrize("way", WAYS)
def test_back_and_forth(tmp_path: Path, way: str) -> None:
    back = WAYS[way]
    loaded(tmp_path, 4)
    back(tmp_path, 2)
    assert len(held(tmp_path)) == 40
    back(tmp_path, 4)
    assert len(held(tmp_path)) == 80
    back(tmp_path, 5)
    assert windows(tmp_path) == [window_of(0), window_of(1)]
    assert len(held(tmp_path)) == 40
    load_day(tmp_path, 5, day(5, 20))
    assert windows(tmp_path) == [window_of(0), window_of(1), window_of(5)]
    DeltaTable(tmp_path).optimize.compact()
    DeltaTable(tmp_path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert len(held(tmp_path)) == 60


def test_back_to_before_the_first_load(tmp_path: Path) -> None:
    loaded(tmp_path, 2)
    to_version(tmp_path, 0)
    assert windows(tmp_path) == []
    assert held(tmp_path) == {}
    load_day(tmp_path, 1, day(1, 20))
    assert len(held(tmp_path)) == 20


def test_after_a_load_that_changed_no_file(tmp_path: Path) -> None:
    """A version of the same files is as good as the one that was meant."""
    loaded(tmp_path, 2)
    load_day(tmp_path, 2, [])
    loaded_until = windows(tmp_path)
    load_day(tmp_path, 3, day(3, 20))
    to_time(tmp_path, 3)
    assert windows(tmp_path) == loaded_until
    assert len(held(tmp_path)) == 40


def test_other_commits_are_passed_over(tmp_path: Path) -> None:
    loaded(tmp_path, 3)
    twice = DeltaTable(tmp_path).to_pyarrow_table().slice(0, 4)
    write_deltalake(tmp_path, twice, mode="append")
    to_version(tmp_path, 2)
    assert len(held(tmp_path)) == 40


def cut_off(folder: Path) -> None:
    """What DROP FEATURE ... TRUNCATE HISTORY leaves: a checkpoint, and the log from there on."""
    table = DeltaTable(folder)
    table.create_checkpoint()
    for version in range(table.version()):
        (folder / "_delta_log" / f"{version:020}.json").unlink(missing_ok=True)


@pytest.mark.parametrize("output", ["current", "history"])
def test_a_log_that_was_cut_off(tmp_path: Path, output: Any) -> None:
    """It is not known then whether it was restored; the number of its rows tells."""
    loaded(tmp_path, 2, output=output)
    DeltaTable(tmp_path).optimize.compact()
    cut_off(tmp_path)
    assert windows(tmp_path, output=output) == [window_of(0), window_of(1)]
    load_day(tmp_path, 2, day(2, 20), output=output)
    assert copy_in(tmp_path, output=output).check().problems == ()
    to_version(tmp_path, DeltaTable(tmp_path).version() - 1)
    DeltaTable(tmp_path).optimize.compact()
    cut_off(tmp_path)
    with pytest.raises(NexusStorageError, match=r"has no version \d any more, and the table has other rows"):
        windows(tmp_path, output=output)


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_the_next_run_brings_what_was_lost(tmp_path: Path, resource: str) -> None:
    with living(per_day=40) as sandbox:
        capture = into_delta(sandbox, tmp_path, resource)
        for number in range(5):
            sandbox.advance(DAY if number else 0)
            capture.run()
            if number == 2:
                version = DeltaTable(tmp_path).version()
        to_version(tmp_path, version)
        assert capture.flaws() == ()
        capture.run()
        assert capture.wrong() == []
        assert capture.flaws() == ()


def lost(path: Path) -> None:
    path.unlink()


def edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"2026", b"2025", 1))


@pytest.mark.parametrize("load", [2, 4])
@pytest.mark.parametrize("what", ["manifests", "books"])
@pytest.mark.parametrize("harm", [lost, edited])
def test_what_is_told_of_a_file_of_a_load_works(tmp_path: Path, harm: Callable[[Path], None], what: str, load: int) -> None:
    """Of a load that was not the last one too: the one before it is whole."""
    paths = [set[Path]()]
    for number in range(4):
        loaded_before = set((tmp_path / "_nexus" / what).glob("*"))
        load_day(tmp_path, number, day(number, 20))
        paths.append(set((tmp_path / "_nexus" / what).glob("*")) - loaded_before)
    harm(paths[load].pop())
    if what == "books" and load == 2:
        to_version(tmp_path, 2)
    problems = copy_in(tmp_path).check().problems
    assert any("restore the table to a version before it was written" in each for each in problems)
    to_version(tmp_path, load - 1)
    for number in range(load - 1, 4):
        load_day(tmp_path, number, day(number, 20))
    assert len(held(tmp_path)) == 80


@pytest.mark.parametrize("harm", [lost, edited])
def test_records_that_were_put_aside_come_back_with_their_window(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    rows, window = day(0, 10), window_of(0)
    aside = (Reject(rows[0][0], "amount", "a number", '{"of": 2026}'),)

    def load() -> None:
        sealed = replace(sealed_of(rows[1:], window, rows[0][1]), rejects=aside)
        copy_in(tmp_path).apply([rows[1:]], window, lambda: sealed)

    load()
    harm(next((tmp_path / "_nexus" / "rejected").iterdir()))
    assert any("sync its window again" in each for each in copy_in(tmp_path).check().problems)
    load()
    assert copy_in(tmp_path).check().problems == ()
