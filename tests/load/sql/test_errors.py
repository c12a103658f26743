"""What a database says no to is one sentence that says what to do, and its class says whether another try may help."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.extract.window import ALL_TIME
from airflow_provider_nexus.load.sql import sessions
from airflow_provider_nexus.load.sql.errors import _as_ours
from airflow_provider_nexus.verify.tables import open_table
from tests.load.sql.databases import Databases, count_statements
from tests.load.sql.loading import copy_of, dump, later, load, small

pytestmark = pytest.mark.databases
SERVERS = ("postgresql+psycopg", "postgresql+psycopg2", "mysql+pymysql")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    made = sa.create_engine(databases.url(request.param, tmp_path), poolclass=NullPool)
    yield made
    made.dispose()


def refused(engine: Engine, kind: type[NexusError], words: str) -> None:
    """By every entry that connects."""
    for use in (copy_of(engine).prepare, lambda: load(copy_of(engine), []), lambda: open_table(engine, "nexus_copy")):
        with pytest.raises(kind, match=words) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "Background on this error" not in str(caught.value)


DOORS = [
    ({"port": 1}, NexusStorageError, "can't be reached: check the connection's host and port"),
    ({"database": "nowhere"}, NexusConfigurationError, "the database that the connection names is not there"),
    ({"username": "stranger"}, NexusConfigurationError, "put its login and password right"),
]


@pytest.mark.parametrize(("changed", "kind", "words"), DOORS)
def test_a_closed_door_is_typed(server: Engine, changed: dict[str, Any], kind: type[NexusError], words: str) -> None:
    refused(sa.create_engine(server.url.set(**changed), poolclass=NullPool), kind, words)


def grants(server: Engine, *statements: str) -> Engine:
    """The same database by a login of few rights."""
    name, is_mysql = f"u{server.url.database}"[:16], server.dialect.name == "mysql"
    made = f"CREATE USER {name}@'127.0.0.1'" if is_mysql else f"CREATE USER {name}"
    with server.begin() as connection:
        for statement in (made, *statements):
            connection.execute(sa.text(statement.format(who=f"{name}@'127.0.0.1'" if is_mysql else name, db=server.url.database)))
    return sa.create_engine(server.url.set(username=name), poolclass=NullPool)


def test_a_login_that_may_not_make_tables(server: Engine) -> None:
    engine = grants(server, "GRANT SELECT ON {db}.* TO {who}" if server.dialect.name == "mysql" else "SELECT 1")
    with pytest.raises(NexusConfigurationError, match="the connection's login may not do that: grant it"):
        copy_of(engine).prepare()
    assert sa.inspect(server).get_table_names() == []


def test_a_login_that_may_do_what_the_docs_list(server: Engine) -> None:
    rights = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES, CREATE, INDEX, CREATE VIEW"
    mysql = f"GRANT {rights} ON {{db}}.* TO {{who}}"
    engine = grants(server, mysql if server.dialect.name == "mysql" else "GRANT CREATE ON SCHEMA public TO {who}")
    load(copy_of(engine), small(("T1", "Initiated")))
    load(copy_of(engine), small(("T1", "Completed"), read_at=later(1)))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT status FROM nexus_copy_records")).scalars().all() == ["Completed"]


def test_a_login_that_may_not_write(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    mysql = "GRANT SELECT, CREATE TEMPORARY TABLES ON {db}.* TO {who}"
    engine = grants(server, mysql if server.dialect.name == "mysql" else "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {who}")
    before = dump(server)
    with pytest.raises(NexusConfigurationError, match="the connection's login may not do that: grant it"):
        load(copy_of(engine), small(("T2", "Initiated"), read_at=later(1)))
    assert dump(server) == before
    assert open_table(engine, "nexus_copy").check().problems == ()


def test_a_server_that_takes_no_changes(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    command = "SET SESSION TRANSACTION READ ONLY" if server.dialect.name == "mysql" else "SET default_transaction_read_only TO on"

    @sa.event.listens_for(server, "connect")
    def connect(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(command)
        cursor.close()
        connection.commit()  # type: ignore[attr-defined]

    with pytest.raises(NexusStorageError, match="the database takes no changes"):
        load(copy_of(server), small(("T2", "Initiated"), read_at=later(1)))
    assert open_table(server, "nexus_copy").check().problems == ()


@contextmanager
def held(engine: Engine) -> Iterator[None]:
    """Another session's lock on the books."""
    with engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE nexus_table SET loads = loads"))
        yield


def test_locks_that_are_held_too_long_may_be_gone_at_the_next_try(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    mysql = server.dialect.name == "mysql"
    given = {"init_command": "SET innodb_lock_wait_timeout = 1"} if mysql else {"options": "-c lock_timeout=100"}
    hurried = sa.create_engine(server.url, poolclass=NullPool, connect_args=given)
    with held(server), pytest.raises(NexusStorageError, match="another session holds locks on it for too long"):
        load(copy_of(hurried), small(("T2", "Initiated"), read_at=later(1)))
    assert load(copy_of(hurried), small(("T2", "Initiated"), read_at=later(1))).inserted == 1


def with_settings(server: Engine, postgresql: str, mysql: str) -> Engine:
    """The same database with time-outs set for each session."""
    given = {"init_command": f"SET {mysql}"} if server.dialect.name == "mysql" else {"options": f"-c {postgresql}"}
    return sa.create_engine(server.url, poolclass=NullPool, connect_args=given)


def brings(statement: str) -> bool:
    """Whether it brings rows into the table, in a load's last transaction."""
    return statement.startswith("INSERT") and "nexus_copy" in statement


def test_a_statement_that_takes_too_long_is_no_lock_of_another_session(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    hurried = with_settings(server, "statement_timeout=200", "max_statement_time = 0.2")
    with held(server), pytest.raises(NexusStorageError, match="took longer than the database allows: raise statement_timeout"):
        load(copy_of(hurried), small(("T2", "Initiated"), read_at=later(1)))


def test_a_session_that_is_ended_for_its_silence_says_which_settings_do_that(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    hurried = with_settings(server, "idle_in_transaction_session_timeout=100", "idle_transaction_timeout = 1")
    count_statements(hurried, lambda statement: time.sleep(1.5) if brings(statement) else None)
    said = "idle_transaction_timeout" if server.dialect.name == "mysql" else "idle_in_transaction_session_timeout"
    with pytest.raises(NexusStorageError, match=said):
        load(copy_of(hurried), small(("T2", "Initiated"), read_at=later(1)))
    assert load(copy_of(server), small(("T2", "Initiated"), read_at=later(1))).inserted == 1


def test_a_session_that_somebody_ends_is_to_be_run_again(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    ended = sa.create_engine(server.url, poolclass=NullPool)
    is_mysql = server.dialect.name == "mysql"

    def end(statement: str) -> None:
        if brings(statement):
            with server.connect() as other:
                others = "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND user = 'root' AND db = "
                for number in other.execute(sa.text(f"{others}'{server.url.database}'")).scalars() if is_mysql else ():
                    other.execute(sa.text(f"KILL {number}"))
                if not is_mysql:
                    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
                    other.execute(sa.text(f"{query}current_database()")).all()

    count_statements(ended, end)
    with pytest.raises(NexusStorageError, match="run it again"):
        load(copy_of(ended), small(("T2", "Initiated"), read_at=later(1)))


def test_two_loads_that_wait_for_each_other_are_no_locks_that_are_held(server: Engine) -> None:
    """One holds the books and wants the rows, the other the rows and then the books."""
    load(copy_of(server), small(("T1", "Initiated")))
    waiting = sa.create_engine(server.url, poolclass=NullPool)
    with server.connect() as other, ThreadPoolExecutor(1) as pool:
        asked: list[Future[Any]] = []

        def meet(statement: str) -> None:
            if statement.startswith("UPDATE") and "nexus_copy" in statement and not asked:
                other.execute(sa.text("UPDATE nexus_copy SET status = status"))
                asked.append(pool.submit(other.execute, sa.text("UPDATE nexus_table SET loads = loads")))

        count_statements(waiting, meet)
        failed = []
        try:
            load(copy_of(waiting), small(("T1", "Completed"), read_at=later(1)))
        except NexusStorageError as error:
            failed.append(str(error))
        try:
            asked[0].result()
        except sa.exc.DBAPIError as error:
            failed.append(str(_as_ours("x", error)))
    (said,) = failed
    assert "waited for each other" in said


def test_a_file_of_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE_MS", 50)
    path = tmp_path / "x.db"
    with ExitStack() as opened:

        def at(url: str) -> Engine:
            engine = sa.create_engine(url, poolclass=NullPool)
            opened.callback(engine.dispose)
            return engine

        refused(at(f"sqlite:///{tmp_path / 'no folder' / 'x.db'}"), NexusConfigurationError, "can't be opened or written")
        engine = at(f"sqlite:///{path}")
        load(copy_of(engine), small(("T1", "Initiated")))
        reader = at(f"sqlite:///file:{path}?mode=ro&uri=true")
        with pytest.raises(NexusConfigurationError, match="can't be opened or written"):
            load(copy_of(reader), small(("T2", "Initiated"), read_at=later(1)))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        refused(engine, NexusStorageError, "another session holds locks")
        other.close()
        full = at(f"sqlite:///{path}")
        sa.event.listen(full, "connect", lambda made, _: made.execute("PRAGMA max_page_count = 1"))
        big = small(*((f"{number:0200}", "Initiated") for number in range(3000)), read_at=later(1))
        with pytest.raises(NexusStorageError, match="its disk is full"):
            load(copy_of(full), big, ALL_TIME)
        assert copy_of(engine).check().problems == ()
        (tmp_path / "text.db").write_text("no database at all, but some text" * 100)
        refused(at(f"sqlite:///{tmp_path / 'text.db'}"), NexusConfigurationError, "is no database of SQLite")
