"""Whatever the server does that the API leaves open, a window is delivered exactly or called unproved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.proved_read import Reading, read_all
from airflow_provider_nexus.extract.source import Source
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.sandbox import Sandbox
from tests.extract.serving import client_of
from tests.repeated import times

WINDOWED = [name for name, resource in RESOURCES.items() if resource.is_windowed]
PLAIN: dict[str, Any] = {
    "seed": 7,
    "sort": "honoured",
    "since_inclusive": True,
    "until_inclusive": False,
    "max_limit": None,
    "ties": "stable",
    "tie_seconds": 0,
    "late_share": 0.0,
    "late_seconds": 0.0,
    "late_mode": "while_reading",
    "delete_share": 0.0,
    "delete_seconds": 0.0,
    "total_error": 0,
    "filters": "honoured",
    "seconds_per_call": 0.0,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "newest first": {"sort": "ignored"},
    "capped at 37": {"max_limit": 37},
    "newest first, capped at 7": {"sort": "ignored", "max_limit": 7},
    "upper bound inclusive": {"until_inclusive": True},
    "lower bound exclusive": {"since_inclusive": False},
    "lower bound exclusive, ties": {"since_inclusive": False, "tie_seconds": 3600, "ties": "shuffled"},
    "ties in changing order": {"ties": "shuffled", "tie_seconds": 3600},
    "ties beyond a page": {"ties": "shuffled", "tie_seconds": 21600, "max_limit": 5},
    "late rows": {"late_share": 0.1, "late_seconds": 4.0, "seconds_per_call": 1.0},
    "deleted rows": {"delete_share": 0.2, "delete_seconds": 6.0, "seconds_per_call": 1.0},
    "a total one too high": {"total_error": 1},
    "a total one too low": {"total_error": -1},
    "filters ignored": {"filters": "ignored"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox(customers=40, transactions=300, days=2, clock_speed=0, amounts="awkward") as sandbox:
        yield sandbox


class Outcome:
    """What was read, and what was owed."""

    def __init__(self, sandbox: Sandbox, resource: str, span: Window, page_size: int, parallel: int = 1) -> None:
        client = client_of(sandbox)
        before = sandbox.truth(resource, span.start, span.end)
        source = Source(client, get_resource(resource), page_size=page_size)
        reading = Reading(source, span, parallel=parallel)
        rows = read_all(reading)
        self.proof = reading.proof
        client.session.close()
        after = sandbox.truth(resource, span.start, span.end)
        sandbox.configure(late_share=0.0, delete_share=0.0)
        ever = sandbox.truth(resource, span.start, span.end)
        key = source.reader.read
        self.given = [row.key for row in rows]
        self.rows = {row.key: row.raw for row in rows}
        self.before, self.after, self.ever = ({key(raw).key: raw for raw in truth} for truth in (before, after, ever))

    def check(self) -> None:
        """Never silently wrong: each row once, none that never was, all that were there throughout."""
        if self.proof.verdict is Verdict.UNPROVED:
            assert self.proof.reasons
            return
        assert len(self.given) == len(set(self.given))
        assert set(self.given) <= set(self.ever)
        assert not (set(self.before) & set(self.after)) - set(self.given)


def outcome(sandbox: Sandbox, changes: dict[str, Any], resource: str, page_size: int = 50, parallel: int = 1) -> Outcome:
    sandbox.configure(**{**PLAIN, **changes})
    sandbox.reset()
    end = sandbox.now - timedelta(hours=1)
    start = (end - timedelta(hours=36)).replace(microsecond=0)
    return Outcome(sandbox, resource, Window(start, end.replace(microsecond=0)), page_size, parallel)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("resource", WINDOWED)
def test_each_setting(server: Sandbox, name: str, resource: str) -> None:
    result = outcome(server, SETTINGS[name], resource)
    result.check()
    lies = SETTINGS[name].get("total_error")
    assert (result.proof.verdict is Verdict.UNPROVED) == bool(lies), result.proof
    if not lies and name not in ("deleted rows", "late rows"):
        assert result.rows == result.before
    assert len(result.before) > 5, "a window with nothing in it proves nothing"


EXAMPLES = times(6, 100)
"""How many servers are drawn."""
CHURN = st.sampled_from(
    [
        {},
        {"late_share": 0.3, "late_seconds": 5.0, "seconds_per_call": 0.7},
        {"delete_share": 0.3, "delete_seconds": 5.0, "seconds_per_call": 0.7},
        {"late_share": 0.2, "late_seconds": 3.0, "delete_share": 0.2, "delete_seconds": 9.0, "seconds_per_call": 0.4},
    ]
)


@pytest.mark.servers
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.fixed_dictionaries(
        {
            "seed": st.integers(1, 5),
            "sort": st.sampled_from(["honoured", "ignored"]),
            "since_inclusive": st.booleans(),
            "until_inclusive": st.booleans(),
            "max_limit": st.sampled_from([None, 3, 37]),
            "ties": st.sampled_from(["stable", "shuffled"]),
            "tie_seconds": st.sampled_from([0, 600, 21600]),
            "total_error": st.sampled_from([0, 0, 0, 1, -1]),
            "filters": st.sampled_from(["honoured", "honoured", "honoured", "ignored"]),
        }
    ),
    churn=CHURN,
    resource=st.sampled_from(WINDOWED),
    page_size=st.sampled_from([10, 100]),
)
def test_random_servers(server: Sandbox, base: dict[str, Any], churn: dict[str, Any], resource: str, page_size: int) -> None:
    result = outcome(server, {**base, **churn}, resource, page_size)
    result.check()
    if not churn and not base["total_error"]:
        assert result.proof.is_complete, result.proof
        assert result.rows == result.before


def test_a_span_of_one_second(server: Sandbox) -> None:
    server.configure(**PLAIN)
    server.reset()
    start: datetime = (server.now - timedelta(hours=5)).replace(microsecond=0)
    result = Outcome(server, "transactions", Window(start, start + timedelta(seconds=1)), 50)
    result.check()
    assert result.proof.verdict is Verdict.PROVED


@pytest.mark.parametrize("name", ["plain", "newest first, capped at 7", "lower bound exclusive", "ties in changing order"])
@pytest.mark.parametrize("resource", WINDOWED)
def test_a_server_that_takes_no_notice_of_request_iso8601(server: Sandbox, name: str, resource: str) -> None:
    """Stamps then come in the forms of each endpoint, with fractions of a second and without a zone."""
    server.configure(**{**PLAIN, **SETTINGS[name]})
    server.reset()
    end = (server.now - timedelta(hours=1)).replace(microsecond=0)
    span = Window(end - timedelta(hours=36), end)
    client = client_of(server)
    del client.session._http.headers["request_iso8601"]
    source = Source(client, get_resource(resource), page_size=50)
    reading = Reading(source, span)
    rows = read_all(reading)
    client.session.close()
    truth = [source.reader.read(raw) for raw in server.truth(resource, span.start, span.end)]
    assert reading.proof.verdict is Verdict.PROVED, reading.proof
    assert sorted(row.key[:19] for row in rows) == sorted(row.key[:19] for row in truth)
    assert sorted(row.stamp[:19] for row in rows) == sorted(row.stamp[:19] for row in truth)
