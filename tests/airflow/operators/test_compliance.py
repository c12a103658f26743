"""A compliance round in real runs: what is searched, what is stored of it, what a failure or another try makes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from airflow.sdk import DAG
from sqlalchemy import Engine

from airflow_provider_nexus.extract.protect import treatments
from airflow_provider_nexus.extract.screening import count_hits
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.compliance import (
    NexusCloseScreeningOperator,
    NexusRecordDecisionOperator,
    NexusScreenCustomersOperator,
)
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of, xcom_texts
from tests.airflow.transfers.copies import sql_connection

SECRET = "a secret of 16 characters or more"
NO_PART = {"sort": "ignored", "max_limit": 2}
"""A server that makes it hard to read all pages."""


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with (
        Sandbox(customers=6, transactions=12, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox,
        connection(sandbox, extra={"allow_writes": False, "hash_secret": SECRET}),
    ):
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    running.configure(faults=(), sanctioned=(), ignored_filters=(), sort="honoured", max_limit=None)
    return running


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'evidence.db'}"
    made = sa.create_engine(url)
    with sql_connection(url):
        yield made
    made.dispose()


def screen(round_id: str = "R", **options: Any) -> Any:
    with DAG("compliance", schedule=None) as dag:
        made = NexusScreenCustomersOperator(task_id="screen", sql_conn_id="warehouse", round_id=round_id, **options)
        close = NexusCloseScreeningOperator(task_id="close", sql_conn_id="warehouse", round_id=round_id, trigger_rule="all_done")
        made >> close
    return run_dag(dag)


def rows(engine: Engine, outcome: str = "") -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT * FROM nexus_screening ORDER BY rowid")).mappings()
        return [dict(row) for row in found if row["kind"] != "round" and outcome in ("", row["outcome"])]


def searches(sandbox: Sandbox) -> int:
    return sum(call.path == "/sanction/search" for call in sandbox.calls)


def records(sandbox: Sandbox, resource: str, parent: str = "") -> list[dict[str, Any]]:
    return [json.loads(each) for each in sandbox.truth(resource, parent=parent)]


def expected(sandbox: Sandbox) -> dict[tuple[str, str, str], dict[str, str]]:
    """What has to be searched by customer, kind and code."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for customer in records(sandbox, "customers"):
        code = customer["customerCode"]
        if customer["status"] == "DELETED":
            continue
        born = customer["dateOfBirth"]
        found[code, "customer", code] = {"name": customer["name"], **({"dateOfBirth": born} if born else {})}
        if customer["companyName"]:
            found[code, "company", code] = {"name": customer["companyName"]}
        for person in records(sandbox, "customer_persons", code):
            name = " ".join(filter(None, (person["firstName"], person["lastName"])))
            born = person["dateOfBirth"]
            found[code, "person", person["id"]] = {"name": name, **({"dateOfBirth": born} if born else {})}
    owners = {customer for customer, _, _ in found}
    for account in records(sandbox, "accounts"):
        address = account["customerCryptoAddress"]
        if address and account["accountStatus"] != "DELETED" and account["customerCode"] in owners:
            found[account["customerCode"], "address", account["accountCode"]] = {"cryptoAddress": address}
    return found


@pytest.mark.parametrize("server", [{}, NO_PART, {"ignored_filters": ["customerCode"]}], ids=["plain", "unsorted", "unfiltered"])
def test_all_there_is_is_searched_once_in_a_round(sandbox: Sandbox, engine: Engine, server: dict[str, Any]) -> None:
    wanted = expected(sandbox)
    assert {kind for _, kind, _ in wanted} == {"customer", "company", "person", "address"}
    sandbox.configure(**server)
    run = screen(personal="keep")
    assert run.state == "success"
    assert xcom_of(run, "screen") == []
    stored = rows(engine)
    assert {(row["customer"], row["kind"], row["code"]): json.loads(row["searched"]) for row in stored} == {
        key: {**query, "fuzzySearch": True} for key, query in wanted.items()
    }
    assert len(stored) == len(wanted) == searches(sandbox)
    assert {(row["outcome"], row["lists"], row["environment"], row["try_number"]) for row in stored} == {
        ("clear", '{"EU": "52.0", "OFAC": "52.0", "UN": "52.0"}', "sandbox", 1)
    }
    summary = xcom_of(run, "close")
    assert summary == xcom_of(run, "screen", "summary")
    assert summary["complete"]
    assert summary["clear"] == len(wanted)
    if not server:
        assert screen(personal="keep").state == "success"
        assert rows(engine) == stored
        assert searches(sandbox) == len(wanted)
        assert screen("another round", lists="EU|un").state == "success"
        assert searches(sandbox) == 2 * len(wanted)
        assert json.loads(rows(engine)[-1]["searched"])["lists"] == "EU|un"


def test_hits_are_returned_without_a_name(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    wanted = expected(sandbox)
    address = next(key for key in wanted if key[1] == "address")
    person = next(key for key in wanted if key[1] == "person" and " " in wanted[key]["name"])
    turned = " ".join(reversed(wanted[person]["name"].split()))
    sandbox.configure(sanctioned=[turned, wanted[address]["cryptoAddress"].upper()])
    run = screen()
    assert state_of(run, "close") == "failed"
    found = rows(engine, "hit")
    assert {address, person} <= {(row["customer"], row["kind"], row["code"]) for row in found}
    assert {row["hits"] for row in found} == {'{"EU": 1}', '{"OFAC": 1}'}
    asked = xcom_of(run, "screen")
    assert {each["finding"]: each["customer"] for each in asked} == {f"{row['id']}:1": row["customer"] for row in found}
    assert len(asked) == len(found)
    assert "Entries by list: `EU`: 1." in {line for each in asked for line in each["body"].split("\n\n")}
    # nothing that names somebody is anywhere, and yet it can be shown what was searched
    kept = "".join([(tmp_path / "evidence.db").read_bytes().decode("latin-1"), *xcom_texts(run)])
    names = {text for query in wanted.values() for text in query.values()}
    assert [name for name in names if name.encode().decode("latin-1") in kept or json.dumps(name)[1:-1] in kept] == []
    hashed = treatments(SECRET)["hash"]
    for row in rows(engine):
        query = wanted[row["customer"], row["kind"], row["code"]]
        told = json.loads(row["searched"])
        assert {name: told[name] for name in query} == {
            name: json.loads(hashed(msgspec.json.encode(text))) for name, text in query.items()
        }
        assert row["answer"] is None
    # only so many are asked at once, and the others are not lost
    assert len(xcom_of(screen(limit=1), "screen")) == 1


def test_a_failure_in_the_middle_stores_what_was_answered_and_no_more(sandbox: Sandbox, engine: Engine) -> None:
    wanted = expected(sandbox)
    sandbox.configure(faults=[Fault(kind="status", status=503, path="/sanction/search", first=4, times=-1)])
    run = screen()
    assert (state_of(run, "screen"), state_of(run, "close"), len(rows(engine))) == ("failed", "failed", 3)
    failed = searches(sandbox)
    sandbox.configure(faults=())
    run = screen()
    assert (run.state, searches(sandbox) - failed) == ("success", len(wanted) - 3)
    assert Counter(row["id"] for row in rows(engine)) == Counter({row["id"]: 1 for row in rows(engine)})
    assert len(rows(engine)) == len(wanted)


def test_a_search_is_made_again_when_its_task_died_before_the_row(sandbox: Sandbox, engine: Engine) -> None:
    seen: list[Any] = []

    def die(values: Any) -> dict[str, int]:
        seen.append(values)
        if len(seen) == 5:
            raise SystemExit(9)
        return count_hits(values)

    assert state_of(screen(hits_of=die), "screen") == "failed"
    assert len(rows(engine)) == 4
    assert screen(hits_of=die).state == "success"
    assert searches(sandbox) == len(rows(engine)) + 1 == len(expected(sandbox)) + 1


def test_who_can_not_be_searched_is_listed(sandbox: Sandbox, engine: Engine) -> None:
    names = {
        "long": "N" * 300,
        "quotes": 'Robert\'); "DROP" \\ {{ 7*7 }} %s',
        "script": "Ελένη 李 \u202e\U0001f600",
        "none": None,
    }
    with connection(sandbox, "writer"):
        for code, name in names.items():
            NexusHook("writer").run("POST", "/customer", json={"customerCode": code, "trustLevel": "New", "name": name})
        firm = {"customerCode": "firm", "trustLevel": "New", "isBusiness": True}
        NexusHook("writer").run("POST", "/customer", json=firm)
        NexusHook("writer").run("POST", "/customer/firm/person", json={"types": ["Director"]})
    sandbox.configure(sanctioned=[str(name) for name in names.values() if name])
    sandbox.advance(1)
    run = screen(personal="keep")
    found = {(row["customer"], row["kind"]): row["outcome"] for row in rows(engine) if row["customer"] in {*names, "firm"}}
    assert found == {
        **{(code, "customer"): "hit" for code in ("long", "quotes", "script")},
        ("none", "customer"): "nothing_to_search",
        ("firm", "company"): "nothing_to_search",
        ("firm", "person"): "nothing_to_search",
    }
    titles = {each["customer"]: each["title"] for each in xcom_of(run, "screen")}
    assert titles["none"] == "Nothing to search: none, customer"
    with connection(sandbox, "writer"):  # what is put right in Nexus is searched by the next try
        NexusHook("writer").run("PUT", "/customer/none", json={"name": names["long"]})
    screen(personal="keep")
    assert [(row["attempt"], row["outcome"]) for row in rows(engine) if row["customer"] == "none"] == [
        (1, "nothing_to_search"),
        (2, "hit"),
    ]
    assert [row["attempt"] for row in rows(engine) if row["customer"] == "firm"] == [1, 1]


def test_a_call_that_nexus_never_takes_is_no_hundred_questions(sandbox: Sandbox, engine: Engine) -> None:
    sandbox.configure(faults=[Fault(kind="status", status=400, path="/sanction/search", times=-1)])
    assert state_of(screen(), "screen") == "failed"
    assert [row["outcome"] for row in rows(engine)] == ["refused"] * 5
    sandbox.configure(faults=[Fault(kind="status", status=400, path="/sanction/search", first=2, times=1)])
    run = screen("one is refused")
    assert [each["title"].partition(": ")[0] for each in xcom_of(run, "screen")] == ["Refused search"]
    sandbox.configure(faults=())
    assert screen("one is refused").state == "success"


def test_a_round_of_nobody_is_complete(engine: Engine) -> None:
    with Sandbox(customers=0, transactions=0, clock_speed=0) as nobody, connection(nobody):
        run = screen(personal="drop")
    assert (run.state, xcom_of(run, "screen"), xcom_of(run, "close")["customers"]) == ("success", [], 0)
    assert rows(engine) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lists": "EU,UK"}, "lists has 'UK', and no list of that code is live: EU, OFAC, UN are"),
        ({"round_id": "{{ 'r' * 251 }}"}, "round_id has 251 characters"),
        ({"personal": "{{ 'hide' }}"}, "personal is 'hide'"),
    ],
)
def test_what_can_not_be_is_refused_before_a_search(
    sandbox: Sandbox, engine: Engine, options: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert state_of(screen(**options), "screen") == "failed"
    assert words in capsys.readouterr().out
    assert searches(sandbox) == 0


def test_without_a_secret_nothing_is_hashed_nor_searched(sandbox: Sandbox, engine: Engine) -> None:
    with connection(sandbox, extra={"hash_secret": None}):
        assert state_of(screen(), "screen") == "failed"
    assert searches(sandbox) == 0


def test_a_decision_is_stored_once_by_whoever_made_it(sandbox: Sandbox, engine: Engine) -> None:
    wanted = expected(sandbox)
    sandbox.configure(sanctioned=[next(query["name"] for query in wanted.values() if "name" in query)])
    findings = xcom_of(screen(), "screen")
    assert findings
    moment = datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
    by = {"id": "7", "name": "Ada"}
    answer = {"chosen_options": ["Clear"], "params_input": {"reason": 'no, it\'s "another"'}, "responded_by_user": by}
    with DAG("decides", schedule=None) as dag:
        for place, finding in enumerate([*findings, findings[0]]):
            NexusRecordDecisionOperator(
                task_id=f"record_{place}",
                sql_conn_id="warehouse",
                finding=finding["finding"],
                answer={**answer, "responded_at": moment if place else moment.astimezone().isoformat()},
            )
        for name, given in {
            "unknown": {"finding": "0:1", "answer": {**answer, "responded_at": moment}},
            "odd": {"finding": findings[0]["finding"] + "x", "answer": {**answer, "responded_at": moment}},
            "nobody": {"finding": findings[0]["finding"], "answer": {**answer, "responded_at": None}},
            "several": {
                "finding": findings[0]["finding"],
                "answer": {**answer, "responded_at": moment, "chosen_options": ["Clear", "Block"]},
            },
        }.items():
            NexusRecordDecisionOperator(task_id=name, sql_conn_id="warehouse", **given)
    run = run_dag(dag)
    assert [state_of(run, name) for name in ("unknown", "odd", "nobody", "several")] == ["failed"] * 4
    assert xcom_of(run, "record_0")["decision"] == "Clear"
    with engine.connect() as connection:
        stored = connection.execute(sa.text("SELECT * FROM nexus_screening_decided")).mappings().all()
    assert len(stored) == len(findings)
    assert {(row["decision"], row["decided_by"], row["decided_by_name"], row["inputs"]) for row in stored} == {
        ("Clear", "7", "Ada", json.dumps(answer["params_input"]))
    }
    assert {row["decided_at"] for row in stored} == {"2026-06-02T09:00:00.000000Z"}
    assert screen().state == "success"
    asked = xcom_of(screen("next month"), "screen")
    told = "Decided before: Clear on 2026-06-02 in round `R`. What Nexus answers is "
    assert {told + "the same as then." in each["body"] for each in asked} == {True}
    sandbox.configure(sanctioned=[*sandbox.settings.sanctioned, "x", "y", *sandbox.settings.sanctioned])
    assert {told + "not the same as then." in each["body"] for each in xcom_of(screen("a month later"), "screen")} == {True}
