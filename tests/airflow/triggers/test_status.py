from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.triggers import _status
from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger
from tests.airflow.nexus import connection

QUICK = {"poll_interval": 0.2, "max_interval": 0.2}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(customers=60, transactions=500, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox, connection(sandbox):
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.reset()
    yield running
    running.configure(faults=(), max_limit=None)


def unsettled(sandbox: Sandbox, resource: str = "transactions") -> dict[str, str]:
    """Codes that are in flight, with their creation stamps."""
    lifecycle = get_resource(resource).lifecycle
    assert lifecycle is not None
    records = [json.loads(raw) for raw in sandbox.truth(resource)]
    key = get_resource(resource).key[0]
    return {r[key]: r["created"] for r in records if r["status"] in lifecycle.in_flight}


async def until(happened: Callable[[], bool]) -> None:
    """Wait for something that has to happen."""
    async with asyncio.timeout(120):
        while not happened():
            await asyncio.sleep(0.005)


def trigger(codes: dict[str, str], seconds: float = 120, **more: Any) -> NexusStatusTrigger:
    now = datetime.now(UTC)
    until = now + timedelta(seconds=seconds)
    given = {"resource": "transactions", "codes": codes, "started": now.isoformat(), "deadline": until.isoformat()}
    return NexusStatusTrigger(**{**given, **QUICK, **more})


def stored(trigger: NexusStatusTrigger) -> NexusStatusTrigger:
    """The trigger as the triggerer gets it."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_nexus.triggers.nexus.NexusStatusTrigger"
    return NexusStatusTrigger(**json.loads(json.dumps(kwargs)))


async def fire(trigger: NexusStatusTrigger) -> list[Any]:
    return [event.payload async for event in stored(trigger).run()]


def fired(trigger: NexusStatusTrigger) -> Any:
    events = asyncio.run(fire(trigger))
    assert len(events) == 1
    return events[0]


def test_it_fires_once_when_the_record_is_settled(sandbox: Sandbox) -> None:
    code, created = next(iter(unsettled(sandbox).items()))

    async def main() -> list[Any]:
        waiting = asyncio.create_task(fire(trigger({code: created})))
        await until(lambda: sandbox.call_count >= 2)
        assert not waiting.done()
        await asyncio.to_thread(sandbox.advance, 30 * 86_400)
        return await waiting

    event = asyncio.run(main())[0]
    assert event["why"] in ("reached", "missed")
    assert event["codes"] == {code: created}
    assert sandbox.token not in json.dumps(event)


def test_all_waits_share_their_calls(sandbox: Sandbox) -> None:
    """As many waits as are in flight cost one call an interval, and one connection."""
    waiting = unsettled(sandbox)
    assert len(waiting) > 20

    async def main() -> int:
        tasks = [asyncio.create_task(fire(trigger({code: created}))) for code, created in waiting.items()]
        await until(lambda: sandbox.call_count >= 6)
        calls = sandbox.call_count
        await asyncio.to_thread(sandbox.advance, 30 * 86_400)
        ended = [(await task)[0]["why"] for task in tasks]
        assert set(ended) <= {"reached", "missed"}
        return calls

    calls = asyncio.run(main())
    assert {call.path.lower() for call in sandbox.calls[:calls]} == {
        get_resource("transactions").path.lower()
    }  # none for one alone
    assert sandbox.connection_count == 1


def test_the_poller_ends_with_its_last_wait(sandbox: Sandbox) -> None:
    code, created = next(iter(unsettled(sandbox).items()))

    async def main() -> None:
        task = asyncio.create_task(fire(trigger({code: created})))
        await until(lambda: sandbox.call_count > 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})  # so nobody is left who could look

    asyncio.run(main())


def test_the_deadline_is_kept(sandbox: Sandbox) -> None:
    code, created = next(iter(unsettled(sandbox).items()))
    assert fired(trigger({code: created}, seconds=0.5))["why"] == "deadline"


def test_a_long_wait_is_logged_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, created = next(iter(unsettled(sandbox).items()))
    monkeypatch.setattr(_status, "_LOGGED_EVERY", 0.3)
    assert fired(trigger({code: created}, seconds=2))["why"] == "deadline"
    lines = [line for line in "".join(capsys.readouterr()).splitlines() if f"waiting for {code}: " in line]
    assert len(lines) > 2
    assert all(" to be COMPLETED or SIMULATED until " in line for line in lines)


@pytest.mark.parametrize(("status", "calls"), [(401, 1), (403, 1), (503, 4), (429, 4)])
def test_failed_looks_cost_what_they_should(sandbox: Sandbox, status: int, calls: int) -> None:
    """What can't pass ends the wait at once; the rest after as many failures in a row as are put up with."""
    code, created = next(iter(unsettled(sandbox).items()))
    sandbox.configure(faults=(Fault("status", status=status, times=-1),))
    event = fired(trigger({code: created}, max_consecutive_failures=4))
    assert (event["why"], sandbox.call_count) == ("error", calls)
    assert f"HTTP {status}" in event["message"]


def test_a_burst_is_survived_and_told_once(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    code, created = next(iter(unsettled(sandbox).items()))
    sandbox.configure(faults=(Fault("status", status=503, times=2), Fault("drop", first=3, times=1)))

    async def main() -> Any:
        task = asyncio.create_task(fire(trigger({code: created}, max_consecutive_failures=4)))
        await until(lambda: sandbox.call_count >= 4)
        await asyncio.to_thread(sandbox.advance, 30 * 86_400)
        return (await task)[0]

    with caplog.at_level(logging.INFO):
        assert asyncio.run(main())["why"] in ("reached", "missed")
    assert [call.status for call in sandbox.calls][:4] == [503, 503, 0, 200]
    told = [record for record in caplog.records if record.name.endswith("triggers._status")]
    assert [record.levelname for record in told] == ["WARNING", "INFO"]
    assert "looking at transactions by the connection nexus_default fails: GET " in told[0].getMessage()
    assert "HTTP 503" in told[0].getMessage()
    assert "works again, after 3 that failed" in told[1].getMessage()
    assert not any(code in record.getMessage() for record in told)


@pytest.mark.parametrize("status", [401, 503])
def test_the_end_of_a_wait_ends_what_is_told_of_it(sandbox: Sandbox, status: int, caplog: pytest.LogCaptureFixture) -> None:
    code, created = next(iter(unsettled(sandbox).items()))
    sandbox.configure(faults=(Fault("status", status=status, times=-1),))

    async def main() -> list[Any]:
        return [(await fire(trigger({code: created}, max_consecutive_failures=2)))[0]["why"] for _ in range(2)]

    assert asyncio.run(main()) == ["error", "error"]
    told = [record for record in caplog.records if record.name.endswith("triggers._status")]
    assert [f"HTTP {status}" in record.getMessage() for record in told] == [True, True]


def test_retry_after_is_kept_by_all_who_wait(sandbox: Sandbox) -> None:
    codes = list(unsettled(sandbox).items())[:2]
    sandbox.configure(faults=(Fault("status", status=429, retry_after="300", times=1),))

    async def main() -> int:
        first = asyncio.create_task(fire(trigger(dict(codes[:1]))))
        await until(lambda: sandbox.call_count > 0)
        second = asyncio.create_task(fire(trigger(dict(codes[1:]))))
        await asyncio.sleep(1.0)
        calls = sandbox.call_count
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        return calls

    assert asyncio.run(main()) == 1


def test_a_record_that_is_held_is_news_once(sandbox: Sandbox) -> None:
    held = next(r for r in map(json.loads, sandbox.truth("transactions")) if r["status"] == "BLOCKED")
    codes = {held["transactionCode"]: held["created"]}
    assert fired(trigger(codes, fire_on_held=True))["why"] == "held"
    assert fired(trigger(codes, fire_on_held=True, known_held=list(codes), seconds=0.5))["why"] == "deadline"


def test_a_record_that_is_gone_ends_the_wait(sandbox: Sandbox) -> None:
    assert fired(trigger({"NOSUCH": ""}))["why"] == "missed"


def test_a_killed_task_cancels_when_asked(sandbox: Sandbox) -> None:
    code, created = next(iter(unsettled(sandbox).items()))
    asyncio.run(trigger({code: created}).on_kill())
    assert sandbox.call_count == 0
    asyncio.run(trigger({code: created}, cancel_on_kill=True).on_kill())
    now = {r["transactionCode"]: r["status"] for r in map(json.loads, sandbox.truth("transactions"))}
    assert now[code] == "CANCELLED"


def test_what_can_not_be_waited_for_is_refused_when_it_is_made() -> None:
    with pytest.raises(NexusConfigurationError, match="no status"):
        trigger({"x": ""}, resource="prices")
