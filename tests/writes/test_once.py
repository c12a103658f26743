from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusValidationError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.writes.ledger import LEDGER_KEY, MemoryLedger, known_to, remember
from airflow_provider_nexus.writes.once import Once, Write, choose_reference, code_in, reference_of
from tests.extract.serving import client_of

PATH = "/portfolios"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=2, transactions=2, days=1, clock_speed=0) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[NexusClient]:
    sandbox.reset()
    sandbox.configure(faults=())
    made = client_of(sandbox, allow_writes=True)
    yield made
    made.session.close()


def write(client: NexusClient, *, hidden_till: datetime | None = None, sandbox: Sandbox | None = None, **changes: Any) -> Write:
    """A portfolio, which shows in the list, by requested only from some moment on."""

    def find(_: datetime) -> list[dict[str, Any]]:
        rows = client.run("GET", PATH)
        if hidden_till and sandbox and sandbox.now < hidden_till:
            return []
        return [row for row in rows if row["code"] == "ONCE"]

    given: dict[str, Any] = {
        "method": "POST",
        "path": PATH,
        "body": {"code": "ONCE"},
        "find": find,
        "read": lambda code: {"code": code},
        "code_of": lambda answer: code_in(answer[0] if isinstance(answer, list) else answer, "code"),
        "record_of": lambda _: {"code": "ONCE"},
        "lookup_by_hand": "Look from {since} on.",
    }
    return Write(**{**given, **changes})


def once(client: NexusClient, ledger: MemoryLedger) -> Once:
    return Once(client, ledger, quiet=300.0, pauses=(0.0, 0.0), sleep=lambda _: None)


def posts(sandbox: Sandbox) -> int:
    return sum(call.method == "POST" for call in sandbox.calls)


def test_sent_once_and_then_known(sandbox: Sandbox, client: NexusClient) -> None:
    ledger = MemoryLedger()
    for _ in range(2):
        assert once(client, ledger).carry_out(write(client), sandbox.now) == {"code": "ONCE"}
    assert (posts(sandbox), known_to(ledger).code, known_to(ledger).sent) == (1, "ONCE", "")
    once(client, MemoryLedger()).carry_out(write(client), sandbox.now)
    assert posts(sandbox) == 1, "a ledger that forgot is helped by Nexus"


def test_marked_before_it_is_sent(sandbox: Sandbox, client: NexusClient) -> None:
    seen: list[Any] = []

    class Watched(MemoryLedger):
        def set(self, key: str, value: Any) -> None:
            if key == LEDGER_KEY:
                seen.append((posts(sandbox), value["sent"]))
            super().set(key, value)

    once(client, Watched()).carry_out(write(client), sandbox.now)
    assert [(made, bool(sent)) for made, sent in seen] == [(0, False), (0, True), (1, False)]


def test_a_lost_answer_is_looked_up(sandbox: Sandbox, client: NexusClient, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.configure(faults=(Fault(kind="drop_after", path=PATH, method="POST"),))
    with caplog.at_level(logging.INFO):
        assert once(client, MemoryLedger()).carry_out(write(client, is_personal=True), sandbox.now)["code"] == "ONCE"
    assert posts(sandbox) == 1
    assert "ONCE" not in caplog.text


def test_a_row_that_shows_late_is_waited_for(sandbox: Sandbox, client: NexusClient) -> None:
    ledger, shown = MemoryLedger(), sandbox.now + timedelta(seconds=290)
    sandbox.configure(faults=(Fault(kind="drop_after", path=PATH, method="POST"),))
    for pause in (100, 150, 60):
        with pytest.raises(NexusAmbiguousWriteError) as caught:
            once(client, ledger).carry_out(write(client, hidden_till=shown, sandbox=sandbox), datetime(2026, 1, 2, tzinfo=UTC))
        assert "Look from 2026-01-02T00:00:00Z on." in str(caught.value)
        assert pickle.loads(pickle.dumps(caught.value)).lookup == caught.value.lookup
        sandbox.advance(pause)
    once(client, ledger).carry_out(write(client, hidden_till=shown, sandbox=sandbox), sandbox.now)
    assert (posts(sandbox), known_to(ledger).code) == (1, "ONCE")


def test_what_the_answer_was_is_in_the_error_of_a_write_that_nobody_finds(sandbox: Sandbox, client: NexusClient) -> None:
    sandbox.configure(faults=(Fault(kind="status", path=PATH, method="POST", status=503),))
    with pytest.raises(NexusAmbiguousWriteError, match=r"HTTP 503; .*Look from ") as caught:
        once(client, MemoryLedger()).carry_out(write(client), sandbox.now)
    assert caught.value.status == 503


def test_sent_again_when_nothing_turned_up(sandbox: Sandbox, client: NexusClient) -> None:
    ledger = MemoryLedger()
    sandbox.configure(faults=(Fault(kind="drop", path=PATH, method="POST"),))
    with pytest.raises(NexusAmbiguousWriteError):
        once(client, ledger).carry_out(write(client), sandbox.now)
    sandbox.advance(301)
    once(client, ledger).carry_out(write(client), sandbox.now)
    assert posts(sandbox) == 2


@pytest.mark.parametrize("change", [{"find": None}, {"is_proof": False}])
def test_never_sent_again_where_absence_proves_nothing(sandbox: Sandbox, client: NexusClient, change: dict[str, Any]) -> None:
    ledger = MemoryLedger()
    sandbox.configure(faults=(Fault(kind="drop", path=PATH, method="POST"),))
    for _ in range(3):
        with pytest.raises(NexusAmbiguousWriteError):
            once(client, ledger).carry_out(write(client, **change), sandbox.now)
        sandbox.advance(9999)
    assert posts(sandbox) == 1


def test_a_refusal_takes_the_mark_away(sandbox: Sandbox, client: NexusClient) -> None:
    ledger = MemoryLedger()
    with pytest.raises(NexusValidationError):
        once(client, ledger).carry_out(write(client, body={}), sandbox.now)
    assert (known_to(ledger).sent, bool(known_to(ledger).first)) == ("", True)
    once(client, ledger).carry_out(write(client), sandbox.now)
    assert known_to(ledger).code == "ONCE"


def test_references() -> None:
    assert reference_of("dag", "run", "task", -1) == reference_of("dag", "run", "task", -1)
    assert reference_of("ab", "c") != reference_of("a", "bc")
    ledger = MemoryLedger()
    assert choose_reference(ledger, "one") == "one"
    remember(ledger, reference="two")
    assert choose_reference(ledger, "one") == "one", "nothing was sent with the other"
    remember(ledger, sent="2026-01-01T00:00:00+00:00")
    assert choose_reference(ledger, "three") == "two"
