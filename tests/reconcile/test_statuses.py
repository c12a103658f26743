"""A status that the copy has and Nexus can't have had is no matter of timing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.reconcile.reconciled import BALANCES, CUSTOMERS
from tests.extract.serving import client_of
from tests.load.storing import put
from tests.reconcile.worlds import World, world

NAMES = ("transactions",)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Engine]]:
    root = tmp_path_factory.mktemp("statuses")
    engine = sa.create_engine(f"sqlite:///{root / 'copy.db'}")
    with world(root, lives="long", transactions=600) as made:
        made.load(engine, NAMES)
        yield made, engine
    engine.dispose()


@pytest.mark.parametrize(("was", "becomes"), [("COMPLETED", "CANCELLED"), ("CANCELLED", "COMPLETED"), ("COMPLETED", "Initiated")])
@pytest.mark.parametrize("number", [1, 5])
def test_statuses_changed_by_hand_differ(stored: tuple[World, Engine], was: str, becomes: str, number: int) -> None:
    made, engine = stored
    chosen = "balance_mutation_crypto IS NOT NULL AND created < '2026-02-01' ORDER BY _key LIMIT :number"
    keys = f"SELECT _key FROM transactions WHERE status = :was AND {chosen}"
    with engine.begin() as connection:
        found = [key for (key,) in connection.execute(sa.text(keys), {"was": was, "number": number})]
        change = sa.text("UPDATE transactions SET status = :status WHERE _key = :key")
        connection.execute(change, [{"status": becomes, "key": key} for key in found])
    try:
        assert len(found) == number
        differing = made.reconcile(made.tables(engine, NAMES)).differences
        assert {line.book for line in differing} == {BALANCES, CUSTOMERS}
        if becomes == "CANCELLED":
            named = {each.record for line in differing for each in line.explanations}
            assert named >= set(found)
            assert any("another status in the copy" in each.why for line in differing for each in line.explanations)
    finally:
        with engine.begin() as connection:
            connection.execute(change, [{"status": was, "key": key} for key in found])
    assert made.reconcile(made.tables(engine, NAMES)).is_fine


def test_a_window_that_was_never_read_again_differs(tmp_path: Path) -> None:
    """What was in flight when it was read and is completed by the moment is not in its sums."""
    with world(tmp_path, hours=0, lives="long", transactions=600) as made:
        made.put("jsonl", 1, NAMES)
        made.sandbox.advance(20 * 86_400)
        later, client = made.end + timedelta(days=20), client_of(made.sandbox)
        put(client, tmp_path / "jsonl", "transactions", RequestedWindow(made.end, later, "arguments"), settle_lag=timedelta(0))
        client.session.close()
        differing = made.reconcile(made.files("jsonl", NAMES)).differences
        assert {line.book for line in differing} == {BALANCES, CUSTOMERS}
        assert all("or capture changes" in each.why for line in differing if line.book == CUSTOMERS for each in line.explanations)
        # at the moment that the first window was read up to, its records were as they are in it
        assert made.reconcile(made.files("jsonl", NAMES), moment=made.end).is_fine
