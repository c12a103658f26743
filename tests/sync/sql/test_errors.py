"""What a database says no to is one sentence that says what to do, and its class says whether another try may help."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.sync.sql import sessions
from airflow_provider_nexus.sync.table.copy import Scope
from airflow_provider_nexus.sync.verify.table import open_table
from tests.sync.sql.databases import Databases
from tests.sync.sql.loading import copy_of, dump, later, load, small

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


def test_a_login_that_may_not_write(server: Engine) -> None:
    load(copy_of(server), small(("T1", "Initiated")))
    mysql = "GRANT SELECT, CREATE TEMPORARY TABLES ON {db}.* TO {who}"
    engine = grants(server, mysql if server.dialect.name == "mysql" else "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {who}")
    before = dump(server)
    with pytest.raises(NexusConfigurationError, match="the connection's login may not do that: grant it"):
        load(copy_of(engine), small(("T2", "Initiated"), read_at=later(1)))
    assert dump(server) == before
    assert open_table(engine, "nexus_copy").copy.check().problems == ()


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
    assert open_table(server, "nexus_copy").copy.check().problems == ()


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
            load(copy_of(full), big, Scope())
        assert copy_of(engine).check().problems == ()
        (tmp_path / "text.db").write_text("no database at all, but some text" * 100)
        refused(at(f"sqlite:///{tmp_path / 'text.db'}"), NexusConfigurationError, "is no database of SQLite")
