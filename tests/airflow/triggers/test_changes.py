"""The change trigger in an event loop, against a sandbox; Airflow's store of asset states is a dictionary here."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.triggers.base import TriggerEvent

from airflow_provider_nexus.exceptions import (
    NexusAuthenticationError,
    NexusConfigurationError,
    NexusServerError,
    NexusUnknownResourceError,
)
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.triggers._changes import NexusChangeTrigger
from tests.airflow.nexus import CANARY, connection

BUSY: dict[str, Any] = {"customers": 60, "transactions": 3000, "days": 2, "clock_speed": 60.0}
SETTLED = ["completed", "cancelled"]
Change = dict[str, Any]


class Store:
    """What Airflow injects, as far as the trigger uses it."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return json.loads(self.texts[key]) if key in self.texts else default

    async def aset(self, key: str, value: Any) -> None:
        self.texts[key] = json.dumps(value)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(**BUSY) as running, connection(running):
        yield running


def trigger(store: Store | None = None, **arguments: Any) -> NexusChangeTrigger:
    made = NexusChangeTrigger(**{"resource": "transactions", "poll_interval": 1, **arguments})
    made.asset_state_store = store  # type: ignore[assignment]
    return made


async def events_of(events: AsyncIterator[TriggerEvent], enough: Callable[[list[Change]], object]) -> list[Change]:
    """What a trigger fires until that is enough, however long it takes on this machine."""
    found: list[Change] = []

    async def collect() -> None:
        async with aclosing(events) as closing:  # type: ignore[type-var]
            async for event in closing:
                found.extend(event.payload["changes"])

    collecting = asyncio.create_task(collect())
    while not collecting.done() and not enough(found):
        await asyncio.sleep(0.02)
    if not collecting.done():
        collecting.cancel()
        with suppress(asyncio.CancelledError):
            await collecting
    else:
        collecting.result()
    return found


def all_of(codes: Iterable[str]) -> Callable[[list[Change]], bool]:
    """Enough when each of some records has changed."""
    wanted = set(codes)
    return lambda found: wanted <= {event["code"] for event in found}


def after(seconds: float) -> Callable[[list[Change]], bool]:
    """Enough at some moment, whatever came until then."""
    end = time.monotonic() + seconds
    return lambda found: time.monotonic() > end


def never(found: list[Change]) -> bool:
    """For what ends by itself."""
    return False


def settled(sandbox: Sandbox) -> dict[str, str]:
    records = [json.loads(raw) for raw in sandbox.truth("transactions")]
    return {each["transactionCode"]: each["status"] for each in records if each["status"].casefold() in SETTLED}


def test_it_can_be_made_again_from_what_it_stores() -> None:
    first = NexusChangeTrigger("other", resource="orders", target_statuses=["Filled"], poll_interval=5, settle_lag=10)
    path, arguments = first.serialize()
    assert path == "airflow_provider_nexus.triggers.nexus.NexusChangeTrigger"
    assert NexusChangeTrigger(**json.loads(json.dumps(arguments))).serialize() == (path, arguments)
    assert arguments["target_statuses"] == ["Filled"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"resource": "transactoins"}, NexusUnknownResourceError, "'transactions'"),
        ({"resource": "buckets"}, NexusConfigurationError, "can't be watched"),
        ({"resource": "customer_persons"}, NexusConfigurationError, "can't be watched"),
        ({"resource": "hot_wallet_mutations", "target_statuses": ["Sent"]}, NexusConfigurationError, "no status"),
        ({"resource": "orders", "target_statuses": ["Fild"]}, NexusConfigurationError, "'FILLED'"),
        ({"resource": "orders", "poll_interval": 0}, NexusConfigurationError, "poll_interval is 0: give at least 1 second"),
        (
            {"resource": "orders", "settle_lag": -1},
            NexusConfigurationError,
            "settle_lag is -1: give a timedelta",
        ),
    ],
)
def test_what_can_not_be_watched_is_refused_when_the_dag_is_read(arguments: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        NexusChangeTrigger(**arguments)


@pytest.mark.parametrize("name", ["poll_interval", "settle_lag"])
def test_spans_are_given_as_everywhere(name: str) -> None:
    made = NexusChangeTrigger(resource="orders", **{name: timedelta(minutes=2)})  # type: ignore[arg-type]
    assert json.loads(json.dumps(made.serialize()[1]))[name] == 120
    with pytest.raises(NexusConfigurationError, match=f"{name} is 'x': give a timedelta or seconds"):
        NexusChangeTrigger(resource="orders", **{name: "x"})  # type: ignore[arg-type]


def test_not_all_statuses_of_broker_transactions_are_known_so_any_is_taken() -> None:
    assert NexusChangeTrigger(resource="broker_transactions", target_statuses=["BuyCancelled"]).target_statuses == [
        "BuyCancelled"
    ]


def test_every_record_that_settles_is_told_once(sandbox: Sandbox) -> None:
    before = settled(sandbox)
    told = asyncio.run(events_of(trigger(Store(), target_statuses=SETTLED).run(), lambda found: len(found) > 6))
    new = {code: status for code, status in settled(sandbox).items() if code not in before}
    codes = [event["code"] for event in told]
    assert len(codes) == len(set(codes))
    assert {event["code"]: event["status"] for event in told}.items() <= new.items()
    assert set(told[0]) == {"id", "resource", "code", "change", "status", "previous", "created"}


def test_a_kill_misses_nothing_and_repeats_bear_the_same_id(sandbox: Sandbox) -> None:
    store, told = Store(), []
    sandbox.configure(clock_speed=0)
    assert asyncio.run(events_of(trigger(store, target_statuses=SETTLED).run(), lambda found: store.texts)) == []
    before = settled(sandbox)
    sandbox.configure(clock_speed=60)
    for seconds in (3, 4.5, 3.2, 5):
        told += asyncio.run(events_of(trigger(store, target_statuses=SETTLED).run(), after(seconds)))
    sandbox.configure(clock_speed=0)
    sandbox.advance(2)
    expected = {code for code in settled(sandbox) if code not in before}
    told += asyncio.run(
        events_of(trigger(store, target_statuses=SETTLED).run(), all_of(expected - {event["code"] for event in told}))
    )
    assert {event["code"] for event in told} == expected
    assert len({event["id"] for event in told}) == len(expected) > 5


def test_the_position_is_not_kept_before_airflow_has_the_event(sandbox: Sandbox) -> None:
    store = Store()
    sandbox.configure(clock_speed=0)
    asyncio.run(events_of(trigger(store).run(), lambda found: store.texts))
    sandbox.advance(3600)

    async def killed() -> Any:
        async with aclosing(trigger(store).run()) as events:  # type: ignore[type-var]
            return (await anext(events)).payload

    first, again = asyncio.run(killed()), asyncio.run(killed())
    assert first == again
    assert len(first["changes"]) > 10


def test_a_trigger_of_two_assets_keeps_its_position_with_both() -> None:
    context = pytest.importorskip("airflow.sdk.execution_time.context")
    if not hasattr(context, "AssetStateStoreAccessors"):
        pytest.skip("Airflow below 3.3 has no store")
    assets = [Asset("nexus://sandbox/orders"), Asset("nexus://sandbox/transfers")]
    made = trigger()
    made.asset_state_store = context.AssetStateStoreAccessors(inlets=assets)
    assert [store._name for store in made.stores()] == [asset.name for asset in assets]


def test_without_a_store_it_starts_the_lag_before_now(sandbox: Sandbox) -> None:
    sandbox.configure(clock_speed=0)
    start = sandbox.now.replace(microsecond=0) - timedelta(seconds=7200)
    new = {json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions", start=start)}
    told = asyncio.run(events_of(trigger(settle_lag=7200).run(), all_of(new)))
    assert {event["change"] for event in told} == {"created"}
    assert sorted(event["code"] for event in told) == sorted(new)
    assert len(new) > 10


def test_two_watchers_share_a_poll(sandbox: Sandbox) -> None:
    SharedStreamManager = pytest.importorskip("airflow.triggers.shared_stream").SharedStreamManager  # noqa: N806 - 3.3 on

    some = [False, True, False]  # that one is cancelled is rare

    def until_all_have_some(number: int) -> Callable[[list[Change]], bool]:
        def enough(found: list[Change]) -> bool:
            some[number] |= bool(found)
            return all(some)

        return enough

    async def watch() -> list[list[Change]]:
        import structlog

        manager = SharedStreamManager(log=structlog.get_logger(), max_subscriber_queue=100, ack_timeout=60, cohort_grace_period=0)
        watchers = [trigger(Store(), target_statuses=[state]) for state in SETTLED] + [
            trigger(Store(), target_statuses=["Confirming"])
        ]
        assert len({each.shared_stream_key() for each in watchers}) == 1
        streams = [
            each.filter_shared_stream(manager.subscribe(trigger_id=number, trigger=each, key=each.shared_stream_key()))
            for number, each in enumerate(watchers)
        ]
        try:
            return await asyncio.gather(
                *(events_of(stream, until_all_have_some(number)) for number, stream in enumerate(streams))
            )
        finally:
            await manager.stop_all()

    began = time.monotonic()
    completed, cancelled, confirming = asyncio.run(watch())
    polls = time.monotonic() - began + 1
    assert {event["status"] for event in completed} == {"COMPLETED"}
    assert {event["status"] for event in confirming} == {"Confirming"}
    assert {event["status"] for event in cancelled} <= {"CANCELLED"}
    lists = [call for call in sandbox.calls if call.path == "/transactions/custodian" and "status" in call.query]
    unsettled = [call for call in lists if "initiated" in call.query["status"].lower() and "createdfrom" not in call.query]
    assert 1 <= len(unsettled) <= polls, "one list of the unsettled for each poll, not for each watcher"


def test_who_comes_back_late_catches_up_by_itself(sandbox: Sandbox) -> None:
    store = Store()
    sandbox.configure(clock_speed=0)
    asyncio.run(events_of(trigger(store).run(), lambda found: store.texts))
    before = {json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions")}
    sandbox.advance(20_000)
    new = {json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions")} - before
    told = asyncio.run(events_of(trigger(store).run(), all_of(new)))
    assert sorted(event["code"] for event in told) == sorted(new)
    assert len(new) > 100


def test_a_token_that_is_not_taken_fails_at_once() -> None:
    with Sandbox(**BUSY) as running, connection(running, password=CANARY):
        with pytest.raises(NexusAuthenticationError) as raised:
            asyncio.run(events_of(trigger(Store()).run(), never))
        assert CANARY not in str(raised.value)
        assert running.call_count == 1


def test_failures_pass_until_they_are_too_many(sandbox: Sandbox) -> None:
    sandbox.configure(faults=(Fault(kind="status", status=500, path="/transactions/custodian", times=-1),))
    with pytest.raises(NexusServerError):
        asyncio.run(events_of(trigger(Store(), max_consecutive_failures=3).run(), never))
    assert sandbox.call_count == 3
