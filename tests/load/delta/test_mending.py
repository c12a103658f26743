"""What other programs have done to the rows of a Delta table, put right by loads: rows, counts and books are as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pytest
from deltalake import DeltaTable, write_deltalake

from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import Stored
from airflow_provider_nexus.load.delta.books import Books
from tests.load.delta.writing import NAMES, TABLE, copy_in, day, load_day, load_some, sealed_of, window_of
from tests.sync.capturing import DAY, into_delta, living

OUTPUTS = ("current", "history")
LOST = [day(1, 20)[place][0] for place in (3, 7, 11)]


def lose(folder: Path) -> None:
    """Rows of the second day are deleted."""
    DeltaTable(folder).delete(f"_key IN ({', '.join(map(repr, LOST))})")


def double(folder: Path) -> None:
    """Rows of the second day are added again."""
    rows = DeltaTable(folder).to_pyarrow_table()
    write_deltalake(folder, rows.filter(pc.is_in(rows["_key"], pa.array(LOST))), mode="append")


def books_of(folder: Path, output: str) -> Books:
    """All that is known of the table, but for what tells one load from another."""
    copy: Any = copy_in(folder, output=output)
    return copy.books()  # type: ignore[no-any-return]


def again(folder: Path, output: str) -> Stored:
    """The window that they are of."""
    return load_day(folder, 1, day(1, 20), output=output)


def wider(folder: Path, output: str) -> Stored:
    """A window around it."""
    span = Window(window_of(0).start, window_of(2).end)
    rows = [row for number in range(3) for row in day(number, 20)]
    copy: Any = copy_in(folder, output=output)
    return copy.apply([rows], span, lambda: sealed_of(rows, span, rows[0][1], feed="reread"))  # type: ignore[no-any-return]


def narrower(folder: Path, output: str) -> Stored:
    """A part of it that they lie in, as a comparison of totals names it."""
    created = NAMES.index(TABLE.created)
    rows = day(1, 20)[2:15]
    span = Window(rows[0][created].replace(microsecond=0), day(1, 20)[15][created].replace(microsecond=0))
    assert span.end < window_of(1).end
    copy: Any = copy_in(folder, output=output)
    return copy.apply([rows], span, lambda: sealed_of(rows, span, rows[0][1], feed="reread"))  # type: ignore[no-any-return]


def by_key(folder: Path, output: str) -> Stored:
    """They alone, as they are unsettled."""
    return load_some(folder, [row for row in day(1, 20) if row[0] in LOST], output=output)


READINGS = {each.__name__: each for each in (again, wider, narrower, by_key)}


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("harm", [lose, double])
def test_rows_and_books_are_as_they_were(tmp_path: Path, harm: Any, output: Any, reading: str) -> None:
    for number in range(3):
        load_day(tmp_path, number, day(number, 20), output=output)
    before = books_of(tmp_path, output)
    harm(tmp_path)
    assert copy_in(tmp_path, output=output).check().problems != ()
    stored = READINGS[reading](tmp_path, output)
    assert stored.repaired == len(LOST)
    assert stored.inserted == (len(LOST) if harm is lose else 0)
    copy, after = copy_in(tmp_path, output=output), books_of(tmp_path, output)
    assert copy.check().problems == ()
    assert sorted(row[0] for row in copy.current()) == sorted(row[0] for number in range(3) for row in day(number, 20))
    assert after.months == before.months
    assert (after.state.records, after.state.digest) == (before.state.records, before.state.digest)
    assert (after.state.versions, after.state.versions_digest) == (before.state.versions, before.state.versions_digest)
    assert READINGS[reading](tmp_path, output).repaired == 0


@pytest.mark.parametrize("history", [False, True], ids=OUTPUTS)
@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_a_run_says_how_many_it_put_right(tmp_path: Path, resource: str, history: bool) -> None:
    with living(per_day=40) as sandbox:
        capture = into_delta(sandbox, tmp_path, resource, history=history, rereads=100)
        for number in range(4):
            sandbox.advance(DAY if number else 0)
            assert "repaired" not in (capture.run() or {})
        gone = sorted(capture.held())[:5]
        DeltaTable(tmp_path).delete(f"_key IN ({', '.join(map(repr, gone))})")
        sandbox.advance(DAY)
        summary = capture.run() or {}
        assert capture.wrong() == []
        assert summary["repaired"] >= len(gone)
        assert capture.flaws() == ()


MOVED = {
    "to the day before": "2026-01-01T23:59:59Z",
    "to the day after": "2026-01-03T00:00:00Z",
    "into another window": "2026-01-05T00:00:00Z",
}


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("moved", MOVED)
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_creation_that_was_edited_is_put_right(tmp_path: Path, output: Any, moved: str, version: int) -> None:
    """In windows of three days of one record each: the sums of a day that one leaves are others than those that came."""
    rows = [day(number, 1)[0] for number in range(9)]
    newer = [day(number, 1, version=version)[0] for number in range(9)]
    spans = [Window(window_of(first).start, window_of(first + 2).end) for first in (0, 3, 6)]

    def load(number: int, source: list[Any]) -> Stored:
        mine, span = source[number * 3 : number * 3 + 3], spans[number]
        copy: Any = copy_in(tmp_path, output=output)
        return copy.apply([mine], span, lambda: sealed_of(mine, span, mine[0][1]))  # type: ignore[no-any-return]

    for number in range(3):
        load(number, rows)
    DeltaTable(tmp_path).optimize.compact()
    before = books_of(tmp_path, output)
    DeltaTable(tmp_path).update({TABLE.created: f"timestamp '{MOVED[moved]}'"}, predicate=f"_key = '{rows[1][0]}'")
    assert copy_in(tmp_path, output=output).check().problems != ()
    stored = load_some(tmp_path, newer[1:2], output=output)
    assert (stored.updated, stored.repaired) == (1, 1)
    copy, after = copy_in(tmp_path, output=output), books_of(tmp_path, output)
    assert copy.check().problems == ()
    assert sorted(copy.current()) == [rows[0], newer[1], *rows[2:]]
    if version == 0:  # else it is not known what the edited version has been
        assert (after.months, after.state.digest) == (before.months, before.state.digest)
    if version == 0 or moved != "into another window":
        assert [load(number, newer).repaired for number in range(3)] == [0, 0, 0]
    assert copy_in(tmp_path, output=output).check().problems == ()


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_amount_that_was_edited_leaves_the_sums_with_its_row(tmp_path: Path, output: Any) -> None:
    money = next(column.name for column in TABLE.columns if column.kind == "money")
    for number in range(3):
        load_day(tmp_path, number, day(number, 20), output=output)
    DeltaTable(tmp_path).update({money: "0"}, predicate=f"_key IN ({', '.join(map(repr, LOST))})")
    newer = [row for row in day(1, 20, version=1) if row[0] in LOST]
    assert load_some(tmp_path, newer, output=output).repaired == len(LOST)
    assert copy_in(tmp_path, output=output).check().problems == ()
    load_day(tmp_path / "other", 0, day(0, 20), output=output)
    load_day(tmp_path / "other", 1, [{row[0]: row for row in newer}.get(row[0], row) for row in day(1, 20)], output=output)
    load_day(tmp_path / "other", 2, day(2, 20), output=output)
    assert books_of(tmp_path, output).months == books_of(tmp_path / "other", output).months
