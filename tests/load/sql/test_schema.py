from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusContractError
from tests.load.sql.loading import copy_of, later, load, rows_of, small, stored, transaction

pytestmark = pytest.mark.databases


def change(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def without(engine: Engine, *columns: str) -> Any:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    change(engine, "DROP VIEW nexus_copy_records")  # which needs the columns, as SQLite's indexes do
    for index in sa.inspect(engine).get_indexes("nexus_copy") if engine.dialect.name == "sqlite" else ():
        change(engine, f"DROP INDEX {index['name']}")
    for column in columns:
        change(engine, f"ALTER TABLE nexus_copy DROP COLUMN {column}")
    return copy


@pytest.mark.parametrize("contract", ["report", "freeze", "allow_new_fields"])
def test_a_table_that_was_made_here_is_as_it_must_be(engine: Engine, contract: Any) -> None:
    for output in ("current", "history"):
        copy = copy_of(engine, name=f"t_{output}", output=output, contract=contract)
        assert copy.prepare() == copy.prepare() == []


def test_columns_of_others_stay(engine: Engine) -> None:
    copy = without(engine)
    change(engine, "ALTER TABLE nexus_copy ADD COLUMN mine VARCHAR(20)")
    change(engine, "UPDATE nexus_copy SET mine = 'x'")
    assert copy.prepare() == ["column mine is not ours and stays as it is"]
    for number, status in enumerate(("Initiated", "Completed", "Cancelled"), 1):
        load(copy, small(("T1", status), ("T2", "Initiated"), read_at=later(number)))
        with engine.connect() as connection:
            found = connection.execute(sa.text("SELECT status, mine FROM nexus_copy ORDER BY _key")).all()
        assert found == [(status, "x"), ("Initiated", None)], "also where the row is another version"
    with pytest.raises(NexusContractError, match="column mine is not ours"):
        copy_of(engine, contract="freeze").prepare()


def test_missing_columns_are_named_with_what_adds_them(engine: Engine) -> None:
    without(engine, "status", "fiat_amount_to_pay")
    with pytest.raises(NexusContractError, match=r"ALTER TABLE .*nexus_copy.? ADD COLUMN .?status"):
        copy_of(engine).prepare()
    with pytest.raises(NexusContractError, match="column status is missing"):
        copy_of(engine, contract="freeze").prepare()


def test_missing_columns_are_added(engine: Engine) -> None:
    rows = small(("T1", "Completed"), read_at=later(1))
    without(engine, "status", "fiat_amount_to_pay")
    copy = copy_of(engine, contract="allow_new_fields")
    assert sorted(copy.prepare()) == ["column fiat_amount_to_pay was added", "column status was added"]
    assert load(copy, rows).updated == 1
    assert copy.check().problems == ()
    assert copy.prepare() == []
    status = copy.model.data.c.status
    with engine.connect() as connection:
        assert connection.execute(sa.select(status)).scalars().all() == ["Completed"]
    assert len(stored(engine, copy)) == 1


@pytest.mark.parametrize("kind", ["DOUBLE PRECISION", "NUMERIC(10, 2)", "VARCHAR(10)", "INTEGER"])
def test_columns_that_can_not_hold_their_values_are_refused(engine: Engine, kind: str) -> None:
    without(engine, "fiat_amount_to_pay")
    change(engine, f"ALTER TABLE nexus_copy ADD COLUMN fiat_amount_to_pay {kind}")
    with pytest.raises(NexusContractError, match=r"column fiat_amount_to_pay is .* can't store decimal numbers of 38 digits"):
        copy_of(engine).prepare()


def test_a_column_of_others_that_must_be_filled_is_refused(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite adds no column that must be filled")
    copy = copy_of(engine)
    copy.prepare()
    change(engine, "ALTER TABLE nexus_copy ADD COLUMN mine INTEGER NOT NULL")
    with pytest.raises(NexusContractError, match="takes no null"):
        copy.prepare()


def test_json_may_be_text_but_no_jsonb(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has JSON types of its own")
    copy = copy_of(engine)
    copy.prepare()
    alter = "ALTER TABLE nexus_copy ALTER COLUMN _raw_extra TYPE"
    change(engine, f"{alter} text")
    load(copy, rows_of([transaction("T1", neverSeen=[1])]))
    load(copy, rows_of([transaction("T1", neverSeen=[2])], read_at=later(1)))
    assert copy.check().problems == ()
    change(engine, f"{alter} jsonb USING _raw_extra::jsonb")
    with pytest.raises(NexusContractError, match="column _raw_extra is JSONB, which can't store JSON text as it came"):
        copy.prepare()
