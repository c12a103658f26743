"""Two tasks with one reference at the same time: each has a store of its own, and both share the Variables."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusClaimLostError
from airflow_provider_nexus.operators import _once
from airflow_provider_nexus.operators._once import AirflowLedger
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.writes.exchange import order_write
from airflow_provider_nexus.writes.once import Once, Record
from tests.extract.serving import client_of
from tests.writes.test_claim import ORDER

TRIES = 6
Found = Sequence[Record]


class Store(dict[str, Any]):
    """What Airflow gives a task to keep values in."""

    def set(self, key: str, value: Any, retention: Any = None) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class Variables(dict[str, str]):
    """Airflow Variables, which need a running task."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default)

    def set(self, key: str, value: str, description: str) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=2, transactions=10, days=1, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    made = Variables()
    monkeypatch.setattr(_once, "Variable", made)
    return made


class Clock:
    """A clock of tasks that goes on when all of them sleep."""

    def __init__(self, tasks: int) -> None:
        self._now, self._awake, self._due = 0.0, tasks, list[float]()
        self._turn = threading.Condition()

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._turn:
            until = self._now + seconds
            self._due.append(until)
            self.leave()
            self._turn.wait_for(lambda: self._now >= until, 60)

    def leave(self) -> None:
        """A task is at its end, or sleeps."""
        with self._turn:
            self._awake -= 1
            if not self._awake and self._due:
                self._now = min(self._due)
                self._awake = self._due.count(self._now)
                self._due = [until for until in self._due if until > self._now]
                self._turn.notify_all()


def all_of(found: Found) -> Found:
    """A look-up that shows what it finds."""
    return found


def carry_out(
    sandbox: Sandbox, store: Store, shown: Callable[[Found], Found], clock: Clock | None = None, reference: str = "invoice"
) -> Record:
    """What a try of a task makes of an order with a reference.

    :param shown: called with what each of its look-ups finds: what the look-up shows of that
    """
    client, clock = client_of(sandbox, allow_writes=True), clock or Clock(1)
    write = order_write(client, ORDER, reference)
    assert write.find
    find = write.find
    once = Once(
        client,
        AirflowLedger(store, sandbox.base_url, "/orders", reference),
        pauses=(),
        sleep=clock.sleep,
        clock=clock.now,
    )
    try:
        return once.carry_out(replace(write, find=lambda since: shown(find(since))), sandbox.now)
    finally:
        client.session.close()


def test_what_another_task_has_carried_out_meanwhile_is_not_sent_again(sandbox: Sandbox, variables: Variables) -> None:
    """Its Variables are deleted by then, as Nexus knows the record."""
    before, others = len(sandbox.truth("orders")), list[Record]()

    def then_other(found: Found) -> Found:
        if not others:
            others.append(carry_out(sandbox, Store(), all_of))
        return found

    made = carry_out(sandbox, Store(), then_other)
    assert len(sandbox.truth("orders")) == before + 1
    assert made["orderCode"] == others[0]["orderCode"]
    assert not variables


def test_what_a_list_does_not_show_yet_is_known_to_all_tasks(sandbox: Sandbox, variables: Variables) -> None:
    before = len(sandbox.truth("orders"))
    made = carry_out(sandbox, Store(), lambda _: (), reference="late")
    assert variables, "they guard the order until a list shows it"
    assert carry_out(sandbox, Store(), lambda _: (), reference="late") == made
    assert carry_out(sandbox, Store(), all_of, reference="late") == made
    assert not variables
    assert carry_out(sandbox, Store(), all_of, reference="late") == made
    assert len(sandbox.truth("orders")) == before + 1


@given(
    tasks=st.lists(
        st.tuples(st.integers(0, 100), st.integers(1, 5), st.lists(st.integers(1, 100), min_size=3)), min_size=2, max_size=3
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tasks_that_are_tried_again_soon_end_in_one_record(
    sandbox: Sandbox, variables: Variables, tasks: list[tuple[int, int, list[int]]]
) -> None:
    """Also where their tries come sooner than the look-ups end.

    :param tasks: of each the seconds until it begins, those until another try, and those that its look-ups take in turn
    """
    before, clock, ended = len(sandbox.truth("orders")), Clock(len(tasks)), list[str]()

    def run(begin: int, again: int, look_ups: list[int]) -> None:
        store, turn = Store(), itertools.cycle(look_ups)

        def after_a_while(found: Found) -> Found:
            clock.sleep(next(turn))
            return found

        try:
            clock.sleep(begin)
            for _ in range(TRIES):
                try:
                    made = carry_out(sandbox, store, after_a_while, clock, f"invoice {before}")
                except (NexusClaimLostError, NexusAmbiguousWriteError):
                    clock.sleep(again)
                else:
                    ended.append(made["orderCode"])
                    break
        finally:
            clock.leave()

    threads = [threading.Thread(target=run, args=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(sandbox.truth("orders")) == before + 1
    assert ended == ended[:1] * len(tasks)
    assert not variables
