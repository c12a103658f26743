"""What somebody else has done to rows is put right when their window is read again, and the books agree with the rows then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import ALL_TIME, Window
from airflow_provider_nexus.load.account import TableAccount
from airflow_provider_nexus.load.copy import Stored, TableRow
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.loading import END, START, TABLE, copy_of, dump, later, load, rows_of, small, transaction

pytestmark = pytest.mark.databases
FIRST, SECOND = Window(START, END), Window(END, END + timedelta(days=1))
CLONED = "_read_at, _read_by, _content, transaction_code, created"
DAMAGE = {
    "a cell": ("UPDATE nexus_copy SET status = 'COMPLETED' WHERE _key = 'T1'", 1),
    "an amount": ("UPDATE nexus_copy SET fiat_amount_to_pay = 1 WHERE _key = 'T1'", 1),
    "a column": ("UPDATE nexus_copy SET status = NULL", 2),
    "the time of creation": ("UPDATE nexus_copy SET created = NULL WHERE _key = 'T1'", 1),
    "unknown fields": ("UPDATE nexus_copy SET _raw_extra = '{}' WHERE _key = 'T1'", 1),
    "a digest": ("UPDATE nexus_copy SET _content = 'x' WHERE _key = 'T1'", 1),
    "a row": ("DELETE FROM nexus_copy WHERE _key = 'T1'", 1),
    "all rows": ("DELETE FROM nexus_copy WHERE _key < 'U'", 2),
    "a row of nobody": (f"INSERT INTO nexus_copy (_key, {CLONED}) SELECT 'T0', {CLONED} FROM nexus_copy WHERE _key = 'T1'", 1),
    "a row in place of another": (
        "UPDATE nexus_copy SET status = 'Paid', _content = '{digest}' WHERE _key = 'T1'".format(digest="ab" * 32),
        1,
    ),
}
"""Each with the number of rows that are put right."""


def first(status: str = "Initiated", hours: int = 0) -> list[TableRow]:
    raws = [transaction("T1", status, comment="one", amounts={"x": 1}), transaction("T2", "Initiated", comment="two")]
    return rows_of(raws, read_at=later(hours))


def second(hours: int = 0) -> list[TableRow]:
    return rows_of([transaction("U1", created="2026-01-02T03:00:00Z", comment="three")], read_at=later(hours))


def bring(copy: SqlCopy, rows: list[TableRow], window: Window = FIRST) -> Stored:
    return load(copy, rows, window, window=window, label=window.label)


def loaded(engine: Engine, output: Any = "current") -> SqlCopy:
    copy = copy_of(engine, output=output)
    bring(copy, first())
    bring(copy, second(), SECOND)
    return copy


def do(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount


def problems(engine: Engine) -> list[str]:
    return [problem.what for problem in verify_table(open_table(engine, TABLE)).problems]


def without_reading(engine: Engine) -> list[tuple[Any, ...]]:
    """All rows, but for when and by which reading they came."""
    return [(row[0], *row[3:]) for row in dump(engine)]


@pytest.mark.parametrize("what", DAMAGE)
def test_a_rerun_puts_right_what_was_changed_by_hand(engine: Engine, what: str) -> None:
    statement, count = DAMAGE[what]
    copy = loaded(engine)
    before = without_reading(engine)
    do(engine, statement)
    assert problems(engine)
    again = bring(copy, first(hours=1))
    assert (again.changed, again.repaired) == (True, count)
    if what == "a column":
        assert problems(engine), "the other window has not been read again"
        assert bring(copy, second(1), SECOND).repaired == 1
    assert without_reading(engine) == before
    assert problems(engine) == []
    assert not bring(copy, first(hours=2)).changed


@pytest.mark.parametrize("what", ["a cell", "an amount", "a column", "the time of creation", "unknown fields"])
def test_the_newest_version_of_a_history_is_put_right_in_its_place(engine: Engine, what: str) -> None:
    copy = loaded(engine, "history")
    before = dump(engine)
    do(engine, DAMAGE[what][0])
    assert bring(copy, first(hours=1)).repaired == DAMAGE[what][1]
    bring(copy, second(1), SECOND)
    assert dump(engine) == before
    assert problems(engine) == []


def test_a_record_that_comes_alone_is_put_right_too(engine: Engine) -> None:
    copy = loaded(engine)
    do(engine, DAMAGE["a cell"][0])
    applied = load(copy, first(hours=1)[:1], label="open-1", feed="open", window=None)
    assert (applied.updated, applied.repaired) == (1, 1)
    assert problems(engine) == []


def test_a_row_that_was_deleted_comes_back_with_any_reading(engine: Engine) -> None:
    copy = loaded(engine)
    do(engine, DAMAGE["a row"][0])
    applied = load(copy, first("Completed", 1)[:1], label="finished-1", feed="finished", window=SECOND)
    assert (applied.inserted, applied.repaired) == (1, 1)
    found = problems(engine)
    assert found == [] or all("other records" in line for line in found)
    bring(copy, first("Completed", 2))


def test_damage_and_changes_of_nexus_are_told_apart(engine: Engine) -> None:
    copy = loaded(engine)
    do(engine, "DELETE FROM nexus_copy WHERE _key = 'T2'")
    applied = bring(copy, first("Completed", 1))
    assert (applied.inserted, applied.updated, applied.repaired) == (1, 1, 1)
    assert problems(engine) == []
    applied = bring(copy, first("Completed", 2)[:1])
    assert (applied.deleted, applied.repaired) == (1, 0), "Nexus has no T2 any more"
    assert problems(engine) == []
    applied = bring(copy, first("Completed", 3))
    assert (applied.inserted, applied.repaired) == (1, 0), "it was seen late"
    assert problems(engine) == []


def test_damage_of_several_windows_is_put_right_one_by_one(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    copy = loaded(engine)
    do(engine, "DELETE FROM nexus_copy WHERE _key <> 'T2'")
    assert bring(copy, first(hours=1)).repaired == 1
    assert "puts right no more than a part of it" in caplog.text
    assert any("has 2 records, but 3" in line for line in problems(engine))
    assert bring(copy, second(1), SECOND).repaired == 1
    assert problems(engine) == []


def test_a_row_of_no_window_is_named_until_somebody_deletes_it(engine: Engine) -> None:
    copy = loaded(engine)
    ours = "_read_at, _read_by, _content"
    do(engine, f"INSERT INTO nexus_copy (_key, {ours}) SELECT 'X', {ours} FROM nexus_copy WHERE _key = 'T1'")
    with pytest.raises(
        NexusConfigurationError, match="a row of key 'X' that is in no window, as it has no created: sync the win"
    ):
        copy.unsettled()
    bring(copy, first())
    assert any("the row of key 'X' is in no window" in problem and "delete it" in problem for problem in problems(engine))
    do(engine, "DELETE FROM nexus_copy WHERE _key = 'X'")
    assert (problems(engine), set(copy.unsettled())) == ([], {"T1", "T2", "U1"})


def test_a_snapshot_is_then_what_was_read(engine: Engine) -> None:
    copy = copy_of(engine)

    def whole(rows: list[TableRow], label: str) -> Stored:
        account = TableAccount(copy.model.source)
        account.add(rows)
        return load(copy, rows, ALL_TIME, label=label, feed="whole", window=None, account=account)

    whole(small(("T1", "Initiated"), ("T2", "Initiated")), "a")
    do(engine, "DELETE FROM nexus_copy WHERE _key = 'T1'")
    whole(small(("T1", "Completed"), ("T3", "Initiated"), read_at=later(1)), "b")
    assert problems(engine) == []


def test_records_that_were_read_later_stay_and_are_named(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """So it is when the clock of Nexus steps back: what is read then is not stored, which must not look like any other load."""
    copy = copy_of(engine)
    bring(copy, first("Paid", hours=3))
    assert "read later" not in caplog.text
    bring(copy, first("Initiated", hours=1))
    assert "1 of these records in a version that was read later, which stays" in caplog.text
