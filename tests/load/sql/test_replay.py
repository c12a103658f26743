"""Records that a table's loads put aside come in when they fit, and the table is then as if they had always fitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.load import values as conform
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.rows import TypedDecoder
from airflow_provider_nexus.load.sql.copy import SqlCopy
from airflow_provider_nexus.replay.rejected import replay_table
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.job import SyncJob
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import hours_of

pytestmark = pytest.mark.databases


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_and_client(days=3, transactions=1500) as (made, _):
        yield made


def load(sandbox: Sandbox, engine: sa.Engine, **options: Any) -> None:
    client, entry = client_of(sandbox), get_resource("orders")
    where = client.session.environment
    copy = SqlCopy(engine, "copied", Table(entry), environment=where.name, base_url=where.base_url)
    for start in (48, 24):
        request = SyncRequest(resource=entry, requested=hours_of(sandbox, start=start, until=start - 24), **options)
        SyncJob(client, request, Loader(copy, request.max_rejected, contract="freeze")).run()
    client.session.close()


def rows_of(engine: sa.Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def _no_empty_text(raw: bytes) -> str:
    if raw == b'""':
        raise ValueError("empty")
    return conform._read_text(raw)


def test_a_table_is_then_as_if_all_had_fitted(sandbox: Sandbox, engine: sa.Engine, undisturbed: str) -> None:
    other = sa.create_engine(undisturbed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, Any]", conform._READERS), "text", _no_empty_text)
        patch.setattr(TypedDecoder, "values", lambda _, raws: [None] * len(raws))  # each is looked at closely then
        load(sandbox, engine, max_rejected=1000)
        aside = rows_of(engine, "SELECT COUNT(*) FROM nexus_rejected")[0][0]
        assert aside > 0
    load(sandbox, other)
    done = replay_table(open_table(engine, "copied"))
    assert sum(each.fitted for each in done) == aside
    assert rows_of(engine, "SELECT COUNT(*) FROM nexus_rejected") == [(0,)]
    assert verify_table(open_table(engine, "copied")).problems == ()
    kept = "SELECT _key, _content, executed_amount, reason FROM copied ORDER BY _key"
    assert rows_of(engine, kept) == rows_of(other, kept)
    told = "SELECT label, records, rejected, content FROM nexus_manifest ORDER BY number"
    last = [{row[0]: row for row in rows_of(each, told)} for each in (engine, other)]
    assert last[0] == last[1]
    count = len(rows_of(engine, told))
    assert replay_table(open_table(engine, "copied")) == []
    load(sandbox, engine)
    assert len(rows_of(engine, told)) == count
    other.dispose()


def test_a_check_counts_what_did_not_fit(sandbox: Sandbox, engine: sa.Engine) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, Any]", conform._READERS), "text", _no_empty_text)
        patch.setattr(TypedDecoder, "values", lambda _, raws: [None] * len(raws))  # each is looked at closely then
        load(sandbox, engine, max_rejected=1000)
    assert verify_table(open_table(engine, "copied")).problems == ()
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM nexus_rejected"))
    found = [problem.what for problem in verify_table(open_table(engine, "copied")).problems]
    assert found
    assert all(re.match(r"nexus_rejected has 0 records of \S+, and its last manifest says [1-9]", text) for text in found)


COLUMNS = "field, reason, raw, read_at FROM nexus_rejected"
ADDED = f"INSERT INTO nexus_rejected SELECT table_name, label, 99, key, {COLUMNS} WHERE number = 1"
REFUSED = {
    "UPDATE nexus_rejected SET raw = '{}' WHERE number = 1": "other records of .* than its last manifest says",
    "UPDATE nexus_rejected SET reason = 'none' WHERE number = 1": "other records of .* than its last manifest says",
    "DELETE FROM nexus_rejected WHERE number = 1": r"nexus_rejected has \d+ records of .* and its last manifest says",
    ADDED: r"nexus_rejected has \d+ records of .* and its last manifest says",
    "UPDATE nexus_manifest SET rejected = 1": "was edited: its text says something else than its columns rejected",
    "DELETE FROM nexus_manifest": "nexus_manifest has no load of",
}


def test_what_was_edited_is_not_replayed_until_its_window_is_read_again(sandbox: Sandbox, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'copied.db'}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, Any]", conform._READERS), "text", _no_empty_text)
        patch.setattr(TypedDecoder, "values", lambda _, raws: [None] * len(raws))  # each is looked at closely then
        load(sandbox, engine, max_rejected=1000)
        before = rows_of(engine, "SELECT * FROM copied")
        for statement, said in REFUSED.items():
            with engine.connect() as connection:
                saved = {
                    name: sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("nexus_rejected", "nexus_manifest")
                }
                rows = {name: list(connection.execute(sa.select(table)).mappings()) for name, table in saved.items()}
                assert connection.execute(sa.text(statement)).rowcount
                connection.commit()
            with pytest.raises(NexusStorageError, match=said):
                replay_table(open_table(engine, "copied"))
            assert rows_of(engine, "SELECT * FROM copied") == before
            assert verify_table(open_table(engine, "copied")).problems
            with engine.begin() as connection:
                for name, table in saved.items():
                    connection.execute(sa.delete(table))
                    connection.execute(sa.insert(table), [dict(row) for row in rows[name]])
        assert verify_table(open_table(engine, "copied")).problems == ()
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE nexus_rejected SET raw = '{}' WHERE number = 1"))
        load(sandbox, engine, max_rejected=1000)
        assert verify_table(open_table(engine, "copied")).problems == ()
    assert sum(each.fitted for each in replay_table(open_table(engine, "copied")))
