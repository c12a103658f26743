"""What a task knows of an earlier try: with Airflow's store, without it, and where that was emptied."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from tests.airflow.trials import MEMORIES, Trial, begin, how_it_ended, workers
from tests.client.socket_server import free_port

ORDER = {
    "exchange_code": "KRAKEN",
    "action": "Buy",
    "order_type": "Market",
    "crypto_code": "BTC",
    "currency_code": "EUR",
    "amount": "100.50",
}


class Tries:
    """Tries of one task, each in a process of its own."""

    def __init__(self, sandbox: Sandbox, folder: Path, memory: str) -> None:
        self._sandbox, self._folder, self._memory, self._context = sandbox, folder, memory, workers()
        self._began: datetime = sandbox.now
        self._before = len(sandbox.truth("orders"))

    def attempt(self, number: int, *, host: str = "", **changes: Any) -> tuple[str, Any]:
        stored = {
            "conn_type": "nexus",
            "host": host or self._sandbox.base_url,
            "password": self._sandbox.token,
            "extra": {"allow_writes": True, "retries": 0},
        }
        given = {"operator": "NexusCreateOrderOperator", "arguments": ORDER, **changes}
        trial = Trial(
            run="run",
            began=self._began,
            number=number,
            memory=self._memory,
            folder=self._folder,
            connection=json.dumps(stored),
            **given,
        )
        return how_it_ended(begin(self._context, trial), trial)

    @property
    def made(self) -> int:
        return len(self._sandbox.truth("orders")) - self._before


@pytest.fixture
def tries(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Tries:
    return Tries(sandbox, tmp_path, request.param)


with_each_memory = pytest.mark.parametrize("tries", MEMORIES, indirect=True)
only_variables = pytest.mark.parametrize("tries", ["variables"], indirect=True)


@only_variables
def test_without_a_store_a_try_that_left_no_trace_is_taken_to_have_sent(tries: Tries) -> None:
    how, text = tries.attempt(2)
    assert (how, tries.made) == ("NexusAmbiguousWriteError", 0)
    assert "an earlier try may have sent it" in text
    assert "set the Airflow Variable 'nexus_write__" in text


@only_variables
def test_without_a_store_a_try_that_was_there_and_sent_nothing_is_known(tries: Tries) -> None:
    assert tries.attempt(1, dies_at=5)[0] == "killed"
    assert tries.made == 0
    assert tries.attempt(2)[0] == "success"
    assert tries.made == 1


@pytest.mark.skipif("store" not in MEMORIES, reason="Airflow 3.3 and later")
@pytest.mark.parametrize("tries", ["store"], indirect=True)
def test_a_store_that_is_emptied_after_success_proves_nothing(tries: Tries) -> None:
    emptied = {"AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS": "True"}
    assert tries.attempt(2, environment=emptied)[0] == "NexusAmbiguousWriteError"


@pytest.mark.skipif("store" not in MEMORIES, reason="Airflow 3.3 and later")
@pytest.mark.parametrize("tries", ["store"], indirect=True)
def test_an_empty_store_means_that_nothing_was_sent(tries: Tries) -> None:
    assert (tries.attempt(2)[0], tries.made) == ("success", 1)


@with_each_memory
@pytest.mark.parametrize("reference", [None, "invoice-17"])
def test_a_try_that_reached_nobody_leaves_no_doubt(sandbox: Sandbox, tries: Tries, reference: str | None) -> None:
    own: dict[str, Any] = {"arguments": {**ORDER, **({"reference": reference} if reference else {})}}
    sandbox.configure(faults=(Fault("status", status=401, path="/orders", method="POST", times=1),))
    assert tries.attempt(1, **own)[0] == "NexusAuthenticationError"
    assert tries.attempt(2, host=f"http://127.0.0.1:{free_port()}", **own)[0] == "NexusConnectionError"
    assert tries.attempt(3, **own)[0] == "success"
    assert tries.made == 1


@with_each_memory
def test_a_plain_call_is_made_once_for_all_retries_and_anew_when_it_is_cleared(sandbox: Sandbox, tries: Tries) -> None:
    """Airflow may lose a worker after the call and before it hears of the success: the next try is a retry then."""

    def call(code: str) -> dict[str, Any]:
        return {
            "operator": "NexusOperator",
            "arguments": {"method": "POST", "endpoint": "/portfolios", "json": {"code": code}},
        }

    assert tries.attempt(1, **call("P-1"))[0] == "success"
    assert tries.attempt(2, max_tries=100, **call("P-2"))[0] == "success", "it was cleared"
    how, text = tries.attempt(3, max_tries=100, **call("P-3"))
    assert (how, "Look up by hand" in text) == ("NexusAmbiguousWriteError", True)
    assert [json.loads(raw)["code"] for raw in sandbox.truth("portfolios")][-2:] == ["P-1", "P-2"]


@with_each_memory
def test_a_plain_call_of_a_killed_worker_is_not_sent_again(sandbox: Sandbox, tries: Tries) -> None:
    call: dict[str, Any] = {
        "operator": "NexusOperator",
        "arguments": {"method": "POST", "endpoint": "/portfolios", "json": {"code": "P-17"}},
    }
    calls = sandbox.call_count
    assert tries.attempt(1, dies_at=12, **call)[0] == "killed"
    sent = sum(each.method == "POST" for each in sandbox.calls[calls - sandbox.call_count :])
    how, text = tries.attempt(2, **call)
    assert sent == 1
    assert (how, "an earlier try of this task sent it at 2" in text) == ("NexusAmbiguousWriteError", True)
    assert sum(each.method == "POST" and each.path == "/portfolios" for each in sandbox.calls) == 1
