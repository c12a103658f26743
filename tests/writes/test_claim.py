"""Two tries of one write at the same time: every order of their steps on the ledger, and the same against a real server."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusClaimLostError, NexusConflictError, NexusError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.writes.exchange import order_write
from airflow_provider_nexus.writes.ledger import LEDGER_KEY, Claim, Ledger, MemoryLedger, known_to, remember
from airflow_provider_nexus.writes.once import Once, Write
from tests.extract.serving import client_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Market", "crypto": "BTC", "currency": "EUR", "amount": "100.50"}


class Stepper(MemoryLedger):
    """A ledger whose every step waits for its turn in a schedule of two tries."""

    def __init__(self, schedule: tuple[int, ...]) -> None:
        super().__init__()
        self._schedule, self._at = schedule, 0
        self._turn = threading.Condition()
        self._out: set[int] = set()
        self.number = threading.local()

    def get(self, key: str) -> Any:
        self._step()
        return super().get(key)

    def set(self, key: str, value: Any) -> None:
        self._step()
        super().set(key, value)

    def leave(self) -> None:
        """This try is at its end: its turns are void."""
        with self._turn:
            self._out.add(self.number.value)
            self._turn.notify_all()

    def _step(self) -> None:
        with self._turn:
            self._turn.wait_for(self._is_mine)
            self._at += 1
            self._turn.notify_all()

    def _is_mine(self) -> bool:
        while self._at < len(self._schedule) and self._schedule[self._at] in self._out:
            self._at += 1
        return self._at >= len(self._schedule) or self._schedule[self._at] == self.number.value


def under(schedule: tuple[int, ...]) -> tuple[int, bool]:
    """How many of two tries send, when they take their steps in this order, and whether a third one is in doubt then."""
    ledger, sent = Stepper(schedule), []
    MemoryLedger.set(ledger, LEDGER_KEY, {})  # a try before has been here, and has sent nothing

    def attempt(number: int) -> None:
        ledger.number.value = number
        try:
            claim = Claim(ledger)
            if not claim.take().sent:
                claim.mark(NOW)
                sent.append(number)
        except NexusClaimLostError:
            pass
        finally:
            ledger.leave()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ledger.number.value = 2
    return len(sent), bool(Claim(ledger).take().sent)


STEPS = 8
"""Steps of one try on the ledger: owner, claim, what is known; what is known, owner, what is known, mark, owner again."""


def schedules() -> Iterator[tuple[int, ...]]:
    """All orders in which the first try begins: the two are alike."""
    for places in itertools.combinations(range(1, 2 * STEPS), STEPS - 1):
        yield tuple(0 if at in (0, *places) else 1 for at in range(2 * STEPS))


@pytest.mark.long
def test_no_order_of_their_steps_lets_both_send() -> None:
    ended = Counter(under(schedule) for schedule in schedules())
    assert sum(ended.values()) == 6435
    assert {sent for sent, _ in ended} == {0, 1}
    assert (1, False) not in ended, "something was sent, and the next try would not know"
    assert ended[0, True] + ended[0, False] < ended[1, True] / 10, "mostly one goes on"


def test_a_mark_of_another_try_is_never_taken_away() -> None:
    ledger = MemoryLedger()
    first, second = Claim(ledger), Claim(ledger)
    first.take()
    first.mark(NOW)
    second.take()
    second.clear()
    assert known_to(ledger).sent
    first.clear()
    assert not known_to(ledger).sent


def test_who_finds_itself_replaced_withdraws_its_mark() -> None:
    class Replaced(MemoryLedger):
        def set(self, key: str, value: Any) -> None:
            super().set(key, value)
            if isinstance(value, dict) and value["sent"]:
                assert later.take().sent, "it can't be known yet"

    ledger = Replaced()
    earlier, later = Claim(ledger), Claim(ledger)
    earlier.take()
    with pytest.raises(NexusClaimLostError, match="has claimed this write by now"):
        earlier.mark(NOW)
    assert later.was_withdrawn(known_to(ledger))


def test_a_code_that_came_meanwhile_keeps_a_try_from_sending() -> None:
    ledger = MemoryLedger()
    claim = Claim(ledger)
    claim.take()
    remember(ledger, code="ORD-1")
    with pytest.raises(NexusClaimLostError, match="has carried this write out meanwhile"):
        claim.mark(NOW)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=2, transactions=10, days=1, clock_speed=0, arrivals_per_hour=0) as running:
        yield running


def at_once(sandbox: Sandbox, ledgers: list[MemoryLedger], reference: str) -> list[Any]:
    """What tries end in that all have looked before any of them sends."""
    all_have_looked = threading.Barrier(len(ledgers))
    ended: list[Any] = [None] * len(ledgers)

    def attempt(number: int) -> None:
        client = client_of(sandbox, allow_writes=True)
        once = Once(client, ledgers[number], pauses=(0.0,), sleep=lambda _: time.sleep(0.01))
        try:
            ended[number] = once.carry_out(_looking_together(client, reference, all_have_looked), sandbox.now)
        except NexusError as error:
            ended[number] = error
        finally:
            client.session.close()

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(len(ledgers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return ended


def _looking_together(client: NexusClient, reference: str, barrier: threading.Barrier) -> Write:
    write = order_write(client, ORDER, reference)
    find: Callable[[datetime], Any] = write.find  # type: ignore[assignment]
    looks = itertools.count()

    def find_together(since: datetime) -> Any:
        found = find(since)
        if next(looks) == 0:
            barrier.wait(30)
        return found

    return Write(**{**{name: getattr(write, name) for name in write.__dataclass_fields__}, "find": find_together})


def test_two_tries_that_share_a_ledger_make_one(sandbox: Sandbox) -> None:
    for number in range(5):
        before = len(sandbox.truth("orders"))
        ledger: Ledger = MemoryLedger()
        ended = at_once(sandbox, [ledger, ledger], f"shared {number}")  # type: ignore[list-item]
        assert len(sandbox.truth("orders")) == before + 1
        codes = [end["orderCode"] for end in ended if isinstance(end, dict)]
        assert codes == [json.loads(sandbox.truth("orders")[-1])["orderCode"]] * len(codes) != []
        assert all(isinstance(end, dict | NexusAmbiguousWriteError) for end in ended)


def test_tries_that_share_none_end_loudly_and_name_every_record(sandbox: Sandbox) -> None:
    before = len(sandbox.truth("orders"))
    ledgers = [MemoryLedger(), MemoryLedger(), MemoryLedger()]
    ended = at_once(sandbox, ledgers, "apart")
    codes = {known_to(ledger).code for ledger in ledgers}
    assert len(sandbox.truth("orders")) - before == len(codes) == 3
    loud = [end for end in ended if isinstance(end, NexusConflictError)]
    assert any(all(code in str(error) for code in codes) for error in loud), ended
    client = client_of(sandbox, allow_writes=True)
    for ledger in (*ledgers, MemoryLedger()):
        with pytest.raises(NexusConflictError, match=r"3 records carry one reference, 'apart': .*cancel or reverse"):
            Once(client, ledger, pauses=()).carry_out(order_write(client, ORDER, "apart"), sandbox.now)
    for code in sorted(codes)[1:]:
        client.run("PUT", f"/orders/{code}/cancel")
    assert Once(client, MemoryLedger()).carry_out(order_write(client, ORDER, "apart"), sandbox.now)["orderCode"] == min(codes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "2500"}, "amount is 100.50, asked for is 2500"),
        ({"type": "Limit", "limitPrice": "50000"}, "type is 'Market', asked for is 'Limit'"),
        ({"action": "Sell"}, "action is 'Buy', asked for is 'Sell'"),
        ({"crypto": "ETH"}, "cryptoCode is 'BTC', asked for is 'ETH'"),
        ({"currency": "USD"}, "currencyCode is 'EUR', asked for is 'USD'"),
        ({"exchangeCode": "BITSTAMP"}, "exchangeCode is 'KRAKEN', asked for is 'BITSTAMP'"),
    ],
)
def test_what_is_found_must_be_what_is_asked_for(sandbox: Sandbox, changes: dict[str, str], said: str) -> None:
    sandbox.reset()
    client = client_of(sandbox, allow_writes=True)
    made = Once(client, MemoryLedger(), pauses=()).carry_out(order_write(client, ORDER, "invoice"), sandbox.now)
    before = len(sandbox.truth("orders"))
    with pytest.raises(NexusConflictError) as caught:
        Once(client, MemoryLedger(), pauses=()).carry_out(order_write(client, {**ORDER, **changes}, "invoice"), sandbox.now)
    assert f"{made['orderCode']} carries its reference and is another: {said}" in str(caught.value)
    assert len(sandbox.truth("orders")) == before
    same = order_write(client, {**ORDER, "amount": "100.5", "crypto": "btc"}, "invoice")
    assert Once(client, MemoryLedger()).carry_out(same, sandbox.now)["orderCode"] == made["orderCode"]
