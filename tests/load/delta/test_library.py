"""Where a Delta table lies, and what the library says of it: one folder is one table, and errors are for people."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from deltalake import DeltaTable

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.hooks._stores import delta_options
from airflow_provider_nexus.load.delta.found import open_table
from airflow_provider_nexus.load.paths import place_of
from airflow_provider_nexus.verify.lake import verify_tables
from tests.load.delta.writing import day, held, load_day
from tests.object_store import object_store

KINDS: dict[str, Callable[[Path], Any]] = {
    "path": Path,
    "place": lambda path: ObjectStoragePath(str(path)),
    "file": lambda path: ObjectStoragePath(f"file://{path}"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a b", "ü", "a+b", "a#b", "a?b", "a&b=c", "[a]", "a'b"])
def test_a_folder_is_one_table(tmp_path: Path, name: str, kind: str) -> None:
    for number, other in enumerate(KINDS):
        load_day(KINDS[other](tmp_path / name), number, day(number, 5))
    assert [each.name for each in tmp_path.iterdir()] == [name]
    table = open_table(KINDS[kind](tmp_path / name))
    assert len(table.current()) == 15
    assert table.check().problems == ()
    assert DeltaTable(tmp_path / name).version() == 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a%20b", "a%2520b", "100%", "a\\b"])
def test_a_folder_that_the_library_understands_otherwise_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    folder = KINDS[kind](tmp_path / name)
    for use in (lambda: load_day(folder, 0, day(0, 5)), lambda: open_table(folder)):
        with pytest.raises(NexusConfigurationError, match=r"in a path otherwise than Airflow does"):
            use()
    assert list(tmp_path.iterdir()) == []


def test_keys_of_a_bucket() -> None:
    with object_store("library"):
        for name in ("a b", "ü", "a+b"):
            folder: Any = ObjectStoragePath(f"s3://library@lake/{name}/t")
            options = delta_options(folder)
            load_day(folder, 0, day(0, 5), storage_options=options)
            assert len(open_table(folder, options).current()) == 5
        for name in ("a%20b", "a#b", "a?b"):
            with pytest.raises(NexusConfigurationError, match=r"in a path otherwise than Airflow does"):
                open_table(ObjectStoragePath(f"s3://library@lake/{name}/t"))
        folder = ObjectStoragePath("s3://library@nolake/t")
        with pytest.raises(NexusConfigurationError, match="there is no bucket or container 'nolake'"):
            open_table(folder, delta_options(folder))


@pytest.mark.parametrize("path", ["s3:///nexus", "s3://library@/nexus", "gs:///nexus", "abfs://@/nexus"])
def test_a_path_without_a_bucket_is_refused(path: str) -> None:
    with pytest.raises(NexusConfigurationError, match="names no bucket or container"):
        place_of("path", path)


def test_a_table_that_may_only_be_added_to_is_refused(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 5))
    DeltaTable(tmp_path).alter.set_table_properties({"delta.appendOnly": "true"})
    with pytest.raises(NexusConfigurationError, match=r"delta.appendOnly=true.*SET TBLPROPERTIES"):
        load_day(tmp_path, 1, day(1, 5))
    DeltaTable(tmp_path).alter.set_table_properties({"delta.appendOnly": "false"})
    assert load_day(tmp_path, 1, day(1, 5)).inserted == 5


def test_a_table_with_rules_for_its_rows_is_refused(tmp_path: Path) -> None:
    """The library checks constraints when it writes rows, and not in a commit of files."""
    load_day(tmp_path, 0, day(0, 5))
    DeltaTable(tmp_path).alter.add_constraint({"named": "_key <> 'x'"})
    with pytest.raises(NexusConfigurationError, match=r"the CHECK constraint named, which no load checks.*DROP CONSTRAINT"):
        load_day(tmp_path, 1, day(1, 5))
    assert len(held(tmp_path)) == 5
    DeltaTable(tmp_path).alter.drop_constraint("named")
    assert load_day(tmp_path, 1, day(1, 5)).inserted == 5


def test_a_table_that_makes_values_by_itself_is_refused(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 5))
    commits = sorted((tmp_path / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for commit in commits for line in commit.read_text().splitlines()]
    metadata = [action for action in actions if "metaData" in action][-1]
    schema = json.loads(metadata["metaData"]["schemaString"])
    schema["fields"][0]["metadata"] = {"delta.generationExpression": "upper(_content)"}
    metadata["metaData"]["schemaString"] = json.dumps(schema)
    (tmp_path / "_delta_log" / f"{len(commits):020}.json").write_text(json.dumps(metadata))
    with pytest.raises(NexusConfigurationError, match="has the generating expression of _key, which no load checks"):
        load_day(tmp_path, 1, day(1, 5))
    assert len(held(tmp_path)) == 5


def test_rows_that_claim_to_be_later_than_all_loads_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No newer version would take their place."""
    load_day(tmp_path, 0, day(0, 5))
    DeltaTable(tmp_path).update(new_values={"_read_at": datetime(2099, 1, 1, tzinfo=UTC)})
    load_day(tmp_path, 0, day(0, 5, version=1))
    assert "Delta table" in caplog.text
    assert "5 of these records in a version that was read later, which stays" in caplog.text
    problems = open_table(tmp_path).check().problems
    assert sum("its _read_at is later than all loads" in problem for problem in problems) == 5


def hole(log: Path) -> None:
    (log / f"{12:020}.json").unlink()


def hole_behind_checkpoint(log: Path) -> None:
    (log / f"{10:020}.json").unlink()


def nonsense(log: Path) -> None:
    (log / f"{13:020}.json").write_text("{nonsense")


def no_checkpoint(log: Path) -> None:
    next(log.glob("*.checkpoint.parquet")).write_bytes(b"x")


HARM = {
    hole: "version 12 is missing in",
    hole_behind_checkpoint: "version 10 is missing in",
    nonsense: "a file of .*_delta_log is damaged",
    no_checkpoint: "a file of .*_delta_log is damaged",
}


def test_a_log_that_is_not_whole(tmp_path: Path) -> None:
    for number in range(13):
        load_day(tmp_path / "whole", number, day(number, 2))
    for harm, said in HARM.items():
        folder = tmp_path / harm.__name__
        shutil.copytree(tmp_path / "whole", folder)
        harm(folder / "_delta_log")
        for use in (lambda at: load_day(at, 0, day(0, 2)), open_table):
            with pytest.raises(NexusStorageError, match=f"{said}.*: take it back from a backup, or move the table away") as info:
                use(folder)
            text = str(info.value)
            assert "\x1b" not in text
            assert "\n" not in text
            assert "Parsed" not in text
            assert "unknown" not in text
    shutil.rmtree(tmp_path / "whole" / "_delta_log")
    with pytest.raises(NexusStorageError, match="has the books of a Delta table and not its log: take _delta_log back"):
        load_day(tmp_path / "whole", 0, day(0, 2))


@pytest.mark.parametrize("feature", ["deletionVectors", "columnMapping", "rowTracking", "checkpointProtection"])
def test_a_feature_that_the_library_lacks_is_named_with_what_helps(tmp_path: Path, feature: str) -> None:
    load_day(tmp_path, 0, day(0, 5))
    is_read = feature in ("deletionVectors", "columnMapping")
    protocol: dict[str, Any] = {"minReaderVersion": 3 if is_read else 1, "minWriterVersion": 7, "writerFeatures": [feature]}
    protocol |= {"readerFeatures": [feature]} if is_read else {}
    (tmp_path / "_delta_log" / f"{2:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n")
    with pytest.raises((NexusConfigurationError, NexusStorageError), match=r"DROP FEATURE ... TRUNCATE HISTORY") as info:
        load_day(tmp_path, 1, day(1, 5))
    assert feature.lower() in str(info.value).lower()
    assert len(list((tmp_path / "_delta_log").glob("*.json"))) == 3


def test_a_check_counts_the_bytes_of_all_files(tmp_path: Path) -> None:
    for number in range(2):
        load_day(tmp_path, number, day(number, 5))
    DeltaTable(tmp_path).optimize.compact()
    (live,) = DeltaTable(tmp_path).file_uris()
    assert verify_tables(tmp_path).bytes == Path(live).stat().st_size
