from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusContractError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.loading import END, READ_AT, START, TABLE, copy_of, later, load, small

pytestmark = pytest.mark.databases
LAST = "(SELECT n FROM (SELECT max(number) AS n FROM nexus_manifest) AS m)"
TAMPERED = [
    ("UPDATE nexus_copy SET status = 'COMPLETED' WHERE _key = 'T1'", "row of key 'T1' was edited"),
    ("UPDATE nexus_copy SET fiat_amount_to_pay = 1 WHERE _key = 'T2'", "row of key 'T2' was edited"),
    ("UPDATE nexus_copy SET created = NULL WHERE _key = 'T2'", "row of key 'T2' was edited"),
    ("DELETE FROM nexus_copy WHERE _key = 'T2'", "records, but"),
    ("UPDATE nexus_copy SET _key = 'T7' WHERE _key = 'T2'", "row of key 'T7' has a record of another key"),
    ("UPDATE nexus_manifest SET manifest = concat(manifest, ' ') WHERE number = 2", "manifest 2 of table nexus_copy was edited"),
    ("UPDATE nexus_manifest SET records = 7 WHERE number = 1", "manifest 1 of table nexus_copy was edited.* columns records"),
    (
        "UPDATE nexus_manifest SET window_end = window_start WHERE number = 2",
        "manifest 2 of table nexus_copy was edited.* columns window_end",
    ),
    (
        "UPDATE nexus_manifest SET read_at = window_start WHERE number = 3",
        "manifest 3 of table nexus_copy was edited.* columns read_at",
    ),
    ("UPDATE nexus_manifest SET sha256 = 'x' WHERE number = 1", "manifest 2 of table nexus_copy does not carry"),
    ("UPDATE nexus_manifest SET previous = 'x' WHERE number = 2", "manifest 2 of table nexus_copy does not carry"),
    ("UPDATE nexus_manifest SET previous = 'x' WHERE number = 1", "manifest 1 of table nexus_copy does not carry"),
    ("DELETE FROM nexus_manifest WHERE number = 1", "manifest 2 of table nexus_copy should be number 1"),
    ("DELETE FROM nexus_manifest WHERE number = 2", "manifest 3 of table nexus_copy should be number 2"),
    (f"DELETE FROM nexus_manifest WHERE number = {LAST}", "had 3 loads, but its last manifest is number 2"),
    ("UPDATE nexus_manifest SET manifest = 'x' WHERE number = 3", "manifest 3 of table nexus_copy can't be read"),
]


def loaded(engine: Engine, output: Any = "current") -> Any:
    copy = copy_of(engine, output=output)
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated")), label="a")
    load(copy, small(("T1", "Completed"), read_at=later(1)), label="b")
    load(copy, small(("T3", "Completed"), read_at=later(2)), label="c")
    return copy


def tamper(engine: Engine, statement: str) -> None:
    if engine.dialect.name == "sqlite":
        statement = statement.replace("concat(manifest, ' ')", "manifest || ' '")
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement)).rowcount


@contextmanager
def taking_back(engine: Engine) -> Iterator[Callable[[], None]]:
    """Puts all rows back as they are now, whenever it is called; to load them anew would take longer."""
    names = [name for name in sa.inspect(engine).get_table_names() if name.startswith("nexus_")]

    def run(*statements: str) -> None:
        with engine.begin() as connection:
            for name in names:
                for each in statements:
                    connection.execute(sa.text(each.format(name=name)))

    run("CREATE TABLE as_it_was_{name} AS SELECT * FROM {name}")
    yield lambda: run("DELETE FROM {name}", "INSERT INTO {name} SELECT * FROM as_it_was_{name}")
    run("DROP TABLE as_it_was_{name}")


@pytest.mark.parametrize("output", ["current", "history"])
def test_tampering_is_found(engine: Engine, output: Any, subtests: pytest.Subtests) -> None:
    copy = loaded(engine, output)
    checked = copy.check()
    assert (checked.problems, checked.manifests) == ((), 3)
    assert checked.records == (3 if output == "current" else 4)
    with taking_back(engine) as take_back:
        for statement, said in TAMPERED:
            with subtests.test(statement):
                tamper(engine, statement)
                assert any(re.search(said, line) for line in copy.check().problems)
            take_back()
            assert copy.check().problems == ()


def test_a_row_that_was_added_is_found(engine: Engine) -> None:
    copy, columns = loaded(engine), "_read_at, _read_by, _content, transaction_code"
    tamper(engine, f"INSERT INTO nexus_copy (_key, {columns}) SELECT 'T0', {columns} FROM nexus_copy WHERE _key = 'T1'")
    assert any("has 4 records, but 3" in line for line in copy.check().problems)


def test_a_version_that_was_taken_out_of_a_history_is_found(engine: Engine) -> None:
    copy = loaded(engine, "history")
    tamper(engine, "DELETE FROM nexus_copy WHERE _key = 'T1' AND _load = 1")
    assert copy.check().problems == ("table nexus_copy: has 3 versions, but 4 after its last load",)


def test_a_table_that_is_not_there_is_a_problem(engine: Engine) -> None:
    assert copy_of(engine).check().problems == ("table nexus_copy is not there",)


FORGED: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda told: told["proof"].update(unique=7), "its verdict is 'proved', and 7 unique records"),
    (lambda told: told["proof"].update(unique=7, total_first=7, total_last=7), "its proof is of 7 records"),
    (lambda told: told["proof"].update(verdict="sure"), "its proof's verdict is 'sure'"),
    (lambda told: told["schema"].update(fields=["x"]), "its schema's fingerprint is not that of its fields"),
    (lambda told: told.update(read_by="created"), "it was read by 'created'"),
    (lambda told: told.update(environment="production"), "its environment is 'production'"),
    (lambda told: told.update(previous="0" * 64), "its text says something else than its columns previous"),
    (lambda told: told["load"].update(base_url="https://x"), "its text says something else than its columns base_url"),
    (lambda told: told.pop("state"), "can't be read"),
    (lambda told: told.pop("proof"), "can't be read"),
    (lambda told: told.update(manifest_version=3), "as it is of version 3: upgrade the provider"),
]


def test_a_manifest_with_a_digest_of_its_own_can_t_contradict_itself(engine: Engine, subtests: pytest.Subtests) -> None:
    """Whoever edits the last manifest can make its digest anew: what it says must agree all the same."""
    loaded(engine)
    stored = open_table(engine, TABLE)
    with taking_back(engine) as take_back:
        for forge, said in FORGED:
            assert verify_table(stored).problems == ()
            with subtests.test(said):
                forged(engine, forge)
                (problem,) = verify_table(stored).problems
                assert f"manifest 3 of table {TABLE}" in f"{problem.where}: {problem.what}"
                assert said in problem.what
            take_back()


def forged(engine: Engine, forge: Callable[[dict[str, Any]], object]) -> None:
    with engine.begin() as connection:
        told = json.loads(connection.execute(sa.text("SELECT manifest FROM nexus_manifest WHERE number = 3")).scalar_one())
        forge(told)
        text = json.dumps(told)
        values = {"text": text, "digest": hashlib.sha256(text.encode()).hexdigest()}
        connection.execute(sa.text("UPDATE nexus_manifest SET manifest = :text, sha256 = :digest WHERE number = 3"), values)


OWNER = {
    "resource": ("customers", "the resource 'customers', and manifests have 'transactions'"),
    "environment": ("production", "the environment 'production', and manifests have 'test'"),
    "base_url": ("https://api.quantoznexus.com", "the base_url .*, and manifests have 'https://testapi.quantoznexus.com'"),
    "output": ("history", "the output 'history', and manifests have 'current'"),
}


@pytest.mark.parametrize("member", OWNER)
def test_what_the_table_is_of_is_compared_with_its_manifests(member: str) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    copy, (value, said) = loaded(engine), OWNER[member]
    assert verify_table(copy).problems == ()
    tamper(engine, f"UPDATE nexus_table SET {member} = '{value}'")
    (problem,) = verify_table(copy).problems
    assert re.search(f"nexus_table has {said}: take it back from a backup", problem.what)


def test_a_manifest_that_can_t_be_read_is_refused_by_its_own_name(engine: Engine) -> None:
    copy = loaded(engine)
    tamper(engine, "UPDATE nexus_manifest SET manifest = 'x' WHERE number = 3")
    with pytest.raises(
        NexusContractError, match=r"^the manifest in nexus_manifest of load 3 of table nexus_copy can't be read"
    ) as caught:
        load(copy, small(("T1", "Completed"), read_at=later(3)), label="d")
    assert "_manifest.json" not in str(caught.value)


def test_windows_that_are_noted_wrong_are_found_and_made_good(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")), label="a")
    load(copy, [], label="b", window=Window(END, END + timedelta(days=1)), read_at=later(1))
    noted = [(Window(START, END), READ_AT), (Window(END, END + timedelta(days=1)), later(1))]
    assert copy.windows() == noted
    tamper(engine, "UPDATE nexus_table SET windows = replace(windows, '2026-03-01T12', '2026-03-01T11')")
    assert copy.windows() != noted
    (problem,) = verify_table(copy).problems
    assert "nexus_table has other windows of nexus_copy than the manifests: empty its column windows" in problem.what
    assert "all manifests are read" not in caplog.text
    for text in ("", "{", "[1]", '{"loads": 1, "windows": []}'):
        tamper(engine, f"UPDATE nexus_table SET windows = '{text}'")
        caplog.clear()
        assert copy.windows() == noted
        assert "all manifests are read" in caplog.text
        assert verify_table(copy).problems == ()
    load(copy, small(("T1", "Completed"), read_at=later(2)), label="a2", feed="reread")
    caplog.clear()
    assert copy.windows() == [noted[1], (Window(START, END), later(2))]
    assert caplog.text == ""


def test_verify_names_a_bookkeeping_table_that_is_missing(engine: Engine) -> None:
    copy = loaded(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE nexus_manifest"))
    assert any("table nexus_manifest is not there" in problem.what for problem in verify_table(copy).problems)


@pytest.mark.parametrize(
    ("output", "values"), [("current", {"_read_at": later(500)}), ("history", {"_load": 99}), ("history", {"_load": 0})]
)
def test_rows_that_claim_to_be_of_no_load_are_found(engine: Engine, output: Any, values: dict[str, Any]) -> None:
    """They would be taken for newer than all that is read, or for the current version, for ever."""
    copy = loaded(engine, output)
    assert copy.check().problems == ()
    data = copy.model.data
    with engine.begin() as connection:
        assert connection.execute(sa.update(data).where(data.c["_key"] == "T2").values(**values)).rowcount == 1
    (problem,) = copy.check().problems
    assert f"row of key 'T2' was edited: its {next(iter(values))} is of no load" in problem
    with engine.begin() as connection:
        if output == "history":
            connection.execute(sa.update(data).where(data.c["_key"] == "T2").values(_load=1))
        else:
            connection.execute(sa.delete(data).where(data.c["_key"] == "T2"))
    load(copy, small(("T1", "Initiated"), ("T2", "Initiated"), read_at=later(4)), label="a")
    assert copy.check().problems == ()
