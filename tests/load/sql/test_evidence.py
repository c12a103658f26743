"""The evidence of a screening is only added to, once each, on every database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.sql.evidence import Evidence, evidence_id

pytestmark = pytest.mark.databases
NOW = datetime(2026, 6, 2, 12, 30, 15, 123456, tzinfo=UTC)
HOSTILE = "李 \U0001f600 'x'; DROP TABLE nexus_screening; -- \"%s\" {{ 7 }} " + "z" * 300


def row(customer: str, outcome: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": evidence_id("R", customer),
        "attempt": attempt,
        "round": "R",
        **{"customer": customer, "kind": "customer", "code": customer, "due": "never reviewed", "note": None},
        **{"outcome": outcome, "lists": '{"EU": "52.0"}', "searched": json.dumps({"name": HOSTILE}), "hits": '{"EU": 1}'},
        **{"answer": None, "answer_sha256": "0" * 64, "searched_at": NOW, "environment": "test"},
        **{"dag_id": "d", "run_id": "r", "task_id": "t", "try_number": 1},
        **changes,
    }


def decision(search: dict[str, Any], words: str, moment: datetime) -> dict[str, Any]:
    keys = {name: search[name] for name in ("id", "attempt", "round")}
    run = {"dag_id": "d", "run_id": "r", "task_id": "t"}
    return {**keys, "decision": words, "decided_by": "7", "decided_by_name": None, "inputs": "{}", "decided_at": moment} | (
        {"recorded_at": NOW} | run
    )


def test_rows_are_added_once_and_the_last_one_counts(engine: Engine) -> None:
    evidence = Evidence(engine, "nexus_screening")
    evidence.prepare()
    evidence.prepare()
    hostile, clear = row(HOSTILE, "hit"), row("a", "clear")
    assert [evidence.add(each) for each in (hostile, clear, clear, row("A", "refused"), row("a ", "nothing_to_search"))] == [
        *(True, True, False, True, True)
    ]
    assert evidence.add(row("A", "clear", attempt=2))
    assert evidence.add(row("b", "unclear", round="other", id=evidence_id("other")))
    assert [each["customer"] for each in evidence.undecided("R")] == [
        each["customer"] for each in sorted((hostile, row("a ", "")), key=lambda each: each["id"])
    ]
    assert evidence.known("R", "test")[evidence_id("R", "A")] == (2, "clear")
    stored = evidence.search(hostile["id"], 1)
    assert stored == hostile
    assert stored["searched_at"].tzinfo is not None
    assert evidence.search(hostile["id"], 2) is None
    # decided, as somebody in another zone sees it, and again later
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert [evidence.decide(decision(hostile, "Clear", each)) for each in (east, NOW)] == [True, False]
    assert evidence.decide(decision(hostile, "Block", NOW + timedelta(seconds=1)))
    assert [each["customer"] for each in evidence.undecided("R")] == ["a "]
    assert evidence.summary("R") == {
        **{"round": "R", "complete": False, "customers": 4, "hit": 1, "clear": 2, "nothing_to_search": 1},
        **{"unclear": 0, "refused": 0, "deleted": 0},
        **{"undecided": 1, "decisions": {"Block": 1}},
    }
    assert evidence.summary("none")["customers"] == 0
    assert evidence.earlier("R") == {}
    (before,) = evidence.earlier("other").values()
    assert (before["customer"], before["decision"], before["decided_at"]) == (HOSTILE, "Block", NOW + timedelta(seconds=1))
    with pytest.raises(NexusConfigurationError, match="of the environment test, not production"):
        evidence.known("R", "production")


def test_it_needs_no_right_but_to_read_and_to_add(databases: Any, tmp_path: Any) -> None:
    url = sa.make_url(databases.url("postgresql+psycopg", tmp_path))
    owner = sa.create_engine(url)
    Evidence(owner, "nexus_screening").prepare()
    name = f"auditor_{url.database}"
    with owner.begin() as connection:
        connection.execute(sa.text(f"CREATE ROLE {name} LOGIN"))
        for table in ("nexus_screening", "nexus_screening_decided"):
            connection.execute(sa.text(f"GRANT SELECT, INSERT ON {table} TO {name}"))
    engine = sa.create_engine(url.set(username=name))
    evidence = Evidence(engine, "public.nexus_screening")
    evidence.prepare()
    assert evidence.add(row("c", "hit"))
    assert not evidence.add(row("c", "hit"))
    assert evidence.decide(decision(row("c", "hit"), "Clear", NOW))
    assert evidence.summary("R")["decisions"] == {"Clear": 1}
    for statement in ("UPDATE nexus_screening SET outcome = 'clear'", "DELETE FROM nexus_screening_decided"):
        with pytest.raises(sa.exc.ProgrammingError), engine.begin() as connection:
            connection.execute(sa.text(statement))
    engine.dispose()
    owner.dispose()


@pytest.mark.parametrize("name", ["", "x" * 56, "a.b.c", "nexus_manifest", "n; DROP TABLE x"])
def test_a_name_that_no_database_takes_is_refused(name: str) -> None:
    with pytest.raises(NexusConfigurationError, match="table is"):
        Evidence(sa.create_engine("sqlite://"), name)
