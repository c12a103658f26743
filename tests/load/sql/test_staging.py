"""Rows that PostgreSQL's COPY brings are those that went out, and what it says no to is said without their values."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.load.copy import TableRow
from tests.load.sql.databases import Databases
from tests.load.sql.loading import copy_of, dump, load, rows_of, sealed, small, stored, transaction, truth

pytestmark = pytest.mark.databases
DRIVERS = ("postgresql+psycopg", "postgresql+psycopg2")
SECRET = "SECRET"
BEFORE = small(("T1", "Initiated"))


@pytest.fixture(params=DRIVERS)
def postgresql(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    made = sa.create_engine(databases.url(request.param, tmp_path), poolclass=NullPool)
    load(copy_of(made), BEFORE)
    yield made
    made.dispose()


def secrets(number: int, text: str = SECRET) -> list[TableRow]:
    return rows_of([transaction(f"{text}-{place}", text, comment=text) for place in range(number)])


def when_staged(engine: Engine, *statements: str) -> None:
    """Have the session of a load run statements once its table for the rows is made, whose name takes the place of STAGED."""

    @sa.event.listens_for(engine, "after_cursor_execute")
    def after(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.strip().startswith("CREATE TEMPORARY TABLE"):
            for each in statements:
                connection.exec_driver_sql(each.replace("STAGED", statement.split()[3]))


def refused(engine: Engine, rows: list[TableRow], words: str, caplog: pytest.LogCaptureFixture) -> None:
    refused_batches(engine, [rows], words, caplog)


def refused_batches(engine: Engine, batches: Iterable[list[TableRow]], words: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is stored, and nobody is told a value: not by the error, by what it came from, or by the log."""
    caplog.set_level("DEBUG")
    before = [dump(engine, name) for name in ("nexus_copy", "nexus_manifest")]
    with pytest.raises(NexusStorageError, match=f"The database could not load table nexus_copy.*{words}") as caught:
        copy_of(engine, batch=5000).apply(batches, None, lambda: sealed([]))
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "\n" not in str(caught.value)
    assert [dump(engine, name) for name in ("nexus_copy", "nexus_manifest")] == before


def test_a_value_that_is_too_long(postgresql: Engine, caplog: pytest.LogCaptureFixture) -> None:
    rows = [("x" * 256 + SECRET, *BEFORE[0][1:])]
    refused(postgresql, rows, r"value too long for type character varying\(255\)", caplog)


@pytest.mark.parametrize("text", ["\udc00", "\0"])
def test_text_that_postgresql_can_not_store(postgresql: Engine, text: str, caplog: pytest.LogCaptureFixture) -> None:
    row = BEFORE[0]
    refused(postgresql, [(SECRET + text, *row[1:])], "no Unicode|invalid byte sequence|NUL", caplog)


def test_a_key_that_comes_twice(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    load(copy_of(engine), BEFORE)
    refused(engine, [*secrets(1), *secrets(1)], "UniqueViolation|IntegrityError", caplog)


def test_a_statement_that_takes_too_long(postgresql: Engine, caplog: pytest.LogCaptureFixture) -> None:
    when_staged(
        postgresql,
        "CREATE FUNCTION pg_temp.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$",
        "CREATE TRIGGER slow BEFORE INSERT ON STAGED FOR EACH ROW EXECUTE FUNCTION pg_temp.slow()",
        "SET statement_timeout = 300",
    )
    refused(postgresql, secrets(1), "raise statement_timeout", caplog)


FAILURES = {
    "53100": ("could not extend file: No space left on device", "its disk is full: make room"),
    "57P01": ("terminating connection", "the database ended the statement or the session"),
    "XX000": (f"it is \"a\"{SECRET}\"b\" and 'a''{SECRET}'''", "InternalError_?: it is ... and ..."),
}


@pytest.mark.parametrize("code", FAILURES)
def test_what_a_server_fails_with(postgresql: Engine, code: str, caplog: pytest.LogCaptureFixture) -> None:
    said, words = FAILURES[code]
    body = f"RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = $m${said}$m$, DETAIL = NEW.status"
    when_staged(
        postgresql,
        f"CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON STAGED FOR EACH ROW EXECUTE FUNCTION pg_temp.fail()",
    )
    refused(postgresql, secrets(2), words, caplog)


def test_a_connection_that_breaks_between_two_batches(postgresql: Engine, caplog: pytest.LogCaptureFixture) -> None:
    def batches() -> Iterator[list[TableRow]]:
        yield secrets(5000)
        with postgresql.connect() as other:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
            assert other.execute(sa.text(f"{query}current_database()")).all()
        yield secrets(1, f"{SECRET}-X")

    refused_batches(postgresql, batches(), "run it again", caplog)


ODD = (
    "",
    "\\N",
    "\\.",
    "\\",
    "\\\\n",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\u2028\x0b\x0c\x85\x1f",
    "None",
    "'\"",
    " ",
    "\ufeff\U0001f600",
)


def test_every_text_comes_back_as_it_was(postgresql: Engine) -> None:
    raws = [transaction(f"{place}{text}", text, comment=text or None, amounts={text: text}) for place, text in enumerate(ODD)]
    rows, copy = rows_of([*raws, *truth("transactions")]), copy_of(postgresql, batch=7)
    load(copy, rows)
    back = {row[0]: row for row in stored(postgresql, copy) if row[0] != "T1"}
    assert back == {row[0]: row for row in rows}
    assert all(str(back[row[0]]) == str(row) for row in rows), "digits and kinds, too"
    assert copy.check().problems == ()


def test_a_driver_that_has_no_place_in_its_statements_for_a_row(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}", paramstyle="named", poolclass=NullPool)
    rows, copy = rows_of(truth("transactions")), copy_of(engine)
    load(copy, rows)
    assert {row[0]: row for row in stored(engine, copy)} == {row[0]: row for row in rows}
