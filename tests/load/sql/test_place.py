"""One table is one copy with one set of books, however it is spelled; and what is no table is said."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusContractError
from airflow_provider_nexus.replay.rejected import replay_table
from airflow_provider_nexus.report.table import collection_of
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.databases import FOLDING, KINDS
from tests.load.sql.loading import copy_of, later, load, small

pytestmark = pytest.mark.databases
NAMING = pytest.mark.parametrize("url", [*KINDS, FOLDING], indirect=True)
"""Also on a server that keeps all names in lower case."""


def change(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def owners(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text("SELECT table_name, loads FROM nexus_table ORDER BY table_name")))


def default_schema(engine: Engine) -> str:
    return {"sqlite": "main", "postgresql": "public"}.get(engine.dialect.name, str(engine.url.database))


def folds(engine: Engine) -> bool:
    """Whether the database takes two spellings for one name."""
    if engine.dialect.name != "mysql":
        return engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT @@lower_case_table_names")).scalar_one())


def spellings(engine: Engine) -> list[str]:
    schema = default_schema(engine)
    folded = ["ORDERS", f"{schema}.Orders", f"{schema.upper()}.oRDERS"] if folds(engine) else []
    return ["orders", f"{schema}.orders", *folded, "orders"]


@NAMING
def test_all_spellings_of_a_table_share_its_books(engine: Engine) -> None:
    for number, name in enumerate(spellings(engine)):
        load(copy_of(engine, name=name), small((f"T{number}", "Initiated"), read_at=later(number)), label=str(number))
    assert owners(engine) == [("orders", len(spellings(engine)))]
    for name in spellings(engine):
        stored = open_table(engine, name)
        assert (verify_table(stored).problems, verify_table(stored).windows) == ((), len(spellings(engine)))
        assert len(collection_of(stored).manifests) == len(spellings(engine))
        assert replay_table(stored) == []
        assert copy_of(engine, name=name).place == f"{default_schema(engine)}.orders"


@NAMING
def test_spellings_that_the_database_takes_for_two_are_two(engine: Engine) -> None:
    for name in ("Orders", "orders"):
        load(copy_of(engine, name=name), small(("T1", "Initiated"), read_at=later(len(owners_if_any(engine)))))
    kept = "orders" if engine.dialect.name == "mysql" else "Orders"
    expected = [(kept, 1)] if folds(engine) else [("Orders", 1), ("orders", 1)]
    assert sorted(owners(engine)) == expected


def owners_if_any(engine: Engine) -> list[Any]:
    return owners(engine) if sa.inspect(engine).has_table("nexus_table") else []


@NAMING
def test_two_resources_in_one_table_are_refused_in_any_spelling(engine: Engine) -> None:
    load(copy_of(engine, name="orders"), small(("T1", "Initiated")))
    for name in spellings(engine):
        with pytest.raises(NexusConfigurationError, match="resource 'transactions', not 'orders'"):
            copy_of(engine, "orders", name=name).prepare()


@pytest.mark.parametrize("url", [FOLDING], indirect=True)
def test_a_database_in_other_letters_is_the_same(engine: Engine) -> None:
    load(copy_of(engine, name="orders"), small(("T1", "Initiated")))
    shouting = sa.create_engine(engine.url.set(database=str(engine.url.database).upper()))
    try:
        copy = copy_of(shouting, name="Orders")
        load(copy, small(("T2", "Initiated"), read_at=later(1)), label="b")
        assert copy.place == copy_of(engine, name="orders").place
        assert verify_table(open_table(shouting, "ORDERS")).problems == ()
    finally:
        shouting.dispose()
    assert owners(engine) == [("orders", 2)]


@NAMING
def test_a_table_that_is_gone_is_known_by_all_its_spellings(engine: Engine) -> None:
    load(copy_of(engine, name="Orders"), small(("T1", "Initiated")))
    quote = engine.dialect.identifier_preparer.quote
    change(engine, f"DROP VIEW {quote('Orders_records')}", f"DROP TABLE {quote('Orders')}")
    for name in ["Orders", *(spellings(engine) if folds(engine) else ())]:
        with pytest.raises(NexusConfigurationError, match="is missing, and nexus_table names 1 loads"):
            copy_of(engine, name=name).prepare()


def test_a_schema_of_the_search_path_is_found(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has a search_path")
    load(copy_of(engine, name="orders"), small(("T1", "Initiated")))
    change(engine, "CREATE SCHEMA app", f"ALTER DATABASE {engine.url.database} SET search_path TO app, public")
    engine.dispose()
    copy_of(engine, name="other").prepare()
    load(copy_of(engine, name="orders"), small(("T2", "Initiated"), read_at=later(1)), label="b")
    assert verify_table(open_table(engine, "orders")).problems == ()
    assert (copy_of(engine, name="orders").place, copy_of(engine, name="other").place) == ("public.orders", "app.other")
    change(engine, f"ALTER DATABASE {engine.url.database} SET search_path TO nowhere")
    engine.dispose()
    with pytest.raises(NexusConfigurationError, match="none of the login's search_path is there"):
        copy_of(engine, name="other").prepare()


@NAMING
def test_a_schema_that_is_not_there_is_named(engine: Engine) -> None:
    for use in (copy_of(engine, name="nowhere.orders").prepare, lambda: open_table(engine, "nowhere.orders")):
        with pytest.raises(NexusConfigurationError, match=r"table nowhere\.orders: the login sees no schema 'nowhere'"):
            use()


@NAMING
@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_a_view_is_no_table(engine: Engine, kind: str) -> None:
    if kind != "VIEW" and engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has them")
    change(engine, f"CREATE {kind} nexus_copy AS SELECT 1 AS _key")
    for use in (copy_of(engine).prepare, lambda: open_table(engine, "nexus_copy")):
        with pytest.raises(NexusConfigurationError, match=f"nexus_copy is a {kind.lower()} in the database"):
            use()
    assert not sa.inspect(engine).has_table("nexus_table")


def test_a_foreign_table_and_a_partitioned_one_are_refused(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL has them")
    change(engine, "CREATE FOREIGN DATA WRAPPER w")
    change(engine, "CREATE SERVER s FOREIGN DATA WRAPPER w", "CREATE FOREIGN TABLE far (_key text) SERVER s")
    with pytest.raises(NexusConfigurationError, match="far is a foreign table"):
        copy_of(engine, name="far").prepare()
    parent = copy_of(engine, name="parent").model.data
    columns = [sa.Column(each.name, each.type, nullable=each.nullable) for each in parent.columns]
    sa.Table("parent", sa.MetaData(), *columns, postgresql_partition_by="RANGE (created)").create(engine)
    with pytest.raises(NexusContractError, match="it has no primary key of _key alone"):
        copy_of(engine, name="parent").prepare()


def test_a_table_of_somebody_else_is_refused(engine: Engine) -> None:
    change(engine, "CREATE TABLE nexus_copy (id INTEGER)")
    with pytest.raises(NexusContractError, match="lacks _key, _read_at, _read_by, _content, which can't be added later"):
        copy_of(engine).prepare()


def remade(engine: Engine, *, output: Any = "current", key: str = "") -> None:
    """A table of the right columns, and with another key or none, of which the books know nothing."""
    model = copy_of(engine, output=output).model
    columns = [sa.Column(each.name, each.type, nullable=each.nullable, autoincrement=False) for each in model.data.columns]
    keys = [sa.PrimaryKeyConstraint(*key.split())] if key else []
    sa.Table("nexus_copy", sa.MetaData(), *columns, *keys).create(engine)


@pytest.mark.parametrize(("output", "key"), [("current", ""), ("history", "_key"), ("current", "_key _content")])
def test_a_table_without_the_key_is_refused(engine: Engine, output: Any, key: str) -> None:
    remade(engine, output=output, key=key)
    with pytest.raises(NexusContractError, match="it has no primary key of"):
        copy_of(engine, output=output).prepare()


def test_a_history_can_not_be_made_of_a_table_without_it(engine: Engine) -> None:
    remade(engine, key="_key")
    with pytest.raises(
        NexusContractError, match=r"lacks _load, _deleted, which can't be added later.*name another one"
    ) as caught:
        copy_of(engine, output="history").prepare()
    assert "ALTER" not in str(caught.value)
    load(copy_of(engine), small(("T1", "Initiated")))
    with pytest.raises(NexusConfigurationError, match=r"output 'current', not 'history'\. Give this one a table of its own"):
        copy_of(engine, output="history").prepare()


def test_a_table_with_rows_that_no_sync_has_brought_is_refused(engine: Engine) -> None:
    load(copy_of(engine), small(("T1", "Initiated")))
    change(engine, "DELETE FROM nexus_table")
    with pytest.raises(NexusConfigurationError, match="contains rows that no sync has brought"):
        copy_of(engine).prepare()


@NAMING
def test_a_table_that_is_gone_is_not_made_again(engine: Engine) -> None:
    load(copy_of(engine), small(("T1", "Initiated")))
    change(engine, "DROP VIEW nexus_copy_records", "DROP TABLE nexus_copy")
    with pytest.raises(NexusConfigurationError, match="is missing, and nexus_table names 1 loads"):
        copy_of(engine).prepare()
    assert copy_of(engine).check().problems == ("table nexus_copy is not there",)
    for book in ("nexus_table", "nexus_manifest", "nexus_rejected"):
        change(engine, f"DELETE FROM {book} WHERE table_name = 'nexus_copy'")
    load(copy_of(engine), small(("T1", "Initiated")))
    assert copy_of(engine).check().problems == ()


LOOSE = {
    "sqlite": [],
    "postgresql": [
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "ALTER TABLE nexus_copy ALTER COLUMN _key TYPE varchar(255) COLLATE loose",
    ],
    "mysql": ["ALTER TABLE nexus_copy MODIFY _key VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL"],
}


def test_a_collation_that_takes_keys_for_the_same_is_refused(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        made = copy_of(engine).model.data.to_metadata(sa.MetaData())
        made.c["_key"].type = sa.String(255, collation="NOCASE")
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateTable(made))
    else:
        copy_of(engine).prepare()
        change(engine, *LOOSE[engine.dialect.name])
    with pytest.raises(NexusContractError, match="column _key takes different keys for the same"):
        copy_of(engine).prepare()


def test_a_narrow_charset_or_engine_is_refused_and_that_of_the_schema_does_not_matter(engine: Engine) -> None:
    if engine.dialect.name != "mysql":
        pytest.skip("only MySQL has them")
    change(engine, f"ALTER DATABASE {engine.url.database} CHARACTER SET latin1")
    rows = small(("\U0001f600", "Initiated"))
    load(copy_of(engine), rows)
    assert copy_of(engine).check().problems == ()
    change(engine, "ALTER TABLE nexus_copy MODIFY status LONGTEXT CHARACTER SET latin1, ENGINE Aria")
    with pytest.raises(NexusContractError, match=r"column status is stored in latin1.*its engine is Aria"):
        copy_of(engine).prepare()
