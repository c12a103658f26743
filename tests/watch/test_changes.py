"""Changes against what really changed: a sandbox whose clock the test moves, polls and kills drawn at random."""

from __future__ import annotations

import json
import random
from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.call import Ask
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusValidationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.watch.changes import Poll, Position, RecordChange, Watch, begin, compare, spelt, unseen
from airflow_provider_nexus.watch.statuses import SeenStatus
from tests.extract.serving import sandbox_and_client

T = TypeVar("T")
LAG = 120
BUSY = {"transactions": 3000, "customers": 60, "days": 2}
Statuses = dict[str, str]


class Blocking:
    """A watch carried out by blocking calls."""

    def __init__(self, client: NexusClient, resource: str, *, with_states: bool = True) -> None:
        self.client, self.entry = client, get_resource(resource)
        self.watch = Watch(self.entry, lambda: client.session.server_now, lag=LAG, with_states=with_states)

    def poll(self, position: Position | None = None) -> Poll:
        if position is None:
            return self._drive(self.watch.poll())
        return self._drive(self.watch.poll(position.since - self.watch.lag, position.known))

    def news(self, position: Position, states: tuple[str, ...] = ()) -> tuple[list[RecordChange], Position]:
        snapshot = self.poll(position)
        found = self._drive(self.watch.find(unseen(self.watch, position, snapshot)))
        return compare(self.watch, position, Poll(snapshot.now, snapshot.since, found | snapshot.seen), states)

    def _drive(self, asking: Generator[Ask, Any, T]) -> T:
        try:
            ask = next(asking)
            while True:
                try:
                    value = self._answer(ask)
                except (NexusNotFoundError, NexusValidationError) as error:
                    ask = asking.throw(error)
                else:
                    ask = asking.send(value)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def _answer(self, ask: Ask) -> Any:
        if ask.code:
            return self.client.get_record(self.entry.name, ask.code)
        return self.client.fetch(self.entry, params=ask.params).value


def truth(sandbox: Sandbox, resource: str) -> Statuses:
    entry = get_resource(resource)
    assert entry.lifecycle is not None
    records = [json.loads(raw) for raw in sandbox.truth(resource)]
    return {each[entry.key[0]]: spelt(entry.lifecycle, each[entry.lifecycle.status_field]) for each in records}


def moves(before: Statuses, after: Statuses, states: tuple[str, ...]) -> set[tuple[str, str, str | None]]:
    return {(code, status, before.get(code)) for code, status in after.items() if status != before.get(code) and status in states}


def told(changes: list[RecordChange]) -> set[tuple[str, str, str | None]]:
    return {(change.code, change.status, change.previous) for change in changes}


def kept(position: Position) -> dict[str, Any]:
    """A position after a journey through a store."""
    stored: dict[str, Any] = json.loads(json.dumps(position.dump()))
    return stored


SERVERS: Mapping[str, dict[str, Any]] = {
    "well-behaved": {},
    "small pages": {"max_limit": 7, "transactions": 1500},
    "small pages, refuses the one past the last": {"max_limit": 7, "transactions": 1500, "past_last_page": "error"},
    "ignores the order": {"sort": "ignored", "max_limit": 9, "transactions": 1500},
    "ignores statuses": {"ignored_filters": ["status"], "transactions": 400},
    "ignores dates": {"filters": "ignored", "transactions": 400},
    "excludes the lower bound": {"since_inclusive": False},
    "many with one stamp": {"tie_seconds": 60, "ties": "shuffled"},
    "shows records late": {"late_share": 0.3, "late_seconds": LAG - 20},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("server", "resource"),
    [*((server, "transactions") for server in SERVERS), *((server, "orders") for server in ("well-behaved", "ignores statuses"))],
)
def test_every_change_is_told_exactly_once_and_kills_miss_none(server: str, resource: str) -> None:
    chance = random.Random(f"{server} {resource}")
    lifecycle = get_resource(resource).lifecycle
    assert lifecycle is not None
    with sandbox_and_client(**{**BUSY, **SERVERS[server]}) as (sandbox, client):
        blocking = Blocking(client, resource)
        position, known = begin(blocking.poll()), truth(sandbox, resource)
        stored, stored_known = kept(position), known
        seen: dict[str, tuple[str, str]] = {}
        for _ in range(12):
            sandbox.advance(chance.choice((1, 30, 61, 600, 4000)))
            if chance.random() < 0.3:  # killed, so the poll before is repeated
                blocking, position, known = Blocking(client, resource), Position.load(stored), stored_known
            stored, stored_known = kept(position), known
            changes, position = blocking.news(position, lifecycle.statuses)
            before, known = known, truth(sandbox, resource)
            assert told(changes) == moves(before, known, lifecycle.statuses)
            assert len({change.id for change in changes}) == len(changes)
            assert all(seen.get(change.id, (change.code, change.status)) == (change.code, change.status) for change in changes)
            seen |= {change.id: (change.code, change.status) for change in changes}
        assert len(seen) > 5


def test_a_repeated_poll_gives_the_same_ids() -> None:
    with sandbox_and_client(**BUSY) as (sandbox, client):
        blocking = Blocking(client, "transactions")
        position = begin(blocking.poll())
        sandbox.advance(900)
        states = get_resource("transactions").lifecycle.statuses  # type: ignore[union-attr]
        first, _ = blocking.news(position, states)
        again, _ = Blocking(client, "transactions").news(Position.load(kept(position)), states)
        assert first
        assert [change.id for change in first] == [change.id for change in again]


@pytest.mark.parametrize("resource", ["transactions", "customers", "hot_wallet_mutations", "mails"])
def test_each_new_record_is_told_once(resource: str) -> None:
    with sandbox_and_client(**BUSY) as (sandbox, client):
        blocking = Blocking(client, resource, with_states=False)
        position = begin(blocking.poll())
        start, codes = sandbox.now, []
        for seconds in (30, 61, 600, 7200, 40_000):
            sandbox.advance(seconds)
            changes, position = blocking.news(position)
            codes += [change.code for change in changes]
            assert {change.change for change in changes} <= {"created"}
        new = sandbox.truth(resource, start=start)
        assert len(codes) == len(set(codes)) == len(new) > 3


def test_only_the_states_asked_for_count_in_any_case() -> None:
    with sandbox_and_client(**BUSY) as (sandbox, client):
        blocking = Blocking(client, "transactions")
        position, before = begin(blocking.poll()), truth(sandbox, "transactions")
        sandbox.advance(3600)
        changes, _ = blocking.news(position, ("completed",))
        assert told(changes) == moves(before, truth(sandbox, "transactions"), ("COMPLETED",)) != set()
        assert {change.id for change in changes} == {f"transactions|{change.code}|COMPLETED" for change in changes}


def test_who_starts_without_a_position_goes_back_by_the_lag() -> None:
    with sandbox_and_client(**BUSY, tie_seconds=10) as (sandbox, client):
        blocking = Blocking(client, "transactions", with_states=False)
        sandbox.advance(86_400)
        snapshot = blocking.poll()
        position = begin(snapshot, snapshot.now - blocking.watch.lag)
        changes, _ = compare(blocking.watch, position, snapshot)
        assert {change.code for change in changes} == {
            json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions", start=snapshot.now - blocking.watch.lag)
        }


def test_what_can_be_entered_twice_has_an_id_for_each_time() -> None:
    with sandbox_and_client() as (sandbox, client):
        blocking = Blocking(client, "customers")
        code = next(code for code, status in truth(sandbox, "customers").items() if status == "Active")
        position = begin(blocking.poll())
        ids = []
        for blocked in (True, False, True):
            sandbox.advance(1000)
            body = {"status": "BLOCKED" if blocked else "ACTIVE", "reason": "a check"}
            _put(sandbox, code, body)
            changes, position = blocking.news(position, ("Blocked",))
            ids += [change.id for change in changes]
        assert len(ids) == len(set(ids)) == 2


def _put(sandbox: Sandbox, code: str, body: dict[str, Any]) -> None:
    import requests

    headers = {"Authorization": f"Bearer {sandbox.token}", "api_version": "1.2"}
    answer = requests.put(f"{sandbox.base_url}/customer/{code}", json=body, headers=headers, timeout=60)
    assert answer.ok, answer.text


def test_a_record_that_is_gone_is_forgotten_without_a_word() -> None:
    with sandbox_and_client(**BUSY) as (sandbox, client):
        blocking = Blocking(client, "transactions")
        position = begin(blocking.poll())
        position.known["NO-SUCH-CODE"] = SeenStatus("Sending", created=f"{sandbox.now:%FT%T}")
        changes, after = blocking.news(position, ("COMPLETED", "CANCELLED"))
        assert changes == []
        assert "NO-SUCH-CODE" not in after.known


@pytest.mark.parametrize("stored", [{}, {"since": None, "known": {}}, {"since": "2026-01-01T00:00:00Z", "known": []}])
def test_what_is_no_position_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no position"):
        Position.load(stored)
