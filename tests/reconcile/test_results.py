"""Results in tables and files: every digit, one reconciliation of a moment, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import ObjectStoragePath
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.load.sql.types import MoneyType
from airflow_provider_nexus.reconcile.judge import Explanation, Line
from airflow_provider_nexus.reconcile.reconciled import CUSTOMERS, RESERVES, Reconciled
from airflow_provider_nexus.reconcile.request import Tolerance
from airflow_provider_nexus.reconcile.results import store_file, store_rows
from tests.load.sql.databases import KINDS, Databases

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = ["'; DROP TABLE results; --", "NL91ABNA0417164300", "", "%s %(a)s :b {c}", "é\u202e😀", "a\\'b\"c", "x" * 300]
LONGEST = Decimal("12345678901234.000000000000000000000001")


def line(place: str, opening: str = "0", moved: str = "0", stated: str = "0", book: str = CUSTOMERS) -> Line:
    amounts: dict[str, Any] = {"opening": Decimal(opening), "moved": Decimal(moved), "stated": Decimal(stated)}
    made = Line(book=book, place=place, code="BTC", **amounts).judged(Tolerance())
    return replace(made, explanations=(Explanation("T1", Decimal("-1E-7"), f'{place} "why"'),))


def reconciled(*lines: Line, moment: datetime = MOMENT, base_url: str = "https://nexus.example.com") -> Reconciled:
    return Reconciled(
        environment="test",
        base_url=base_url,
        start=moment - timedelta(days=9),
        moment=moment,
        lines=lines,
        notes=(),
        copies={"transactions": "data"},
        calls=3,
    )


MANY = reconciled(*(line(place, str(LONGEST), "-1E-24", "-0.0") for place in HOSTILE), line("Exchange KRAKEN", book=RESERVES))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine(databases: Databases, kind: str, tmp_path: Path) -> Iterator[Engine]:
    made = sa.create_engine(databases.url(kind, tmp_path))
    yield made
    made.dispose()


def rows(engine: Engine, name: str = "results") -> list[dict[str, Any]]:
    with engine.connect() as connection:
        query = sa.text(f"SELECT * FROM {name} ORDER BY base_url, moment, number")
        return [dict(row) for row in connection.execute(query).mappings()]


@pytest.mark.databases
def test_rows_have_every_digit_and_a_rerun_replaces_them(engine: Engine) -> None:
    assert store_rows(engine, "results", MANY) == len(MANY.lines)
    first = rows(engine)
    assert [row["place"] for row in first] == [*HOSTILE, "Exchange KRAKEN"]
    read = MoneyType(24)
    for row in first[:-1]:
        amounts = {name: read.process_result_value(row[name], engine.dialect) for name in ("opening", "moved", "difference")}
        assert amounts == {
            "opening": LONGEST,
            "moved": Decimal("-0.000000000000000000000001"),
            "difference": Decimal("-12345678901234.000000000000000000000000"),
        }
        assert row["outcome"] == "differs"
        assert json.loads(row["explanations"]) == [{"record": "T1", "amount": "-0.0000001", "why": f'{row["place"]} "why"'}]
    assert store_rows(engine, "results", MANY) == len(MANY.lines)
    assert rows(engine) == first
    assert store_rows(engine, "results", reconciled(*MANY.lines[:2])) == 2
    assert rows(engine) == first[:2]
    store_rows(engine, "results", reconciled(MANY.lines[0], moment=MOMENT + timedelta(seconds=1)))
    store_rows(engine, "results", reconciled(MANY.lines[0], base_url="https://other.example.com"))
    assert [row["number"] for row in rows(engine)] == [0, 1, 0, 0]
    store_rows(engine, "results", reconciled())
    assert len(rows(engine)) == 2


@pytest.mark.databases
def test_what_does_not_fit_changes_nothing(engine: Engine) -> None:
    bad = [line("A", opening="1E-25"), line("A", stated="1E15"), line("A", "9" * 14, "9" * 14)]
    with pytest.raises(NexusStorageError, match="give results_path instead"):
        store_rows(engine, "results", reconciled(bad[0]))
    assert not sa.inspect(engine).has_table("results")
    store_rows(engine, "results", reconciled(line("A")))
    before = rows(engine)
    for each in bad:
        with pytest.raises(NexusStorageError, match="give results_path instead"):
            store_rows(engine, "results", reconciled(line("B"), each))
    odd = replace(line("A"), explanations=(Explanation("T1", Decimal(1), "\0"),), place="a\0b")
    if engine.dialect.name == "postgresql":  # which has no such text
        with pytest.raises(NexusStorageError):
            store_rows(engine, "results", reconciled(*[line("B")] * 2000, odd))
    assert rows(engine) == before


@pytest.mark.databases
def test_many_rows(engine: Engine) -> None:
    many = reconciled(*(line(f"C{number}") for number in range(2500)))
    assert store_rows(engine, "results", many) == 2500
    assert [row["number"] for row in rows(engine)] == list(range(2500))


@pytest.mark.databases
def test_tables_of_something_else_are_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE results (moment INTEGER, place VARCHAR(9))"))
        connection.execute(sa.text("INSERT INTO results VALUES (1, 'mine')"))
    with pytest.raises(NexusConfigurationError, match="is no table of reconciliations"):
        store_rows(engine, "results", MANY)
    assert rows_of(engine) == [(1, "mine")]
    for name in ("nexus_table", "no such name", "a.b.c", "1a", ""):
        with pytest.raises(NexusConfigurationError, match="results_table"):
            store_rows(engine, name, MANY)
    with pytest.raises((NexusStorageError, NexusConfigurationError)):
        store_rows(engine, "nowhere.results", MANY)


def rows_of(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT * FROM results"))]


@pytest.mark.databases
def test_a_schema_can_be_named(engine: Engine) -> None:
    schema = {"sqlite": "main", "postgresql": "books"}.get(engine.dialect.name, str(engine.url.database))
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE SCHEMA books"))
    for _ in range(2):
        store_rows(engine, f"{schema}.results", MANY)
    assert len(rows(engine, f"{schema}.results")) == len(MANY.lines)


def test_a_file_has_all_and_is_replaced(tmp_path: Path) -> None:
    many = replace(MANY, lines=(*MANY.lines, line("A", opening="1E-40", stated="1E40")))
    path = store_file(tmp_path / "new", many)
    assert path == tmp_path / "new" / "reconciliation-test-20260301T120000Z.json"
    stored = json.loads(path.read_text())
    assert [each["place"] for each in stored["lines"]] == [*HOSTILE, "Exchange KRAKEN", "A"]
    assert stored["lines"][0]["difference"] == "-12345678901234"
    assert stored["lines"][-1]["difference"] == f"{'9' * 40}.{'9' * 40}"
    assert stored["moment"] == "2026-03-01T12:00:00Z"
    assert stored == many.dump()
    assert store_file(tmp_path / "new", reconciled()) == path
    assert json.loads(path.read_text())["lines"] == []
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_goes_into_any_store(tmp_path: Path) -> None:
    path = store_file(ObjectStoragePath(f"file://{tmp_path}/stored"), MANY)
    assert json.loads(path.read_text()) == MANY.dump()


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("mine")
    with pytest.raises(NexusStorageError):
        store_file(tmp_path / "blocked", MANY)
    assert (tmp_path / "blocked").read_text() == "mine"


def test_texts_have_no_codes_of_customers_and_an_end() -> None:
    found = reconciled(*(line(f"CODE{number}", stated="1") for number in range(3000)))
    summary = found.summary()
    assert len(summary["differences"]) == 101
    assert summary["differences"][-1] == "and 2,900 more"
    assert found.text.endswith("; and 2,990 more")
    bare = replace(found, lines=tuple(replace(each, explanations=()) for each in found.lines))
    assert "CODE" not in f"{bare.text} {bare.summary()}"
