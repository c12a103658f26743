"""The package needs only what was loaded, and says what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from tests.dbt.building import Store, command, in_another_zone
from tests.dbt.test_shapes import CUSTOMERS, JANUARY, customer
from tests.dbt.worlds import Nexus, sync
from tests.load.sql.databases import Databases

pytestmark = pytest.mark.databases


@pytest.fixture(scope="module")
def store(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database that has customers and nothing else."""
    command()
    folder = tmp_path_factory.mktemp("one")
    people = [customer("C1", "ACTIVE", "Low", "NL"), customer("C2", "Active", None, None), customer("C3", "NEW", "None", "DE")]
    nexus = Nexus({CUSTOMERS: people}, datetime(2026, 2, 1, tzinfo=UTC))
    with nexus.server, in_another_zone(databases.url("postgresql+psycopg2", folder), folder) as made:
        client = nexus.client()
        sync(client, made, "customers", JANUARY)
        client.session.close()
        yield made


def test_one_table_is_enough_and_its_states_are_remembered(store: Store) -> None:
    begun = datetime.now(UTC).replace(tzinfo=None)
    said = store.dbt("build")
    assert "ERROR=0" in said
    assert "dbt_nexus builds nothing that needs one of these, as nexus_tables does not name them: transactions, broker" in said
    with store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE nexus_customers SET status = 'Blocked' WHERE _key = 'C1'"))
        connection.execute(sa.text("DELETE FROM nexus_customers WHERE _key = 'C3'"))
    store.dbt("build", "--exclude", "test_type:generic")
    ended = datetime.now(UTC).replace(tzinfo=None)
    rows = store.rows("SELECT customer_code, status, valid_from, valid_until, known_by FROM nexus_customer_states")
    lasting = {(code, status): is_over is not None for code, status, _, is_over, _ in rows}
    assert lasting == {("C1", "ACTIVE"): True, ("C1", "BLOCKED"): False, ("C2", "ACTIVE"): False, ("C3", "NEW"): True}
    assert all(begun <= moment <= ended for *_, start, end, _ in rows for moment in (start, end) if moment)
    assert {row[-1] for row in rows} == {"snapshots of dbt"}
    counted = store.rows(
        "SELECT sum(customers) FROM nexus_customers_by_day WHERE day = (SELECT max(day) FROM nexus_customers_by_day)"
    )
    assert counted == [(2,)]


def test_nothing_that_is_named_is_a_warning(store: Store) -> None:
    said = store.dbt("build", "--select", "a_table_is_named", nexus_tables={})
    assert "WARN 1 a_table_is_named" in said
    assert "WARN=1 ERROR=0" in said


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"nexus_tables": {"order": "nexus_orders"}},
            "nexus_tables names order, which has no model: it can be one of transactions, ",
        ),
        (
            {"nexus_tables": {"orders": "nexus_ordres"}},
            "which nexus_tables.orders leads to: load it with NexusToSqlOperator, name its table there",
        ),
    ],
    ids=["unknown", "missing"],
)
def test_what_is_wrong_is_said(store: Store, variables: dict[str, Any], message: str) -> None:
    assert message in " ".join(store.dbt("build", fails=True, **variables).split())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"nexus_tables": ["customers"]}, "nexus_tables is ['customers']: give a mapping"),
    ({"nexus_histories": "customers"}, "nexus_histories is customers: give a list"),
    ({"nexus_histories": 7}, "nexus_histories is 7: give a list"),
    ({"nexus_histories": ["orders"]}, "nexus_histories names orders, of which nexus_tables has no table"),
    ({"nexus_as_of": "2026-13-01"}, "nexus_as_of is 2026-13-01: give a moment in UTC"),
    ({"nexus_as_of": "2026-03-01T12:00:00+02:00"}, "nexus_as_of is 2026-03-01T12:00:00+02:00: give a moment in UTC"),
    ({"nexus_as_of": 20260301}, "nexus_as_of is 20260301: give a moment in UTC"),
    ({"nexus_as_of": "2026-03-01' or true"}, "nexus_as_of is 2026-03-01' or true: give a moment in UTC"),
]
MOMENTS = ("2026-03-01", "2026-03-01 12:00", "2026-03-01T12:00:00.5")


def test_a_variable_that_is_none_is_refused_by_its_name(store: Store, subtests: pytest.Subtests) -> None:
    each = [variables for variables, _ in WRONG] + [{"nexus_as_of": moment} for moment in MOMENTS]
    answers = store.dbt_takes(each)
    for (variables, message), (went_well, said) in zip(WRONG, answers, strict=False):
        with subtests.test(str(variables)):
            assert not went_well
            assert message in " ".join(said.split())
    assert [went_well for went_well, _ in answers[len(WRONG) :]] == [True] * len(MOMENTS)
