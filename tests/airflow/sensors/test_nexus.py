from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import pytest
from airflow.sdk import DAG, BaseNotifier, Context

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.watch.statuses import WaitState, goal_of
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of

MODES: dict[str, dict[str, Any]] = {"poke": {}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}
QUICK = {"poke_interval": 0.2, "max_interval": 0.2}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(customers=60, transactions=500, days=1, clock_speed=0, arrivals_per_hour=0) as sandbox, connection(sandbox):
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.reset()
    yield running
    running.configure(faults=())


def records(sandbox: Sandbox, resource: str = "transactions") -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in sandbox.truth(resource)]


def with_verdict(sandbox: Sandbox, verdict: WaitState, resource: str = "transactions") -> dict[str, Any]:
    goal = goal_of(get_resource(resource))
    return next(record for record in records(sandbox, resource) if goal.judge(record["status"]) is verdict)


def succeeding(sandbox: Sandbox, resource: str = "transactions") -> list[str]:
    """Codes of records that are in flight now and will succeed."""
    goal, key = goal_of(get_resource(resource)), get_resource(resource).key[0]
    waiting = {r[key] for r in records(sandbox, resource) if goal.judge(r["status"]) is WaitState.PENDING}
    sandbox.advance(20 * 86_400)
    good = [r[key] for r in records(sandbox, resource) if r[key] in waiting and goal.judge(r["status"]) is WaitState.REACHED]
    sandbox.reset()
    return good


@contextmanager
def later(do: Callable[[], Any], seconds: float = 1.0) -> Iterator[None]:
    timer = Timer(seconds, do)
    timer.start()
    yield
    timer.join()


def waited(code: Any, **given: Any) -> tuple[str, Any]:
    with DAG("wait", schedule=None) as dag:
        NexusStatusSensor(task_id="wait", **{"resource": "transactions", "code": code, **QUICK, **given})
    run = run_dag(dag)
    return state_of(run, "wait"), xcom_of(run, "wait")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resource", ["transactions", "orders", "transfers"])
def test_it_returns_the_record_once_it_is_settled(sandbox: Sandbox, resource: str, mode: str) -> None:
    code = succeeding(sandbox, resource)[0]
    with later(lambda: sandbox.advance(20 * 86_400)):
        state, record = waited(code, resource=resource, **MODES[mode])
    assert state == "success"
    assert record[get_resource(resource).key[0]] == code
    assert record["status"].upper() in ("COMPLETED", "FILLED")


@pytest.mark.parametrize("mode", MODES)
def test_many_are_waited_for_together(sandbox: Sandbox, mode: str) -> None:
    codes = succeeding(sandbox)[:6]
    with later(lambda: sandbox.advance(20 * 86_400)):
        state, found = waited(codes, **MODES[mode])
    assert (state, [record["transactionCode"] for record in found]) == ("success", codes)


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_record_fails_the_task_with_its_reason(
    sandbox: Sandbox, mode: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    order = next(r for r in records(sandbox, "orders") if r["status"].upper() == "REJECTED")
    assert order["reason"]
    assert waited(order["orderCode"], resource="orders", **MODES[mode])[0] == "failed"
    assert order["reason"] in caplog.text + "".join(capsys.readouterr())


@pytest.mark.parametrize("mode", MODES)
def test_what_is_held_fails_waits_or_calls(sandbox: Sandbox, mode: str) -> None:
    code = with_verdict(sandbox, WaitState.HELD)["transactionCode"]
    told: list[str] = []
    assert waited(code, on_held="fail", **MODES[mode])[0] == "failed"
    assert waited(code, timeout=1.5, on_held_callback=_notifier(told), **MODES[mode])[0] == "failed"
    assert told == [code] if HAS_TASK_STATE or mode != "reschedule" else set(told) == {code}
    assert waited(code, target_statuses=["BLOCKED"], **MODES[mode])[0] == "success"


def _notifier(told: list[str]) -> BaseNotifier:
    class Held(BaseNotifier):
        template_fields = ("text",)

        def __init__(self) -> None:
            super().__init__()
            self.text = "{{ nexus_record.transactionCode }}"

        def notify(self, context: Context) -> None:
            told.append(self.text)

    return Held()


@pytest.mark.parametrize("mode", MODES)
def test_soft_fail_skips(sandbox: Sandbox, mode: str) -> None:
    failed = with_verdict(sandbox, WaitState.MISSED)["transactionCode"]
    assert waited(failed, soft_fail=True, **MODES[mode])[0] == "skipped"
    pending = with_verdict(sandbox, WaitState.PENDING)["transactionCode"]
    assert waited(pending, soft_fail=True, timeout=0.5, **MODES[mode])[0] == "skipped"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("status", "calls"), [(401, 1), (403, 1), (404, 1), (503, 4), (429, 4)])
def test_failed_looks_cost_what_they_should(sandbox: Sandbox, mode: str, status: int, calls: int) -> None:
    code = succeeding(sandbox)[0]
    sandbox.configure(faults=(Fault("status", status=status, times=-1),))
    state, _ = waited(code, max_consecutive_failures=4, **MODES[mode])
    # deferred: one look of the task, four of the trigger, one of the task that hears of it
    looks = calls if calls == 1 or mode != "deferrable" else 1 + calls + 1
    assert (state, sandbox.call_count) == ("failed", looks)


@pytest.mark.parametrize("mode", MODES)
def test_a_burst_is_survived_and_retry_after_kept(sandbox: Sandbox, mode: str) -> None:
    code = succeeding(sandbox)[0]
    faults = (Fault("status", status=503, times=1), Fault("drop", first=2), Fault("status", status=429, retry_after="1", first=3))
    sandbox.configure(faults=faults)
    with later(lambda: sandbox.advance(20 * 86_400), seconds=0.3):
        assert waited(code, **MODES[mode])[0] == "success"
    assert [call.status for call in sandbox.calls][:4] == [503, 0, 429, 200]


def test_a_record_that_does_not_exist_fails_at_once(sandbox: Sandbox) -> None:
    for mode in MODES.values():
        assert waited("NOSUCH", **mode)[0] == "failed"
        assert waited("NOSUCH", resource="transfers", **mode)[0] == "failed"


def test_a_transfer_made_this_very_second_is_found(sandbox: Sandbox) -> None:
    """Single transfers can't be read, so it is searched for in a list; the sandbox's clock stands still."""
    body = {"sourceType": "HotWallet", "sinkType": "Coldstore", "cryptoCode": "BTC", "amount": 1}
    NexusHook().run("POST", "/transfers", json=body)
    made = records(sandbox, "transfers")[-1]
    state, found = waited(made["transferCode"], resource="transfers", target_statuses=[made["status"]])
    assert (state, found["transferCode"]) == ("success", made["transferCode"])


def test_bad_arguments_call_nothing(sandbox: Sandbox) -> None:
    wrong: tuple[dict[str, Any], ...] = ({"code": []}, {"target_statuses": ["NOSUCH"]}, {"resource": "prices"})
    for arguments in wrong:
        with DAG("bad", schedule=None) as dag:
            sensor = NexusStatusSensor(task_id="wait", resource="transactions", code="X")
            for name, value in arguments.items():
                setattr(sensor, name, value)  # as a template may make it
        assert state_of(run_dag(dag), "wait") == "failed"
    assert sandbox.call_count == 0
