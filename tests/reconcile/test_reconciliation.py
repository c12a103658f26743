"""Reconciliation finds each wrong book of 75 days, and nothing in right ones, whatever the copies lie in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.reconcile.judge import Outcome
from airflow_provider_nexus.reconcile.reconciled import CUSTOMERS
from airflow_provider_nexus.reconcile.request import Tolerance
from tests.load.sql.databases import Databases
from tests.reconcile.worlds import World, world

pytest.importorskip("pyarrow")
WRONG = {
    "lost_mutation": {"balances", "customer balances"},
    "lost_ledger_entry": {"hot wallet", "reserves"},
    "doubled_fee": {"reserves"},
    "price_of_another_day": {"reserves"},
}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Records that go on changing for weeks."""
    with world(tmp_path_factory.mktemp("long"), lives="long") as made:
        made.put("jsonl")
        made.put("parquet")
        yield made


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("short"), lives="short", transactions=800) as made:
        made.put("jsonl")
        yield made


@pytest.fixture(autouse=True)
def right(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "long" in request.fixturenames:
        request.getfixturevalue("long").sandbox.configure(wrong_books=[])


@pytest.mark.parametrize(("lives", "file_format"), [("short", "jsonl"), ("long", "jsonl"), ("long", "parquet")])
def test_right_books_are_right_in_files(request: pytest.FixtureRequest, lives: str, file_format: str) -> None:
    made: World = request.getfixturevalue(lives)
    found = made.reconcile(made.files(file_format))
    assert found.differences == []
    assert found.is_fine
    assert (found.start, found.moment) == (made.start, made.end)
    assert {line.book for line in found.lines} == {
        "balances", "customer balances", "hot wallet", "reserves", "proof of reserves",
    }  # fmt: skip
    assert lives == "short" or found.count(Outcome.TIMING), "much was completed between the moment and the reading"


@pytest.mark.parametrize("days", [1, 17, 40, 74])
def test_right_books_are_right_at_any_moment(long: World, days: int) -> None:
    found = long.reconcile(long.files("jsonl"), moment=long.start + timedelta(days=days))
    assert found.differences == []


@pytest.mark.parametrize("days", [3, 30, 60])
def test_records_are_added_to_what_nexus_stated_at_the_start(long: World, days: int) -> None:
    """Transactions that were begun before the start and completed after it are no difference."""
    found = long.reconcile(long.files("jsonl"), start=long.start + timedelta(days=days))
    assert found.differences == []
    assert any(line.opening for line in found.lines if line.book == CUSTOMERS)


@pytest.mark.parametrize("customers", [True, False])
@pytest.mark.parametrize("wrong", WRONG)
def test_each_wrong_book_is_found_in_files(long: World, wrong: str, customers: bool) -> None:
    long.sandbox.configure(wrong_books=[wrong])
    found = long.reconcile(long.files("jsonl"), customers=customers)
    assert {line.book for line in found.differences} >= WRONG[wrong] - (set() if customers else {CUSTOMERS})
    assert {line.book for line in found.differences} <= WRONG[wrong]
    assert len({(line.book, line.code) for line in found.differences}) == len(found.differences), "no more than one each"
    assert all(line.explanations for line in found.differences)


def test_all_wrong_books_are_found_at_once(long: World) -> None:
    long.sandbox.configure(wrong_books=list(WRONG))
    found = long.reconcile(long.files("jsonl"))
    assert {line.book for line in found.differences} == {"balances", "customer balances", "hot wallet", "reserves"}
    assert len(found.differences) == 2 + 2 + 2


def test_the_record_that_explains_a_difference_is_named(long: World) -> None:
    """Each is looked up in the truth: it has the amount, or ended in the second from which on the place differs."""
    long.sandbox.configure(wrong_books=["doubled_fee"])
    (line,) = long.reconcile(long.files("jsonl")).differences
    fees = {each.record for each in line.explanations if "its fee is the difference" in each.why}
    seconds = {each.record for each in line.explanations if "the place differs from" in each.why}
    assert fees & seconds
    (code,) = seconds
    order = next(raw for raw in long.sandbox.truth("orders") if code.encode() in raw)
    assert f'"fee":{-line.difference:f}'.rstrip("0").encode() in order


@pytest.mark.databases
@pytest.mark.parametrize("kind", ["sqlite", "postgresql+psycopg"])
def test_tables(long: World, databases: Databases, tmp_path: Path, kind: str) -> None:
    engine = sa.create_engine(databases.url(kind, tmp_path))
    long.load(engine)
    assert long.reconcile(long.tables(engine)).differences == []
    for wrong, books in WRONG.items():
        long.sandbox.configure(wrong_books=[wrong])
        assert {line.book for line in long.reconcile(long.tables(engine)).differences} == books
    engine.dispose()


def test_a_tolerance_is_for_small_differences(long: World) -> None:
    long.sandbox.configure(wrong_books=["doubled_fee"])
    copies = long.files("jsonl")
    (line,) = long.reconcile(copies).differences
    with localcontext(prec=60):
        least = abs(line.difference)
        assert long.reconcile(copies, tolerance=Tolerance({line.code: least})).is_fine
        less = long.reconcile(copies, tolerance=Tolerance(least - Decimal("1e-20")))
    assert [each.outcome for each in less.differences] == [Outcome.DIFFERS]


def test_places_of_totals_are_no_customers(long: World) -> None:
    """Codes of customers are personal data: texts and summaries have none."""
    long.sandbox.configure(wrong_books=["lost_mutation"])
    found = long.reconcile(long.files("jsonl"))
    codes = {line.place for line in found.lines if line.book == CUSTOMERS}
    told = f"{found.text} {found.summary()}"
    assert codes
    assert not [code for code in codes if code in told]
