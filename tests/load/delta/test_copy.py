"""Loads into a Delta table: what is stored, what is refused, and what a table costs as it grows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable, write_deltalake

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError, NexusStorageError, NexusUnprovedError
from airflow_provider_nexus.load.columns import CONTENT, DIGESTED, Table
from airflow_provider_nexus.load.delta import incoming, merge
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.table import VERSIONING, VersionTable
from airflow_provider_nexus.load.parquet.batches import arrow_schema
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.load.values import EXACT
from tests.load.delta.writing import (
    DAY,
    NAMES,
    START,
    TABLE,
    copy_in,
    day,
    held,
    load_day,
    load_some,
    row,
    sealed_of,
    window_of,
)

MONEY = next(column.name for column in TABLE.columns if column.kind == "money")
AMOUNT = NAMES.index(MONEY)


def test_a_window_is_one_commit(tmp_path: Path) -> None:
    rows = day(0, 50)
    stored = load_day(tmp_path, 0, rows)
    assert (stored.inserted, stored.updated, stored.deleted, stored.changed) == (50, 0, 0, True)
    table = DeltaTable(tmp_path)
    assert table.version() == 1, "it is made, then loaded"
    said = table.history(1)[0]
    assert (said["nexus.verdict"], said["nexus.load"], said["nexus.manifest"]) == ("proved", "1", stored.sha256)
    assert held(tmp_path) == {each[0]: each for each in rows}
    assert [window for window, _ in copy_in(tmp_path).windows()] == [window_of(0)]


def test_a_rerun_changes_nothing(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 20))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    stored = load_day(tmp_path, 0, day(0, 20))
    assert not stored.changed
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["current", "history"])
def test_what_is_gone_in_a_proved_scope_is_deleted_and_nothing_else(tmp_path: Path, output: Any) -> None:
    for number in range(3):
        load_day(tmp_path, number, day(number, 30), output=output)
    stored = load_day(tmp_path, 1, day(1, 30, version=1)[:25], output=output)
    assert (stored.inserted, stored.updated, stored.deleted) == (0, 25, 5)
    copy = copy_in(tmp_path, output=output)
    assert copy.check().problems == ()
    assert len(copy.current()) == 85


@pytest.mark.parametrize("output", ["current", "history"])
def test_an_older_version_never_replaces_a_newer_one(tmp_path: Path, output: Any) -> None:
    load_day(tmp_path, 0, day(0, 10, version=5), output=output)
    stored = load_some(tmp_path, day(0, 10, version=4), output=output)
    assert (stored.inserted, stored.updated) == (0, 0)
    assert sorted(copy_in(tmp_path, output=output).current()) == sorted(day(0, 10, version=5))
    again = load_day(tmp_path, 0, day(0, 10, version=4)[:5], output=output)
    assert (again.deleted, again.updated) == (0, 0), "what was read later is not deleted either"
    assert copy_in(tmp_path, output=output).check().problems == ()


def test_a_record_that_did_not_fit_is_not_deleted(tmp_path: Path) -> None:
    from dataclasses import replace

    from airflow_provider_nexus.load.copy import Reject

    rows, window = day(0, 10), window_of(0)
    load_day(tmp_path, 0, rows)
    later = day(0, 10, version=1)[1:]
    aside = (Reject(rows[0][0], "amount", "a number", "{}"),)
    stored = copy_in(tmp_path).apply([later], window, lambda: replace(sealed_of(later, window, later[0][1]), rejects=aside))
    assert (stored.updated, stored.deleted) == (9, 0)
    assert rows[0][0] in held(tmp_path)
    copy = copy_in(tmp_path)
    assert copy.shelf.rejects(copy.manifests()[window.label]) == list(aside)


def test_an_unproved_reading_deletes_nothing_and_replaces_no_proof(tmp_path: Path) -> None:
    rows, window = day(0, 10), window_of(0)
    doubtful = rows[:5]
    copy_in(tmp_path).apply([rows], None, lambda: sealed_of(rows, window, rows[0][1], verdict="unproved"))
    copy_in(tmp_path).apply([doubtful], None, lambda: sealed_of(doubtful, window, rows[0][1], verdict="unproved"))
    assert len(held(tmp_path)) == 10
    load_day(tmp_path, 0, rows)
    with pytest.raises(NexusUnprovedError, match="is proved, and what was read this time is not"):
        copy_in(tmp_path).apply([rows], None, lambda: sealed_of(rows, window, rows[0][1], verdict="unproved"))


@pytest.mark.parametrize("partition_by", ["month", "day"])
def test_partitions(tmp_path: Path, partition_by: Any) -> None:
    for number in (0, 30, 31):
        load_day(tmp_path, number, day(number, 5), partition_by=partition_by)
    column = f"_{partition_by}"
    values = {each[column] for each in DeltaTable(tmp_path).partitions()}
    assert values == ({"2026-01", "2026-02"} if partition_by == "month" else {"2026-01-01", "2026-01-31", "2026-02-01"})
    other = {"month": "day", "day": "month"}[partition_by]
    with pytest.raises(NexusConfigurationError, match=f"is partitioned by {partition_by}, not by {other}"):
        copy_in(tmp_path, partition_by=other).prepare()
    assert len(held(tmp_path)) == 15


def test_records_without_a_stamp_have_a_partition_of_their_own(tmp_path: Path) -> None:
    place = NAMES.index(TABLE.created)
    bare = [(*each[:place], None, *each[place + 1 :]) for each in day(0, 3)]
    load_some(tmp_path, bare)
    load_day(tmp_path, 0, day(0, 3)[:0])
    newer = [(each[0], each[1] + DAY, each[2], "0" * 64, *each[4:]) for each in bare[:1]]
    assert load_some(tmp_path, newer).updated == 1
    assert len(copy_in(tmp_path).current()) == 3


WRONG: dict[str, tuple[str, Any]] = {
    "fewer digits": (MONEY, pa.decimal128(38, 20)),
    "a float": (MONEY, pa.float64()),
    "no zone": (TABLE.created, pa.timestamp("us")),
    "a text": (TABLE.created, pa.string()),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_column_of_another_type_is_refused(tmp_path: Path, wrong: str) -> None:
    name, kind = WRONG[wrong]
    copy_in(tmp_path).prepare()
    configuration = DeltaTable(tmp_path).metadata().configuration
    other = tmp_path / "other"
    fields = [each.with_type(kind) if each.name == name else each for each in arrow_schema(TABLE, {})]
    schema = pa.schema([*fields, pa.field("_month", pa.string())])
    DeltaTable.create(other, schema, partition_by=["_month"], configuration=dict(configuration), raise_if_key_not_exists=False)
    with pytest.raises(NexusContractError, match=f"{name} is .*, not .*Values are never converted"):
        load_day(other, 0, day(0, 3))
    assert DeltaTable(other).version() == 0


def test_a_column_that_is_missing_is_added(tmp_path: Path) -> None:
    fewer = Table(TABLE.resource)
    fewer.__dict__["columns"] = TABLE.columns[:-1]
    fewer.__dict__["fields"] = TABLE.fields[:-1]
    options: dict[str, Any] = {"environment": "sandbox", "base_url": "http://127.0.0.1:1"}
    DeltaCopy(tmp_path, fewer, **options).prepare()
    load_day(tmp_path, 0, day(0, 20))
    assert DeltaTable(tmp_path).schema().to_arrow().field(TABLE.columns[-1].name).nullable
    assert len(held(tmp_path)) == 20


@pytest.mark.parametrize("output", ["current", "history"])
def test_rows_from_before_a_column_among_the_others_are_sound(tmp_path: Path, output: Any) -> None:
    rows, own = day(0, 20), () if output == "current" else VERSIONING
    place = next(place for place in range(DIGESTED + 2, len(TABLE.columns)) if rows[0][place] is None)
    former = copy_in(tmp_path, output=output)
    former._lake.table = Table(TABLE.resource)
    former._lake.table.__dict__["columns"] = (*TABLE.columns[:place], *TABLE.columns[place + 1 :], *own)
    former.prepare()
    digests = [content_of([*each[DIGESTED:place], *each[place + 1 :]]) for each in rows]
    load_day(
        tmp_path, 0, [(*each[:CONTENT], it, *each[DIGESTED:]) for each, it in zip(rows, digests, strict=True)], output=output
    )
    assert copy_in(tmp_path, output=output).check().problems == ()
    assert load_day(tmp_path, 0, day(0, 20, version=1), output=output).repaired == 0
    assert copy_in(tmp_path, output=output).check().problems == ()


def test_what_lies_there_is_refused(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "strange", pa.table({"a": [1]}))
    with pytest.raises(NexusConfigurationError, match="is a Delta table that no sync has made"):
        copy_in(tmp_path / "strange").prepare()
    (tmp_path / "windows" / window_of(0).label).mkdir(parents=True)
    with pytest.raises(NexusConfigurationError, match="contains windows in files of their own"):
        copy_in(tmp_path / "windows").prepare()
    load_day(tmp_path / "mine", 0, day(0, 3))
    with pytest.raises(NexusConfigurationError, match="contains another copy: output 'current', not 'history'"):
        copy_in(tmp_path / "mine", output="history").prepare()
    other = DeltaCopy(tmp_path / "mine", TABLE, environment="production", base_url="http://127.0.0.1:1")
    with pytest.raises(NexusConfigurationError, match="contains another copy: environment 'sandbox', not 'production'"):
        other.prepare()
    for wrong in ({"output": "both"}, {"partition_by": "year"}):
        with pytest.raises(NexusConfigurationError, match=r"output is current or history, and partition_by month or day"):
            copy_in(tmp_path / "mine", **wrong)


def test_what_somebody_has_deleted_comes_back_with_its_window(tmp_path: Path) -> None:
    for number in range(3):
        load_day(tmp_path, number, day(number, 20))
    gone = day(1, 20)[3][0]
    DeltaTable(tmp_path).delete(f"_key = '{gone}'")
    assert any("has 19 records" in each for each in copy_in(tmp_path).check().problems)
    stored = load_day(tmp_path, 1, day(1, 20))
    assert (stored.inserted, stored.repaired) == (1, 1)
    assert len(held(tmp_path)) == 60


def test_what_somebody_has_added_twice_goes_with_its_window(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 20))
    twice = DeltaTable(tmp_path).to_pyarrow_table().slice(0, 4)
    write_deltalake(tmp_path, twice, mode="append")
    assert any("there twice" in each for each in copy_in(tmp_path).check().problems)
    load_day(tmp_path, 0, day(0, 20))
    assert len(held(tmp_path)) == 20


def test_edited_values_are_found(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 20))
    DeltaTable(tmp_path).update({TABLE.status: "'FORGED'"}, predicate=f"_key = '{day(0, 20)[5][0]}'")
    assert any("was edited: its values are not what its _content is of" in each for each in copy_in(tmp_path).check().problems)


@pytest.mark.parametrize("what", ["books", "manifests"])
def test_books_that_were_edited_or_lost_are_found(tmp_path: Path, what: str) -> None:
    load_day(tmp_path, 0, day(0, 20))
    path = next((tmp_path / "_nexus" / what).iterdir())
    path.write_bytes(path.read_bytes().replace(b"proved", b"proven", 1))
    assert len(copy_in(tmp_path).check().problems) >= 1
    path.unlink()
    assert any("is missing" in each for each in copy_in(tmp_path).check().problems)
    if what == "books":
        with pytest.raises(NexusStorageError, match="it is not known which windows the table contains"):
            load_day(tmp_path, 1, day(1, 20))


def test_a_file_that_is_lost_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    load_day(tmp_path, 0, day(0, 20))
    next(tmp_path.glob("_month=*/*.parquet")).unlink()
    with pytest.raises(NexusStorageError, match="is missing, and the table names it"):
        load_day(tmp_path, 0, day(0, 20, version=1))
    assert DeltaTable(tmp_path).version() == 1
    assert any("is missing, and the table names it" in each for each in copy_in(tmp_path).check().problems)


def test_engines_read_every_digit(tmp_path: Path) -> None:
    amounts = [Decimal("12345678901234.123456789012345678901234"), Decimal("0.000000000000000000000001"), Decimal(-3), Decimal(0)]
    scale = TABLE.columns[AMOUNT].scale
    exact = [EXACT.quantize(each, Decimal(1).scaleb(-scale)) for each in amounts]
    created = [START + (DAY * place) + DAY / 86_400_000_000 * 123_456 for place in range(len(exact))]
    rows = [
        row(place, stamp, value, read_at=START + 1000 * DAY)
        for place, (stamp, value) in enumerate(zip(created, exact, strict=True))
    ]
    load_some(tmp_path, rows)
    table = DeltaTable(tmp_path)
    for found in (
        pl.read_delta(str(tmp_path)).sort("_key").to_dicts(),
        table.to_pandas(types_mapper=pd_arrow()).sort_values("_key").to_dict("records"),
        in_duckdb(table),
    ):
        assert [each[MONEY] for each in found] == exact
        assert [each[TABLE.created].timestamp() for each in found] == [each.timestamp() for each in created]


def pd_arrow() -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    return pd.ArrowDtype


def in_duckdb(table: DeltaTable) -> list[dict[str, Any]]:
    source = table.to_pyarrow_dataset()
    connection = duckdb.connect()
    connection.register("source", source)
    found: Any = connection.execute(f'SELECT "_key", "{MONEY}", "{TABLE.created}" FROM source ORDER BY 1').to_arrow_table()
    return list(found.to_pylist())


def test_many_updates_at_once_go_to_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_day(tmp_path, 0, day(0, 50))
    monkeypatch.setattr(merge, "_IN_PLACE", 10)
    stored = load_day(tmp_path, 0, day(0, 50, version=1))
    assert (stored.inserted, stored.updated, stored.deleted) == (0, 50, 0)
    assert sorted(held(tmp_path).values()) == sorted(day(0, 50, version=1))


def test_small_files_are_made_one(tmp_path: Path) -> None:
    for number in range(40):
        load_day(tmp_path, number % 28, day(number % 28, 5, version=number), partition_by="month")
    snapshot = copy_in(tmp_path).snapshot()
    assert snapshot is not None
    assert len(snapshot.files(TABLE.created)) <= merge._MANY_SMALL + 1
    assert len(held(tmp_path)) == 28 * 5


def test_a_history_has_columns_of_its_own() -> None:
    assert [column.name for column in VersionTable(TABLE.resource).columns][-2:] == ["_load", "_deleted"]
    assert incoming.NEW == 0, "marks begin as new"
