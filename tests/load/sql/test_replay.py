"""Records that a table's loads put aside come in when they fit, and the table is then as if they had always fitted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.load import rows as conform
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.loader import Loader
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
        load(sandbox, engine, max_rejected=1000)
    assert verify_table(open_table(engine, "copied")).problems == ()
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM nexus_rejected"))
    found = [problem.what for problem in verify_table(open_table(engine, "copied")).problems]
    assert found
    assert all(re.match(r"nexus_rejected has 0 records of \S+, and its last manifest says [1-9]", text) for text in found)
