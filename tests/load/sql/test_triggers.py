"""What the database does to rows on their way in is found before it is stored: a load that says "inserted" has them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusContractError
from airflow_provider_nexus.extract.window import ALL_TIME
from airflow_provider_nexus.load.copy import Reject, Stored
from tests.load.sql.loading import TABLE, copy_of, dump, later, load, small

pytestmark = pytest.mark.databases
BOOKS = ("nexus_table", "nexus_manifest", "nexus_rejected")
OTHERS = (Reject("T9", "created", "a stamp", "{}"),)


def postgresql(when: str, body: str, condition: str = "", table: str = TABLE) -> list[str]:
    function = f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    return [function, f"CREATE TRIGGER meddle {when} ON {table} FOR EACH ROW {condition} EXECUTE FUNCTION meddle()"]


def other(when: str, body: str, condition: str = "", table: str = TABLE) -> list[str]:
    """For SQLite, and for MariaDB, which knows no condition."""
    return [f"CREATE TRIGGER meddle {when} ON {table} FOR EACH ROW {condition} BEGIN {body}; END"]


IGNORE, NOTHING = "SELECT RAISE(IGNORE)", "RETURN NULL;"
ONE = "WHEN (NEW._key = 'T2')"
Statements = dict[str, list[str]]
SWALLOWED: dict[str, Statements] = {
    "all rows": {
        "sqlite": other("BEFORE INSERT", IGNORE),
        "postgresql": postgresql("BEFORE INSERT", NOTHING),
    },
    "one row": {
        "sqlite": other("BEFORE INSERT", IGNORE, ONE),
        "postgresql": postgresql("BEFORE INSERT", NOTHING, ONE),
        "mysql": other("BEFORE INSERT", "IF NEW._key = 'T2' THEN SET NEW._key = 'T7'; END IF"),
    },
    "all rows by a rule": {"postgresql": [f"CREATE RULE meddle AS ON INSERT TO {TABLE} DO INSTEAD NOTHING"]},
    "a row by a rule, afterwards": {
        "postgresql": [f"CREATE RULE meddle AS ON INSERT TO {TABLE} DO ALSO DELETE FROM {TABLE} WHERE _key = 'T2'"]
    },
    "a value": {
        "sqlite": other("AFTER INSERT", f"UPDATE {TABLE} SET status = 'Mine' WHERE _key = NEW._key", ONE),
        "postgresql": postgresql("BEFORE INSERT", "NEW.status := 'Mine'; RETURN NEW;", ONE),
        "mysql": other("BEFORE INSERT", "SET NEW.status = IF(NEW._key = 'T2', 'Mine', NEW.status)"),
    },
    "an amount that was null": {
        "sqlite": other("AFTER INSERT", f"UPDATE {TABLE} SET fiat_amount_to_pay = '1' WHERE _key = NEW._key"),
        "postgresql": postgresql("BEFORE INSERT", "NEW.fiat_amount_to_pay := 0; RETURN NEW;"),
        "mysql": other("BEFORE INSERT", "SET NEW.fiat_amount_to_pay = 0"),
    },
    "a moment": {
        "sqlite": other("AFTER INSERT", f"UPDATE {TABLE} SET created = '2020' WHERE _key = NEW._key"),
        "postgresql": postgresql("BEFORE INSERT", "NEW.created := NEW.created + interval '1 hour'; RETURN NEW;"),
        "mysql": other("BEFORE INSERT", "SET NEW.created = NEW.created + INTERVAL 1 HOUR"),
    },
    "who read it": {
        "sqlite": other("AFTER INSERT", f"UPDATE {TABLE} SET _read_by = 'me' WHERE _key = NEW._key"),
        "postgresql": postgresql("BEFORE INSERT", "NEW._read_by := 'me'; RETURN NEW;"),
        "mysql": other("BEFORE INSERT", "SET NEW._read_by = 'me'"),
    },
}
GONE: dict[str, Statements] = {
    "a row stays": {
        "sqlite": other("BEFORE DELETE", IGNORE),
        "postgresql": postgresql("BEFORE DELETE", NOTHING),
    },
    "a row comes back": {
        "sqlite": other("AFTER DELETE", f"INSERT INTO {TABLE} SELECT * FROM spare"),
        "postgresql": postgresql("AFTER DELETE", f"INSERT INTO {TABLE} SELECT OLD.*; RETURN NULL;"),
    },
}
MINE: dict[str, Statements] = {
    f"{what} {table}": {
        "sqlite": other(f"{when} {what}", body, table=table),
        "postgresql": postgresql(f"BEFORE {what}", NOTHING, table=table),
    }
    for what, table, when, body in (
        ("INSERT", "nexus_manifest", "BEFORE", IGNORE),
        ("INSERT", "nexus_rejected", "BEFORE", IGNORE),
        ("UPDATE", "nexus_table", "BEFORE", IGNORE),
    )
}
MINE["a label"] = {
    "sqlite": other("AFTER INSERT", "UPDATE nexus_manifest SET label = 'x' WHERE number = NEW.number", table="nexus_manifest"),
    "postgresql": postgresql("BEFORE INSERT", "NEW.label := 'x'; RETURN NEW;", table="nexus_manifest"),
    "mysql": other("BEFORE INSERT", "SET NEW.label = 'x'", table="nexus_manifest"),
}


def meddle(engine: Engine, statements: Statements) -> None:
    kind = engine.dialect.name
    if kind not in statements:
        pytest.skip(f"{kind} can't do that")
    with engine.begin() as connection:
        for statement in statements[kind]:
            connection.exec_driver_sql(statement)


def held(engine: Engine) -> list[Any]:
    return [dump(engine, name) for name in (TABLE, *BOOKS)]


def refused(engine: Engine, bring: Callable[[], object], table: str = TABLE) -> None:
    before = held(engine)
    with pytest.raises(
        NexusContractError, match=rf"^Table {table} does not store .* A trigger or rule of the database"
    ) as caught:
        bring()
    assert "\n" not in str(caught.value)
    assert held(engine) == before


@pytest.mark.parametrize("output", ["current", "history"])
@pytest.mark.parametrize("what", SWALLOWED)
def test_rows_that_do_not_arrive_as_they_are_are_refused(engine: Engine, what: str, output: Any) -> None:
    copy = copy_of(engine, output=output)
    load(copy, small(("T1", "Initiated")))
    meddle(engine, SWALLOWED[what])
    refused(engine, lambda: load(copy, small(("T1", "Completed"), ("T2", "Initiated"), ("T3", "Initiated"), read_at=later(1))))


@pytest.mark.parametrize("output", ["current", "history"])
@pytest.mark.parametrize("what", GONE)
def test_rows_that_do_not_go_are_refused(engine: Engine, what: str, output: Any) -> None:
    copy = copy_of(engine, output=output)
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE spare AS SELECT * FROM {TABLE} WHERE _key = 'T2'")
    meddle(engine, GONE[what])

    def bring() -> Stored:
        return load(copy, small(("T1", "Initiated"), read_at=later(1)), ALL_TIME, label="whole")

    if output == "current":
        refused(engine, bring)
    else:
        assert bring().deleted == 1  # a history takes nothing away


def test_a_stone_that_does_not_arrive_is_refused(engine: Engine) -> None:
    copy = copy_of(engine, output="history")
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")))
    statements = {
        "sqlite": other("BEFORE INSERT", IGNORE, "WHEN (NEW._deleted)"),
        "postgresql": postgresql("BEFORE INSERT", NOTHING, "WHEN (NEW._deleted)"),
        "mysql": other("BEFORE INSERT", "SET NEW._deleted = 0"),
    }
    meddle(engine, statements)
    refused(engine, lambda: load(copy, small(("T1", "Initiated"), read_at=later(1)), ALL_TIME, label="whole"))


@pytest.mark.parametrize("what", MINE)
def test_books_that_do_not_keep_what_is_written_are_refused(engine: Engine, what: str) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    meddle(engine, MINE[what])
    table = what.split()[1] if " nexus_" in what else "nexus_manifest"
    refused(engine, lambda: load(copy, small(("T2", "Initiated"), read_at=later(1)), label="b", rejects=OTHERS), table)


def test_a_trigger_that_leaves_our_columns_alone_may_be_there(engine: Engine) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {TABLE} ADD COLUMN note VARCHAR(20)")
    statements = {
        "sqlite": other("AFTER INSERT", f"UPDATE {TABLE} SET note = 'seen' WHERE _key = NEW._key"),
        "postgresql": postgresql("BEFORE INSERT", "NEW.note := 'seen'; RETURN NEW;"),
        "mysql": other("BEFORE INSERT", "SET NEW.note = 'seen'"),
    }
    meddle(engine, statements)
    applied = load(copy, small(("T1", "Initiated"), ("T2", "Initiated"), read_at=later(1)), label="b")
    assert (applied.inserted, applied.updated) == (1, 0)
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT note FROM {TABLE} WHERE _key = 'T2'").scalar_one() == "seen"


def test_a_load_of_the_same_reading_twice_is_no_meddling(engine: Engine) -> None:
    """Rows that are held as they were staged count, be they read at the same moment by the same reading."""
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")))
    applied = load(copy, small(("T1", "Initiated"), ("T2", "Completed"), ("T3", "Initiated")), label="b")
    assert (applied.inserted, applied.updated) == (1, 1)
