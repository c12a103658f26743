"""Waits and watchers of the triggerer whose key is exchanged meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.triggers._changes import Observer
from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger
from tests.airflow.nexus import connection

NEW = "the-new-key"
LATER = 30 * 86_400


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    roles = {NEW: ["read", "write"]}
    with Sandbox(customers=60, transactions=500, days=1, clock_speed=0, arrivals_per_hour=0, roles=roles) as running:
        yield running


def trigger(codes: dict[str, str]) -> NexusStatusTrigger:
    now = datetime.now(UTC)
    return NexusStatusTrigger(
        resource="transactions",
        codes=codes,
        started=now.isoformat(),
        deadline=(now + timedelta(seconds=60)).isoformat(),
        poll_interval=0.2,
        max_interval=0.2,
    )


async def fire(codes: dict[str, str]) -> Any:
    (payload,) = [event.payload async for event in trigger(codes).run()]
    return payload


def unsettled(sandbox: Sandbox) -> list[tuple[str, str]]:
    lifecycle = get_resource("transactions").lifecycle
    assert lifecycle is not None
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return [(each["transactionCode"], each["created"]) for each in records if each["status"] in lifecycle.in_flight]


async def looked(sandbox: Sandbox, more: int = 2) -> None:
    wanted = sandbox.call_count + more
    async with asyncio.timeout(20):
        while sandbox.call_count < wanted:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("waits", [1, 5])
def test_waits_go_on_with_the_new_key(sandbox: Sandbox, waits: int) -> None:
    async def main() -> list[Any]:
        with ExitStack() as stored:
            stored.enter_context(connection(sandbox))
            tasks = [asyncio.create_task(fire({code: created})) for code, created in unsettled(sandbox)[:waits]]
            await looked(sandbox)
            stored.enter_context(connection(sandbox, password=NEW))
            sandbox.configure(revoked=[sandbox.token])
            await looked(sandbox, 4)
            await asyncio.to_thread(sandbox.advance, LATER)
            return list(await asyncio.gather(*tasks))

    events = asyncio.run(main())
    assert {event["why"] for event in events} <= {"reached", "missed"}
    assert [call.status for call in sandbox.calls].count(401) == 1


def test_waits_end_when_the_same_key_is_refused(sandbox: Sandbox) -> None:
    async def main() -> Any:
        with connection(sandbox):
            ((code, created), *_) = unsettled(sandbox)
            task = asyncio.create_task(fire({code: created}))
            await looked(sandbox)
            sandbox.configure(revoked=[sandbox.token])
            return await task

    event = asyncio.run(main())
    assert (event["why"], event["error"]) == ("error", "NexusAuthenticationError")
    assert [call.status for call in sandbox.calls].count(401) == 1


def test_a_wait_hears_that_both_keys_are_refused(sandbox: Sandbox) -> None:
    async def main() -> Any:
        with ExitStack() as stored:
            stored.enter_context(connection(sandbox))
            ((code, created), *_) = unsettled(sandbox)
            task = asyncio.create_task(fire({code: created}))
            await looked(sandbox)
            stored.enter_context(connection(sandbox, password="a-typing-error"))
            sandbox.configure(revoked=[sandbox.token])
            return await task

    event = asyncio.run(main())
    assert (event["why"], event["error"]) == ("error", "NexusAuthenticationError")
    assert [call.status for call in sandbox.calls].count(401) == 2


def test_a_watcher_goes_on_with_the_new_key(sandbox: Sandbox) -> None:
    async def main() -> int:
        with ExitStack() as stored:
            stored.enter_context(connection(sandbox))
            async with aclosing(Observer("nexus_default", get_resource("orders"), lag=0, with_states=False)) as observer:
                first = await observer.poll(None, {})
                stored.enter_context(connection(sandbox, password=NEW))
                sandbox.configure(revoked=[sandbox.token])
                await observer.poll(first.now, first.seen)
        return [call.status for call in sandbox.calls].count(401)

    assert asyncio.run(main()) == 1
