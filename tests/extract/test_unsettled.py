from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.rows import Row, RowReader, in_order
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.extract.proved_read import read_all
from airflow_provider_nexus.extract.source import Page
from airflow_provider_nexus.extract.unsettled import UnsettledReading
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.extract.serving import client_of
from tests.sync.capturing import BEGIN, DAY, living

SERVERS: dict[str, dict[str, Any]] = {
    "as documented": {},
    "dates ignored": {"filters": "ignored"},
    "statuses ignored": {"ignored_filters": ["status"]},
    "sort ignored": {"sort": "ignored"},
    "small pages": {"max_limit": 2},
    "bounds the other way round": {"since_inclusive": False, "until_inclusive": True, "tie_seconds": 60},
}


def look_up(
    sandbox: Sandbox, resource: str, wanted: Mapping[str, Open], since: datetime
) -> tuple[list[Row], tuple[str, ...], int]:
    pages: list[Page] = []
    client = client_of(sandbox)
    reading = UnsettledReading(client, get_resource(resource), 20, wanted, since, pages.append)
    rows = read_all(reading)
    client.session.close()
    return rows, reading.proof.reasons, len(pages)


def all_of(sandbox: Sandbox, resource: str, end: datetime) -> tuple[dict[str, Row], dict[str, Open]]:
    """All records as they are, and as if none of them had been settled."""
    entry = get_resource(resource)
    reader = RowReader(entry)
    rows = {row.key: row for row in map(reader.read, sandbox.truth(resource, None, end))}
    return rows, {
        key: Open(datetime.fromisoformat(f"{row.stamp[:19]}+00:00"), reader.status(row) or "") for key, row in rows.items()
    }


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("resource", ["transactions", "orders", "broker_transactions"])
def test_records_are_found_whatever_the_server_does(resource: str, server: str) -> None:
    end = BEGIN + timedelta(days=1)
    with living(per_day=30, **SERVERS[server]) as sandbox:
        _, wanted = all_of(sandbox, resource, end)
        sandbox.advance(3 * DAY)
        now, _ = all_of(sandbox, resource, end)
        sink, reasons, _ = look_up(sandbox, resource, wanted, end)
        assert {row.key: row.raw for row in sink} == {key: row.raw for key, row in now.items()}
        assert sink == in_order(sink)
        assert reasons == ()


def test_what_is_gone_is_told_and_no_error() -> None:
    with living(per_day=30) as sandbox:
        rows, wanted = all_of(sandbox, "orders", BEGIN + timedelta(days=1))
        odd = {"no such": Open(BEGIN, "Open"), "a|b&c=ü%": Open(BEGIN + timedelta(hours=1), "Odd")}
        sink, reasons, _ = look_up(sandbox, "orders", {**wanted, **odd}, BEGIN)
        assert {row.key for row in sink} == rows.keys()
        assert reasons == ("2 records are not there any more",)


def test_filters_that_are_refused_are_done_without() -> None:
    """A status that Nexus does not know makes it refuse the list."""
    with living(per_day=30) as sandbox:
        rows, wanted = all_of(sandbox, "transactions", BEGIN + timedelta(days=1))
        strange = {key: Open(each.created, "NoSuchStatus") for key, each in wanted.items()}
        sink, _, pages = look_up(sandbox, "transactions", strange, BEGIN)
        assert {row.key for row in sink} == rows.keys()
        assert pages < len(rows)


def test_codes_are_asked_for_together() -> None:
    with living(per_day=60) as sandbox:
        _, wanted = all_of(sandbox, "orders", BEGIN + timedelta(days=1))
        sandbox.advance(30 * DAY)
        sink, _, pages = look_up(sandbox, "orders", wanted, BEGIN + timedelta(days=1))
        assert len(sink) == len(wanted)
        assert pages < len(wanted) / 4


def test_a_server_that_fails_is_no_server_without_records() -> None:
    fault = Fault("status", "/orders", status=500, times=-1)
    with living(per_day=30) as sandbox:
        _, wanted = all_of(sandbox, "orders", BEGIN + timedelta(days=1))
        sandbox.configure(faults=(fault,))
        with pytest.raises(Exception, match="500"):
            look_up(sandbox, "orders", wanted, BEGIN)
