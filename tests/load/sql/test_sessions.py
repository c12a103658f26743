"""What a server, a database or a login sets for its sessions changes nothing in ours, and ours nothing in the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import RowReader
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.copy import Reject, RejectedRecord
from airflow_provider_nexus.load.rejects import Rejects
from airflow_provider_nexus.load.rows import TableConverter
from airflow_provider_nexus.load.sql.sessions import PATIENCE_MS, session
from airflow_provider_nexus.replay.rejected import replay_table
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.databases import Databases
from tests.load.sql.loading import END, READ_AT, START, copy_of, load, rows_of, small, stored, transaction

pytestmark = pytest.mark.databases
DRIVERS = ("postgresql+psycopg", "postgresql+psycopg2")
ZONES = ("Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati")
ENDS = [
    transaction("min", confirmed="0001-01-01T00:00:00Z"),
    transaction("max", confirmed="9999-12-31T23:59:59.999999Z"),
    transaction("\U0001f600 \u00fc", confirmed="2026-03-29T01:30:00Z"),
]


def held_and_well(engine: Engine) -> None:
    rows, copy = rows_of(ENDS), copy_of(engine)
    load(copy, rows, Window(START, END))
    assert {row[0]: row for row in rows} == {row[0]: row for row in stored_by_us(engine)}
    assert verify_table(open_table(engine, "nexus_copy")).problems == ()
    assert copy.windows() == [(Window(START, END), READ_AT)]
    assert set(copy.unsettled()) == {row[0] for row in rows}


def stored_by_us(engine: Engine) -> list[tuple[object, ...]]:
    with session(engine) as connection:
        return [tuple(row) for row in connection.execute(sa.select(copy_of(engine).model.data))]


@pytest.fixture(params=DRIVERS)
def postgresql(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Engine]:
    made = sa.create_engine(databases.url(request.param, tmp_path))
    yield made
    made.dispose()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("by", ["database", "environment", "options"])
def test_no_zone_of_the_session_changes_a_moment(postgresql: Engine, monkeypatch: pytest.MonkeyPatch, zone: str, by: str) -> None:
    name, engine = postgresql.url.database, postgresql
    if by == "database":
        with postgresql.begin() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {name} SET timezone TO '{zone}'"))
            connection.execute(sa.text(f"ALTER DATABASE {name} SET datestyle TO 'German'"))
        postgresql.dispose()
    elif by == "environment":
        monkeypatch.setenv("PGTZ", zone)
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    else:
        given = {"options": f"-c TimeZone={zone}", "client_encoding": "LATIN1"}
        engine = sa.create_engine(postgresql.url, connect_args=given)
    held_and_well(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW TimeZone").scalar_one() == zone
    engine.dispose()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_a_narrow_encoding_is_refused_before_anything_is_made(postgresql: Engine, encoding: str) -> None:
    name = f"d{uuid.uuid4().hex[:16]}"
    with postgresql.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"))
    narrow = sa.create_engine(postgresql.url.set(database=name))
    for use in (lambda: load(copy_of(narrow), rows_of(ENDS)), copy_of(narrow).check, lambda: open_table(narrow, "nexus_copy")):
        with pytest.raises(NexusConfigurationError, match=f"{encoding}.*give sql_conn_id the connection of a database in UTF-8"):
            use()
    narrow.dispose()
    wide = sa.create_engine(postgresql.url.set(database=name), connect_args={"client_encoding": "utf8"})
    with wide.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one() == 0
    wide.dispose()


MODES = ("", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "EMPTY_STRING_IS_NULL,HIGH_NOT_PRECEDENCE,PIPES_AS_CONCAT")


@pytest.mark.parametrize("mode", MODES)
def test_no_mode_zone_or_charset_of_mysql_changes_a_value(databases: Databases, tmp_path: Path, mode: str) -> None:
    url = sa.make_url(databases.url("mysql+pymysql", tmp_path)).update_query_dict({"charset": "latin1"})
    engine = sa.create_engine(url, connect_args={"init_command": f"SET sql_mode = '{mode}', time_zone = '+05:30'"})
    held_and_well(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT @@time_zone, @@character_set_client").one() == ("+05:30", "latin1")
    engine.dispose()


def test_the_caller_s_connections_stay_as_they_were(engine: Engine) -> None:
    held_and_well(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() not in (0, PATIENCE_MS)


def test_a_key_with_a_nul_is_put_aside(engine: Engine) -> None:
    reader, converter = RowReader(get_resource("transactions")), TableConverter(get_resource("transactions"))
    row = reader.read(transaction("T\0X"))
    with pytest.raises(RejectedRecord) as rejected:
        converter.row(row, Origin(READ_AT, "created"))
    rejects = Rejects("transactions", 5)
    rejects.add(row, rejected.value.field, rejected.value.reason)
    copy = copy_of(engine)
    load(copy, small(("T1", "Initiated")), Window(START, END), rejects=tuple(rejects.found), manifest={"read_by": "created"})
    assert (len(replay_table(open_table(engine, "nexus_copy"))), copy.check().problems) == (1, ())
    with copy.books() as books:
        ((key, raw),) = ((each.key, each.raw) for each in books.rejected_of("20260101T000000Z-20260102T000000Z"))
    assert key == "T\\u0000X"
    assert msgspec.json.decode(raw)["transactionCode"] == "T\0X"


def test_keys_that_differ_only_a_little_are_different(engine: Engine) -> None:
    keys = [
        "a",
        "A",
        "a ",
        " a",
        "\u00e4",
        "a\u0308",
        "\u00e1",
        "\u1e9e",
        "ss",
        "\u00df",
        "\uff41",
        "a\t",
        "x" * 255,
        "\U0001f600" * 255,
    ]
    copy = copy_of(engine)
    load(copy, rows_of([transaction(key) for key in keys]), Window(START, END))
    assert sorted(row[0] for row in stored(engine, copy)) == sorted(keys)
    assert copy.check().problems == ()


def test_rejects_that_no_database_could_compare_are_kept(engine: Engine) -> None:
    odd = [Reject(key, "a\0b", "text", "{}") for key in ("", "a", "A", "x" * 5000, "\0")]
    copy = copy_of(engine)
    load(copy, [], Window(START, END), rejects=tuple(odd))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM nexus_rejected")).scalar_one() == len(odd)
