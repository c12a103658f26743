from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.sdk import DAG, Param

from airflow_provider_nexus.api.records import as_plain
from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConfigurationError
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.sandbox import Fault, Sandbox
from airflow_provider_nexus.writes.ledger import LEDGER_KEY
from tests.airflow.nexus import connection
from tests.airflow.running import run_dag, state_of, xcom_of

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from fastapi.testclient import TestClient


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(customers=20, transactions=100, days=2, clock_speed=0) as running, connection(running):
        yield running


def test_a_call_with_templates_and_the_dags_params(sandbox: Sandbox) -> None:
    code = json.loads(sandbox.truth("transactions")[0])["transactionCode"]
    with DAG("call", schedule=None, params={"code": Param(code), "unrelated": Param(1)}) as dag:
        NexusOperator(task_id="one", endpoint="/transactions/custodian/{{ params.code }}")
        NexusOperator(
            task_id="filtered",
            endpoint="/transactions/custodian",
            query={"transactionCode": "{{ params.code }}", "limit": 3},
            response_filter=lambda page: [record["transactionCode"] for record in page["records"]],
        )
    run = run_dag(dag)
    assert run.state == "success"
    assert xcom_of(run, "one")["transactionCode"] == code
    assert xcom_of(run, "filtered") == [code]
    queries = [call.query for call in sandbox.calls if call.path == "/transactions/custodian"]
    assert {name.lower(): value for name, value in queries[-1].items()} == {"transactioncode": code, "limit": "3"}


def test_xcom_keeps_every_digit(sandbox: Sandbox) -> None:
    raw = next(raw for raw in sandbox.truth("transactions") if json.loads(raw)["requestedAmounts"])
    sent = json.loads(raw, parse_float=Decimal, parse_int=Decimal)
    with DAG("digits", schedule=None) as dag:
        NexusOperator(task_id="read", endpoint=f"/transactions/custodian/{sent['transactionCode']}")
    got = xcom_of(run_dag(dag), "read")
    assert Decimal(got["requestedAmounts"]["cryptoAmount"]) == sent["requestedAmounts"]["cryptoAmount"]
    assert got["requestedAmounts"]["cryptoAmount"] == str(sent["requestedAmounts"]["cryptoAmount"])
    assert datetime.fromisoformat(got["created"]) == datetime.fromisoformat(sent["created"])


def test_the_filter_sees_decimals_and_pendulum(sandbox: Sandbox) -> None:
    seen: list[Any] = []
    with DAG("typed", schedule=None) as dag:
        NexusOperator(
            task_id="read",
            endpoint="/orders",
            query={"limit": 1},
            response_filter=lambda page: seen.append((page["records"][0]["created"], page["records"][0]["amount"])),
        )
    run_dag(dag)
    created, amount = seen[0]
    assert isinstance(created, pendulum.DateTime)
    assert isinstance(amount, Decimal)


def test_a_write_goes_out_once_with_its_digits(sandbox: Sandbox) -> None:
    with DAG("write", schedule=None) as dag:
        NexusOperator(
            task_id="create",
            method="post",
            endpoint="/customer",
            json={"customerCode": "FROM-A-DAG", "trustLevel": json.loads(sandbox.truth("trust_levels")[0])["name"]},
        )
    run = run_dag(dag)
    assert xcom_of(run, "create")["customerCode"] == "FROM-A-DAG"
    assert len([call for call in sandbox.calls if call.method == "POST"]) == 1


def test_an_error_fails_the_task(sandbox: Sandbox) -> None:
    with DAG("missing", schedule=None) as dag:
        NexusOperator(task_id="read", endpoint="/orders/NONE")
    run = run_dag(dag)
    assert (run.state, state_of(run, "read")) == ("failed", "failed")


def test_the_log_of_a_task_warns_of_the_end_of_its_key(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    day = (sandbox.now + timedelta(days=3)).date().isoformat()
    with DAG("key_ends", schedule=None) as dag:
        NexusOperator(task_id="call", endpoint="/labelpartner")
    with connection(sandbox, extra={"key_expires": day}):
        run = run_dag(dag)
    assert run.state == "success"
    assert "".join(capfd.readouterr()).count(f"The API key expires on {day}") == 1


def test_mapped(sandbox: Sandbox) -> None:
    codes = [json.loads(raw)["orderCode"] for raw in sandbox.truth("orders")[:3]]
    with DAG("mapped", schedule=None) as dag:
        NexusOperator.partial(task_id="read", query={"x": "1"}).expand(endpoint=[f"/orders/{code}" for code in codes])
    run = run_dag(dag)
    assert run.state == "success"
    assert [call.query for call in sandbox.calls][-3:] == [{"x": "1"}] * 3


RETRIES: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0)}
has_store = pytest.mark.skipif(not HAS_TASK_STATE, reason="tasks have a state store from Airflow 3.3 on")


@pytest.fixture
def trouble(sandbox: Sandbox) -> Iterator[Callable[..., None]]:
    """Orders faults, on a sandbox that has seen nothing yet."""

    def order(*faults: Fault) -> None:
        sandbox.configure(faults=faults)
        sandbox.reset()

    yield order
    order()


def creating(code: str, **options: Any) -> NexusOperator:
    body = {"code": code}
    return NexusOperator(task_id="create", method="POST", endpoint="/portfolios", json=body, **{**RETRIES, **options})


def posts(sandbox: Sandbox) -> int:
    return len([call for call in sandbox.calls if call.method == "POST"])


class DyingWorker(NexusOperator):
    """Its worker dies in the first tries, when the call has left."""

    deaths = 1

    def _finish(self, context: Any, values: Any) -> Any:
        if context["ti"].try_number <= self.deaths:
            raise _Death
        return super()._finish(context, values)


class _Death(BaseException):
    """Nothing but the mark is left behind, as with a killed process."""


@pytest.mark.parametrize("kind", ["drop", "drop_after", "truncate", "status"])
def test_an_ambiguous_call_goes_out_once_for_all_tries(sandbox: Sandbox, trouble: Callable[..., None], kind: Any) -> None:
    trouble(Fault(kind, method="POST", times=-1))
    with DAG("ambiguous", schedule=None) as dag:
        creating("P-1")
    assert state_of(run_dag(dag), "create") == "failed"
    assert posts(sandbox) == 1


def test_a_call_that_was_refused_goes_out_once(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble(Fault("status", method="POST", status=400, times=-1))
    with DAG("refused", schedule=None) as dag:
        creating("P-1")
    assert state_of(run_dag(dag), "create") == "failed"
    assert posts(sandbox) == 1


def test_a_call_that_was_one_too_many_goes_out_again(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble(Fault("status", method="POST", status=429, retry_after="0"))
    with DAG("too_many", schedule=None) as dag:
        creating("P-1")
    assert run_dag(dag).state == "success"
    assert posts(sandbox) == 2


def test_a_call_that_never_left_is_tried_again(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble()
    with DAG("nowhere", schedule=None) as dag:
        creating("P-1", nexus_conn_id="{{ 'nexus_nowhere' if ti.try_number == 1 else 'nexus_default' }}")
    with connection(sandbox, "nexus_nowhere", host="http://127.0.0.1:9", extra={"retries": 0}):
        run = run_dag(dag)
    assert run.state == "success"
    assert posts(sandbox) == 1


def test_a_filter_that_fails_does_not_send_the_call_again(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble()
    with DAG("bad_filter", schedule=None) as dag:
        creating("P-1", response_filter=lambda values: values["no such field"])
    assert state_of(run_dag(dag), "create") == "failed"
    assert posts(sandbox) == 1


def test_a_read_is_tried_again(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble(Fault("status", path="/orders", status=500, times=2))
    with DAG("again", schedule=None) as dag:
        NexusOperator(task_id="read", endpoint="/orders", response_filter=len, **RETRIES)
    assert run_dag(dag).state == "success"


def marks(api: TestClient, run: DagRun) -> list[str]:
    """The key in the state store of the run's task ``create`` where that says that a call may be on its way."""
    answer = api.get(f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/create/state-store")
    assert answer.status_code == 200, answer.text
    kept = {entry["key"]: entry["value"] for entry in answer.json()["task_state_store"]}
    known = json.loads(kept[LEDGER_KEY]) if isinstance(kept.get(LEDGER_KEY), str) else kept.get(LEDGER_KEY)
    return [LEDGER_KEY] if known and known["sent"] else []


@has_store
def test_a_call_of_a_worker_that_died_is_not_sent_again(
    sandbox: Sandbox, trouble: Callable[..., None], airflow_api: TestClient
) -> None:
    trouble()
    errors: list[Any] = []
    with DAG("dead_worker", schedule=None) as dag:
        DyingWorker(
            task_id="create",
            method="POST",
            endpoint="/portfolios",
            json={"code": "P-1"},
            on_failure_callback=lambda context: errors.append(context["exception"]),
            **RETRIES,
        )
    run = run_dag(dag)
    assert state_of(run, "create") == "failed"
    assert posts(sandbox) == 1
    assert [type(error) for error in errors] == [NexusAmbiguousWriteError]
    assert re.search(
        r"POST /portfolios: an earlier try of this task sent it at 2\S+, .* delete 'nexus_write'.*Look", str(errors[0])
    )
    assert marks(airflow_api, run) == [LEDGER_KEY]


@has_store
@pytest.mark.parametrize("status", [0, 400])
def test_no_mark_is_left_when_the_end_is_known(
    sandbox: Sandbox, trouble: Callable[..., None], airflow_api: TestClient, status: int
) -> None:
    trouble(*[Fault("status", method="POST", status=status, times=-1)] if status else [])
    with DAG(f"marks_{status}", schedule=None) as dag:
        creating("P-1")
    run = run_dag(dag)
    assert run.state == ("failed" if status else "success")
    assert marks(airflow_api, run) == []


@has_store
def test_the_mark_of_an_ambiguous_call_stays(sandbox: Sandbox, trouble: Callable[..., None], airflow_api: TestClient) -> None:
    trouble(Fault("drop_after", method="POST"))
    with DAG("marked", schedule=None) as dag:
        creating("P-1")
    assert marks(airflow_api, run_dag(dag)) == [LEDGER_KEY]


def test_a_task_that_runs_out_of_time_does_not_send_again(sandbox: Sandbox, trouble: Callable[..., None]) -> None:
    trouble(Fault("slow", method="POST", seconds=3, times=-1))
    with DAG("out_of_time", schedule=None) as dag:
        creating("P-1", execution_timeout=timedelta(seconds=1))
    assert state_of(run_dag(dag), "create") == "failed"
    assert posts(sandbox) == 1


def test_as_plain() -> None:
    value = {"a": Decimal("-1E-05"), "b": [pendulum.datetime(2026, 1, 2), pendulum.date(2026, 1, 2)], "c": (None, True, 3, "x")}
    assert as_plain(value) == {"a": "-0.00001", "b": ["2026-01-02T00:00:00+00:00", "2026-01-02"], "c": [None, True, 3, "x"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": None}, "method is None: give one of GET, HEAD"),
        ({"method": ""}, "method is '': give one of GET, HEAD"),
        ({"method": "FETCH"}, "method is 'FETCH': give one of GET, HEAD"),
        ({"method": 1}, "method is 1: give one of GET, HEAD"),
        ({"response_filter": "x"}, "response_filter is 'x': give a function"),
        ({"response_filter": {}}, "response_filter is {}: give a function"),
        ({"response_filter": "{{ x }}"}, "response_filter is .*, and Airflow renders no template in it"),
        ({"method": "POST", "json": '{"a": 1}'}, r"json is '\{\"a\": 1\}', a str, .*render_template_as_native_obj=True"),
        ({"method": "POST", "json": ""}, "json is '', a str"),
        ({"method": "POST", "json": b"{}"}, "json is b'{}', a bytes"),
        ({"method": "POST", "json": 5}, "json is 5, an int"),
    ],
)
def test_what_can_not_be_sent_is_refused_where_the_dag_is_parsed(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(NexusConfigurationError, match=said):
        NexusOperator(task_id="call", endpoint="/orders", **arguments)


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"method": "{{ params.nothing }}"}, None),
        ({"method": "{{ 'FETCH' }}"}, None),
        ({"method": "{{ '' }}"}, None),
        ({"method": "POST", "json": "{{ params.body }}"}, None),
        ({"method": "POST", "json": "{{ params.body | tojson }}"}, None),
        ({"method": "{{ 'get' }}"}, "GET"),
    ],
)
def test_what_a_template_makes_is_refused_before_anything_is_sent(
    sandbox: Sandbox, arguments: dict[str, Any], sent: str | None
) -> None:
    before = len(sandbox.calls)
    with DAG("rendered", schedule=None, params={"nothing": None, "body": {"a": 1}}) as dag:
        NexusOperator(task_id="call", endpoint="/orders", query={"limit": 1} if sent else None, **arguments)
    assert run_dag(dag).state == ("success" if sent else "failed")
    assert [call.method for call in sandbox.calls[before:]] == ([sent] if sent else [])


def test_a_body_that_is_rendered_as_what_it_is_goes_out(sandbox: Sandbox) -> None:
    before = len(sandbox.calls)
    with DAG("native", schedule=None, render_template_as_native_obj=True, params={"body": {"a": 1}}) as dag:
        NexusOperator(task_id="call", endpoint="/portfolios", method="POST", json="{{ params.body }}")
    run_dag(dag)
    assert [call.method for call in sandbox.calls[before:]] == ["POST"]
