"""The view beside a table has the records alone, each once, as the table's columns are; what is not ours is not touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.databases import FOLDING, KINDS
from tests.load.sql.loading import END, START, TABLE, copy_of, later, load, rows_of, small, transaction

pytestmark = pytest.mark.databases
FIELDS = [column.name for column in Table(get_resource("transactions")).fields]
NAMING = pytest.mark.parametrize("url", [*KINDS, FOLDING], indirect=True)


def query(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def change(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


@pytest.mark.parametrize("columns", ["_key, transaction_code", "transaction_code", "1 AS one"])
def test_a_view_that_took_its_place_is_never_replaced(engine: Engine, columns: str) -> None:
    """Its readers may not be allowed to see more than it shows."""
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")))
    change(engine, "DROP VIEW nexus_copy_records", f"CREATE VIEW nexus_copy_records AS SELECT {columns} FROM nexus_copy")
    before = query(engine, "SELECT * FROM nexus_copy_records")
    with pytest.raises(
        NexusConfigurationError, match=r"nexus_copy_records is not the view .* that a sync has made: it has .*anew"
    ):
        load(copy, small(("T1", "Completed"), read_at=later(1)))
    assert query(engine, "SELECT * FROM nexus_copy_records") == before
    change(engine, "DROP VIEW nexus_copy_records")
    load(copy, small(("T1", "Completed"), read_at=later(1)))
    assert query(engine, "SELECT status FROM nexus_copy_records") == [("Completed",)]


@NAMING
@pytest.mark.parametrize("output", ["current", "history"])
def test_it_has_the_records_as_they_are(engine: Engine, output: Any) -> None:
    copy = copy_of(engine, name="Orders", output=output)
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated"), ("T3", "Initiated")), Window(START, END))
    load(copy, small(("T1", "Completed"), ("T3", "Initiated"), read_at=later(1)), Window(START, END), label="b")
    quoted = engine.dialect.identifier_preparer.quote("Orders_records")
    found = query(engine, f"SELECT transaction_code, status FROM {quoted} ORDER BY transaction_code")
    assert found == [("T1", "Completed"), ("T3", "Initiated")]
    (view,) = sa.inspect(engine).get_view_names()
    assert [column["name"] for column in sa.inspect(engine).get_columns(view)] == FIELDS
    assert (copy.prepare(), copy.check().problems, verify_table(open_table(engine, "Orders")).problems) == ([], (), ())


@pytest.mark.parametrize("output", ["current", "history"])
def test_columns_that_are_added_come_last_and_what_is_made_of_it_stays(engine: Engine, output: Any) -> None:
    copy = copy_of(engine, output=output)
    load(copy, small(("T1", "Initiated")))
    change(engine, "DROP VIEW nexus_copy_records")
    for index in sa.inspect(engine).get_indexes(TABLE) if engine.dialect.name == "sqlite" else ():
        change(engine, f"DROP INDEX {index['name']}")
    first = ", ".join(engine.dialect.identifier_preparer.quote(name) for name in FIELDS if name != "status")
    where = "WHERE NOT _deleted" if output == "history" else ""
    change(
        engine,
        "ALTER TABLE nexus_copy DROP COLUMN status",
        f"CREATE VIEW nexus_copy_records AS SELECT {first} FROM nexus_copy {where}",
    )
    change(engine, "CREATE VIEW mine AS SELECT transaction_code FROM nexus_copy_records")
    copy_of(engine, output=output, contract="allow_new_fields").prepare()
    wanted = [*(name for name in FIELDS if name != "status"), "status"]
    assert [column["name"] for column in sa.inspect(engine).get_columns("nexus_copy_records")] == wanted
    assert query(engine, "SELECT transaction_code FROM mine") == [("T1",)]


@NAMING
@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_what_has_its_name_and_is_not_ours_is_not_touched(engine: Engine, kind: str) -> None:
    change(engine, f"CREATE {kind} orders_records AS SELECT 1 AS mine")
    before = sa.inspect(engine).get_table_names()
    with pytest.raises(
        NexusConfigurationError, match=rf"a {kind.lower()} of that name, which no sync has made, is there: rename"
    ):
        copy_of(engine, name="orders").prepare()
    assert sa.inspect(engine).get_table_names() == before
    assert query(engine, "SELECT mine FROM orders_records") == [(1,)]


def test_one_that_was_dropped_is_made_again(engine: Engine) -> None:
    load(copy_of(engine), small(("T1", "Initiated")))
    change(engine, "DROP VIEW nexus_copy_records")
    copy_of(engine).prepare()
    assert query(engine, "SELECT transaction_code FROM nexus_copy_records") == [("T1",)]


def test_it_is_no_table_to_sync_into(engine: Engine) -> None:
    load(copy_of(engine), small(("T1", "Initiated")))
    with pytest.raises(NexusConfigurationError, match="nexus_copy_records is a view in the database"):
        copy_of(engine, name="nexus_copy_records").prepare()


def test_json_is_the_text_that_came_and_can_be_asked(engine: Engine) -> None:
    text = '{"b":1E5, "a":  0.10000000000000000000000000000000000000001,"a":"\\u0000é"}'
    copy, one, other = copy_of(engine), transaction("T1").decode(), transaction("T2", neverSeen={"b": [7]})
    load(copy, rows_of([f'{one[:-1]},"neverSeen":{text}}}'.encode(), other]))
    extra = "CAST(_raw_extra AS CHAR)" if engine.dialect.name == "mysql" else "CAST(_raw_extra AS TEXT)"
    assert query(engine, f"SELECT {extra} FROM nexus_copy WHERE _key = 'T1'") == [(f'{{"neverSeen":{text}}}',)]
    assert copy.check().problems == ()
    if engine.dialect.name == "postgresql":
        assert query(engine, "SELECT _raw_extra -> 'neverSeen' ->> 'b' FROM nexus_copy WHERE _key = 'T2'") == [("[7]",)]


def test_columns_and_tables_say_what_they_are(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no comments")
    copy = copy_of(engine)
    copy.prepare()
    table = Table(get_resource("transactions"))
    wanted = {column.name: column.meaning for column in table.columns}
    assert {each["name"]: each["comment"] for each in sa.inspect(engine).get_columns(TABLE)} == wanted
    assert sa.inspect(engine).get_table_comment(TABLE)["text"] == table.resource.meaning
    if engine.dialect.name == "postgresql":
        change(engine, "DROP VIEW nexus_copy_records", "ALTER TABLE nexus_copy DROP COLUMN status")
        copy_of(engine, contract="allow_new_fields").prepare()
        comments = {each["name"]: each["comment"] for each in sa.inspect(engine).get_columns(TABLE)}
        assert comments == wanted
        view = {each["name"]: each["comment"] for each in sa.inspect(engine).get_columns("nexus_copy_records")}
        assert view == {name: wanted[name] for name in FIELDS}


@pytest.fixture
def planned(engine: Engine) -> Callable[..., str]:
    """How the database goes about the last query that has some words in it."""
    asked: list[tuple[str, Any]] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def before(_c: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
        asked.append((statement, values))

    def plan(*words: str) -> str:
        statement, values = [each for each in asked if all(word in each[0] for word in words)][-1]
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET enable_seqscan = off")
            return str(connection.exec_driver_sql(f"{explain} {statement}", values).all())

    return plan


def test_the_unsettled_are_found_by_their_index(engine: Engine, planned: Callable[..., str]) -> None:
    copy = copy_of(engine)
    settled = [(f"T{number}", status) for number, status in enumerate(["Completed", "Cancelled", "SIMULATED"] * 200)]
    odd = [("U1", " initiated "), ("U2", "NeverSeen"), ("U3", "Completedd"), ("U4", ""), ("U5", "\U0010ffff")]
    load(copy, small(*settled, *odd, ("U6", "cOmpleted")))
    (name,) = {each["name"] for each in sa.inspect(engine).get_indexes(TABLE) if "nexus_unsettled_" in str(each["name"])}
    change(engine, f"DROP INDEX {name} ON {TABLE}" if engine.dialect.name == "mysql" else f"DROP INDEX {name}")
    assert set(copy.unsettled()) == {key for key, _ in odd}
    assert "nexus_unsettled_" not in planned("trim(")
    copy.prepare()
    assert set(copy.unsettled()) == {key for key, _ in odd}
    plan = planned("trim(")
    assert "nexus_unsettled_" in plan
    if engine.dialect.name == "mysql":
        assert "'range', 'nexus_unsettled_" in re.sub(r"'range', '.*?', '", "'range', '", plan)


def test_the_last_load_of_a_reading_is_found_by_its_index(engine: Engine, planned: Callable[..., str]) -> None:
    copy = copy_of(engine)
    for number in range(30):
        load(copy, small((f"T{number}", "Initiated"), read_at=later(number)), label=f"open-{number}")
    assert "nexus_manifest_label" in planned("nexus_manifest.label = ", "ORDER BY")
