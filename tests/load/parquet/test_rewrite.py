"""Rewriting against the plainest way there is: all rows in a dictionary."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.parquet import writer as parquet
from airflow_provider_nexus.load.parquet.changes import Rewritten, rewrite
from airflow_provider_nexus.load.parquet.writer import ParquetWriter
from airflow_provider_nexus.sandbox import Sandbox
from tests.load.parquet.rowing import READ_AT, read, rows_of, saved

TABLE = Table(get_resource("orders"))
CREATED = [column.name for column in TABLE.columns].index("created")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def rows() -> list[TableRow]:
    with Sandbox(transactions=300, customers=40, clock_speed=0, amounts="awkward") as sandbox:
        return in_order(rows_of(sandbox, "orders"))


@pytest.fixture(autouse=True, scope="module")
def small_groups() -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "GROUP_RECORDS", 5)
        yield


def in_order(rows: Iterable[TableRow]) -> list[TableRow]:
    return sorted(rows, key=lambda row: (row[CREATED], row[0]))


def files(rows: list[TableRow], folder: Path) -> list[Path]:
    writer = ParquetWriter(TABLE, {"version": "1"}, 16)
    writer.write(rows)
    return saved(writer, folder)


def version(row: TableRow, *, hours: float = 1, content: str = "other", created: timedelta = timedelta(0)) -> TableRow:
    changed = (row[0], row[1] + timedelta(hours=hours), "later", content or row[3], *row[4:])
    return (*changed[:CREATED], row[CREATED] + created, *changed[CREATED + 1 :])


def rewritten(held: list[TableRow], versions: list[TableRow], folder: Path, **how: Any) -> tuple[list[TableRow], Rewritten]:
    writer = ParquetWriter(TABLE, {"version": "2"}, 16)
    result = rewrite(files(held, folder / "old"), writer, {row[0]: row for row in versions}, **how)
    return read(saved(writer, folder / "new")), result


def plainly(
    held: list[TableRow], versions: Mapping[str, TableRow], scope: Window | None, read_at: datetime | None
) -> tuple[list[TableRow], Rewritten]:
    rows, result = {row[0]: row for row in held}, Rewritten()
    for key, row in versions.items():
        old = rows.get(key)
        if old is None:
            result.inserted.append(row)
        elif row[1] < old[1] or row[3] == old[3]:
            continue
        else:
            result.updated.append((old, row))
        rows[key] = row
    for row in held:
        if scope and row[0] not in versions and _is_in(scope, row[CREATED]) and (read_at is None or row[1] <= read_at):
            result.deleted.append(rows.pop(row[0]))
    return in_order(rows.values()), result


def _is_in(scope: Window, moment: datetime) -> bool:
    return scope.start <= moment < scope.end


CHANGES = st.sampled_from(["stay", "out", "same", "older", "other", "moved"])
SPANS = st.sampled_from([None, ALL_TIME, (10, 30), (0, 59), (30, 59)])


def changed(row: TableRow, change: str) -> TableRow | None:
    ways = {
        "same": version(row, content=""),
        "older": version(row, hours=-1),
        "other": version(row),
        "moved": version(row, created=9 * HOUR),
    }
    return ways.get(change)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(CHANGES, min_size=60, max_size=60),
    absent=st.sets(st.integers(0, 59)),
    span=SPANS,
    hours=st.sampled_from([None, -1, 0, 1]),
)
def test_rewriting_is_what_a_dictionary_does(
    rows: list[TableRow], changes: list[str], absent: set[int], span: Any, hours: Any
) -> None:
    held = [row for number, row in enumerate(rows) if number not in absent]
    versions = [new for row, change in zip(rows, changes, strict=True) if (new := changed(row, change))]
    scope = Window(rows[span[0]][CREATED], rows[span[1]][CREATED]) if isinstance(span, tuple) else span
    read_at = None if hours is None else READ_AT + hours * HOUR
    with tempfile.TemporaryDirectory() as folder:
        found, result = rewritten(held, versions, Path(folder), scope=scope, read_at=read_at)
    wanted, said = plainly(held, {row[0]: row for row in versions}, scope, read_at)
    assert found == wanted
    assert in_order(result.inserted) == in_order(said.inserted)
    assert sorted(result.updated, key=lambda pair: pair[0][0]) == sorted(said.updated, key=lambda pair: pair[0][0])
    assert result.deleted == said.deleted


def test_nothing_new_gives_the_same_rows(rows: list[TableRow], tmp_path: Path) -> None:
    found, result = rewritten(rows, [], tmp_path)
    assert (found, result) == (rows, Rewritten())


def test_files_say_what_the_new_writer_says(rows: list[TableRow], tmp_path: Path) -> None:
    writer = ParquetWriter(TABLE, {"version": "2"}, 16)
    rewrite(files(rows, tmp_path / "old"), writer, {})
    fresh = ParquetWriter(TABLE, {"version": "2"}, 16)
    fresh.write(rows)
    assert [part.sha256 for part in writer.parts()] == [part.sha256 for part in fresh.parts()]


def test_no_files_and_empty_ones(rows: list[TableRow], tmp_path: Path) -> None:
    found, result = rewritten([], rows, tmp_path)
    assert (found, result) == (rows, Rewritten(inserted=rows))
    writer = ParquetWriter(TABLE, {}, 16)
    assert rewrite([], writer, {rows[0][0]: rows[0]}) == Rewritten(inserted=rows[:1])
    assert [part.records for part in writer.parts()] == [1]


def test_all_can_be_gone(rows: list[TableRow], tmp_path: Path) -> None:
    found, result = rewritten(rows, [], tmp_path, scope=ALL_TIME)
    assert (found, result) == ([], Rewritten(deleted=rows))


def test_a_span_has_its_start_and_not_its_end(rows: list[TableRow], tmp_path: Path) -> None:
    stamps = sorted({row[CREATED] for row in rows})
    found, result = rewritten(rows, [], tmp_path, scope=Window(stamps[10], stamps[20]))
    assert {row[CREATED] for row in result.deleted} == set(stamps[10:20])
    assert in_order([*found, *result.deleted]) == rows


def test_a_row_without_creation_stamp_lies_in_no_span(rows: list[TableRow], tmp_path: Path) -> None:
    bare = ("Z", *rows[0][1:CREATED], None, *rows[0][CREATED + 1 :])
    span = Window(rows[0][CREATED], rows[-1][CREATED] + HOUR)
    found, result = rewritten([*rows, bare], [], tmp_path, scope=span)
    assert (found, result) == ([bare], Rewritten(deleted=rows))


def test_tables_without_creation_stamps_are_in_the_order_of_their_keys(tmp_path: Path) -> None:
    table = Table(get_resource("payment_methods"))
    with Sandbox(transactions=30, customers=4) as sandbox:
        rows = sorted(rows_of(sandbox, "payment_methods"))
    old, new = ParquetWriter(table, {}), ParquetWriter(table, {})
    old.write(rows[::2])
    rewrite(saved(old, tmp_path / "old"), new, {row[0]: row for row in rows[1::2]})
    assert read(saved(new, tmp_path / "new")) == rows


def test_files_of_another_table_are_refused(rows: list[TableRow], tmp_path: Path) -> None:
    writer = ParquetWriter(Table(get_resource("transfers")), {})
    with pytest.raises(NexusError, match="parquet was written with other columns than this version has: sync its window again"):
        rewrite(files(rows, tmp_path), writer, {})
