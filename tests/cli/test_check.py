from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli.check import Finding, Grade, Probe
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.session import NexusSession
from airflow_provider_nexus.client.settings import read_settings
from tests.client.serving import jwt
from tests.extract.serving import QUICK, sandbox_and_client

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def found(client: NexusClient, **options: Any) -> dict[str, Finding]:
    return {finding.what: finding for finding in Probe(client, **options).findings()}


def test_a_good_connection_is_described() -> None:
    with sandbox_and_client() as (sandbox, client):
        findings = found(client, now=lambda: sandbox.now)
        assert all(call.method == "GET" for call in sandbox.calls)
    assert {finding.grade for finding in findings.values()} <= {Grade.OK, Grade.NOTE}
    assert "tenant" in findings["connection"].detail
    assert findings["token"].grade is Grade.NOTE
    for resource in RESOURCES.values():
        assert resource.parent or findings[f"read {resource.name}"].grade is Grade.OK
    assert findings["sorting"].detail == "transactions come oldest first, as asked"
    assert "the one form asked for" in findings["dates"].detail


@pytest.mark.parametrize(
    ("settings", "what", "said"),
    [
        ({"sort": "ignored"}, "sorting", "transactions come in another order than asked for: windows are read by halving"),
        ({"casp": False}, "sorting", "broker_transactions come in another order than asked for: windows are read by halving"),
        ({"until_inclusive": True}, "upper bound", "in"),
        ({"max_limit": 20}, "largest page", "20 records when 2,000"),
        ({"classic": False}, "read broker_transactions", "not offered"),
    ],
)
def test_what_a_server_honours_is_seen(settings: dict[str, Any], what: str, said: str) -> None:
    with sandbox_and_client(**settings) as (sandbox, client):
        assert said in found(client, now=lambda: sandbox.now)[what].detail


def test_a_token_that_is_not_taken_ends_the_look() -> None:
    with sandbox_and_client() as (sandbox, _):
        settings = read_settings(token="no-such-token", host=sandbox.base_url)
        findings = found(NexusClient(NexusSession(settings, policy=QUICK)))
    assert list(findings) == ["connection", "token"]
    assert findings["connection"].grade is Grade.FAILED
    assert "no-such-token" not in str(findings)


def test_a_role_that_is_missing_is_named() -> None:
    with sandbox_and_client(roles={"writer": ["write"]}) as (sandbox, _):
        settings = read_settings(token="writer", host=sandbox.base_url)
        findings = found(NexusClient(NexusSession(settings, policy=QUICK)), now=lambda: sandbox.now)
    assert findings["connection"].grade is Grade.OK
    assert findings["read customers"].grade is Grade.WARNING


@pytest.mark.parametrize(
    ("seconds", "grade", "said"),
    [
        (30, Grade.OK, "3. seconds ahead"),
        (-95, Grade.WARNING, "9. seconds behind"),
        (300, Grade.WARNING, "5 minutes ahead"),
        (-7_000, Grade.WARNING, "117 minutes behind"),
        (-7_500, Grade.WARNING, "2 hours behind"),
        (90_000, Grade.WARNING, "25 hours ahead"),
        (-23_587_200, Grade.WARNING, "273 days behind"),
        (86_400 * 4_000, Grade.WARNING, "4,000 days ahead"),
    ],
)
def test_how_far_the_clocks_are_apart_is_said_in_words(seconds: int, grade: Grade, said: str) -> None:
    with sandbox_and_client(now=NOW) as (_, client):
        findings = found(client, now=lambda: NOW - timedelta(seconds=seconds))
    assert findings["clock"].grade is grade
    assert re.fullmatch(f"the server's is {said}", findings["clock"].detail)


@pytest.mark.parametrize(
    ("days", "options", "grade"),
    [
        (-1, {}, Grade.FAILED),
        (3, {}, Grade.WARNING),
        (13, {}, Grade.WARNING),
        (40, {}, Grade.OK),
        (40, {"warning_days": 50}, Grade.WARNING),
        (3, {"warning_days": 2}, Grade.OK),
    ],
)
@pytest.mark.parametrize("is_jwt", [True, False])
def test_the_end_of_a_token_is_told_in_time(days: int, options: dict[str, int], grade: Grade, is_jwt: bool) -> None:
    """By the server's clock: this machine's may be anything."""
    ends = NOW + timedelta(days=days)
    token, extra = (jwt({"exp": ends.timestamp()}), {}) if is_jwt else ("opaque", {"key_expires": ends.isoformat()})
    with sandbox_and_client(now=NOW, roles={token: ["read"]}) as (sandbox, _):
        settings = read_settings(token=token, host=sandbox.base_url, extra=extra)
        client = NexusClient(NexusSession(settings, policy=QUICK))
        finding = found(client, now=lambda: NOW + timedelta(days=999), **options)["token"]
    assert finding.grade is grade
    assert ends.strftime("%Y-%m-%dT%H:%M:%SZ") in finding.detail
    assert token not in finding.detail
