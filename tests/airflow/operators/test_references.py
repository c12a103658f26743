"""References, codes and amounts as users give them, in real DAG runs: what protects, what is refused, what goes out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.models import Variable
from airflow.sdk import DAG
from airflow.sdk import task as task_of_python

from airflow_provider_nexus.compat import HAS_TASK_STATE
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConfigurationError, NexusConflictError
from airflow_provider_nexus.operators._once import AirflowLedger
from airflow_provider_nexus.operators.customers import NexusCreateCustomerOperator, NexusUpdateCustomerOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator, NexusPayoutTransactionOperator
from airflow_provider_nexus.operators.transfers import NexusCreateTransferOperator
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.writes.ledger import LEDGER_KEY
from tests.airflow.nexus import connection
from tests.airflow.operators.test_trading import ORDER, TRANSFER
from tests.airflow.running import run_dag, state_of, xcom_of
from tests.extract.serving import client_of

TWO_DAYS = timedelta(days=2)
BUY = {
    "customerCode": "giver",
    "cryptoCode": "BTC",
    "currencyCode": "EUR",
    "fiatValue": "25.50",
    "paymentMethodCode": "CUST_BUY_IDEAL",
}
GIFT = {**BUY, "fiatValue": "5", "paymentMethodCode": "CUST_GIFT"}


@pytest.fixture(scope="module")
def long_ago() -> Iterator[Sandbox]:
    """A Nexus that stands two days back, so that what is made in it is older than any run."""
    now = datetime.now(UTC).replace(microsecond=0) - TWO_DAYS
    with (
        Sandbox(customers=5, transactions=20, days=1, now=now, clock_speed=0, arrivals_per_hour=0) as running,
        connection(running, extra={"retries": 0}),
    ):
        yield running


@pytest.fixture
def sandbox(long_ago: Sandbox) -> Sandbox:
    long_ago.reset()
    long_ago.configure(faults=())
    client = client_of(long_ago, allow_writes=True)
    client.run("POST", "/customer", json={"customerCode": "giver", "trustLevel": "Trusted", "status": "ACTIVE"})
    client.session.close()
    return long_ago


def made(sandbox: Sandbox) -> int:
    return sum(len(sandbox.truth(name)) for name in ("transactions", "orders", "transfers"))


def kept(name: str) -> Any:
    """What a Variable holds in Airflow's database; ``None`` where there is none."""
    text = Variable.get(name, default_var=None)
    return None if text is None else json.loads(text)


def task(kind: str, **changes: Any) -> Any:
    """An operator of a kind, with a reference of the user's own."""
    given = {"task_id": "act", "reference": "invoice 17/4", **changes}
    if kind == "order":
        return NexusCreateOrderOperator(**{**ORDER, **given})
    if kind == "transfer":
        return NexusCreateTransferOperator(**{**TRANSFER, **given})
    return NexusCreateTransactionOperator(kind=kind, values={"buy": BUY, "gift": GIFT}[kind], **given)  # type: ignore[arg-type]


def ended(dag: DAG) -> tuple[str, BaseException | None]:
    """The state of the task of a run, and its error."""
    errors: list[BaseException] = []
    dag.get_task("act").on_failure_callback = [lambda context: errors.append(context["exception"])]  # type: ignore[arg-type]
    run = run_dag(dag)
    return state_of(run, "act"), errors[-1] if errors else None


@pytest.mark.parametrize("kind", ["buy", "gift", "order", "transfer"])
def test_a_reference_holds_in_a_run_days_later(sandbox: Sandbox, kind: str) -> None:
    before = made(sandbox)
    for number in (1, 2):
        with DAG(f"invoices_{kind}_{number}", schedule=None) as dag:
            task(kind)
        assert ended(dag) == ("success", None)
    assert made(sandbox) == before + 1


@pytest.mark.parametrize(("back", "more"), [(timedelta(hours=12), 1), (3600 * 72, 0)])
def test_how_far_back_it_is_searched_can_be_said(sandbox: Sandbox, back: timedelta | float, more: int) -> None:
    for number in (1, 2):
        before = made(sandbox)
        with DAG(f"searching_{number}", schedule=None) as dag:
            task("order", search_back=back)
        assert ended(dag)[0] == "success"
        sandbox.advance(600)
    assert made(sandbox) == before + more


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("buy", {"values": {**BUY, "fiatValue": "2500"}}, "fiatValue is 25.5.*, asked for is 2500"),
        ("buy", {"values": {**BUY, "cryptoCode": "ETH"}}, "cryptoCode is 'BTC', asked for is 'ETH'"),
        (
            "buy",
            {"kind": "broker_buy", "values": {**BUY, "paymentMethodCode": "BUY_IDEAL"}},
            "type is 'BUY', asked for is 'BROKERBUY'",
        ),
        ("gift", {"values": {**GIFT, "fiatValue": Decimal(50)}}, "fiatValue is 5.*, asked for is 50"),
        ("order", {"amount": "2500"}, "amount is 100.50, asked for is 2500"),
        ("order", {"action": "Sell"}, "action is 'Buy', asked for is 'Sell'"),
        ("transfer", {"amount": "25"}, "amount is 0.25.*, asked for is 25"),
        ("transfer", {"crypto_code": "ETH"}, "cryptoCode is 'BTC', asked for is 'ETH'"),
        ("transfer", {"sink_type": "Coldstore"}, "sinkType is 'HotWallet', asked for is 'Coldstore'"),
    ],
)
def test_the_same_reference_for_something_else(sandbox: Sandbox, kind: str, changes: dict[str, Any], said: str) -> None:
    with DAG("first", schedule=None) as dag:
        task(kind)
    assert ended(dag)[0] == "success"
    before = made(sandbox)
    with DAG("other", schedule=None) as dag:
        other = task(kind)
        for name, value in changes.items():
            setattr(other, name, value)
    state, error = ended(dag)
    assert state == "failed"
    with pytest.raises(Exception, match=f"carries its reference and is another: .*{said}"):
        raise error or AssertionError
    assert made(sandbox) == before


@pytest.mark.parametrize("kind", ["classic_buy", "classic_sell"])
def test_what_can_not_be_searched_takes_no_reference(kind: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=f"reference can't be given for a '{kind}'.*Leave it out"):
        NexusCreateTransactionOperator(task_id="act", kind=kind, values={}, reference="invoice-17")


@pytest.mark.parametrize("reference", ["", "None", " 17", "1\x007", 10000001, 1.5, None, ["17"]])
def test_references_that_are_none(sandbox: Sandbox, reference: Any) -> None:
    before, calls = made(sandbox), sandbox.call_count
    with DAG("odd_references", schedule=None) as dag:
        other = task("order")
        other.reference = reference if reference is not None else "{{ params.get('missing') }}"
    state, error = ended(dag)
    assert (state, made(sandbox)) == ("failed", before)
    assert "reference is " in str(error)
    assert sandbox.call_count == calls


def test_a_call_of_unknown_fate_keeps_every_run_from_sending_it(sandbox: Sandbox) -> None:
    """Also where Nexus does not know the reference; until a person has looked."""
    before = made(sandbox)
    sandbox.configure(faults=(Fault(kind="drop", path="/orders", method="POST"),))
    for number in (1, 2):
        with DAG(f"unknown_{number}", schedule=None) as dag:
            task("order")
        state, error = ended(dag)
        assert state == "failed"
        assert isinstance(error, NexusAmbiguousWriteError) or "Look through GET /orders" in str(error)
    assert made(sandbox) == before
    assert sum(call.method == "POST" and call.path == "/orders" for call in sandbox.calls) == 1
    name = AirflowLedger(None, sandbox.base_url, "/orders", "invoice 17/4")._name(LEDGER_KEY)
    assert kept(name)["sent"]
    assert f"set the Airflow Variable '{name}' to {{}}" in str(error)
    Variable.set(name, "{}")
    with DAG("unknown_3", schedule=None) as dag:
        task("order")
    assert ended(dag)[0] == "success"
    assert made(sandbox) == before + 1
    assert kept(name) is None, "what only guards goes when the record is made"


class TestNativeRendering:
    """``render_template_as_native_obj=True`` makes numbers of texts that look like some."""

    def run(self, build: Any, **params: Any) -> tuple[str, BaseException | None]:
        with DAG("native", schedule=None, params=params, render_template_as_native_obj=True) as dag:
            build()
        return ended(dag)

    @pytest.mark.parametrize("body", [{"amount": "{{ params.big }}"}, {"lines": [{"amount": "{{ params.big }}"}]}])
    def test_an_amount_that_lost_digits_does_not_go_out(self, sandbox: Sandbox, body: dict[str, Any]) -> None:
        calls = sandbox.call_count
        state, error = self.run(
            lambda: NexusOperator(task_id="act", method="POST", endpoint="/orders", json=body), big="12345678.12345678901234567"
        )
        assert (state, sandbox.call_count) == ("failed", calls)
        assert "amount is the float 12345678.12345679, which may have lost digits" in str(error)
        assert "\"'{{ ... }}'\"" in str(error)

    def test_how_to_keep_them(self, sandbox: Sandbox) -> None:
        body = {**BUY, "fiatValue": "'{{ params.big }}'"}
        state, _ = self.run(
            lambda: NexusOperator(task_id="act", method="POST", endpoint="/buy/custodian", json=body), big="25.50"
        )
        assert (state, b'"fiatValue":25.50' in sandbox.truth("transactions")[-1]) == ("success", True)

    @pytest.mark.parametrize(
        ("build", "resource", "kept"),
        [
            (lambda: task("order", reference="{{ params.code }}"), "orders", b'"reference":"1_000"'),
            (
                lambda: task("transfer", sink_type="Other", address="{{ params.address }}"),
                "transfers",
                b'"address":"0xa4d54b"',
            ),
            (lambda: task("transfer", amount="{{ params.amount }}"), "transfers", b'"amount":12.10'),
            (
                lambda: NexusCreateTransactionOperator(
                    task_id="act", kind="buy", values={**BUY, "callbackUrl": "{{ params.address }}"}
                ),
                "transactions",
                b'"callbackUrl":"0xa4d54b"',
            ),
        ],
    )
    def test_what_operators_take_as_text_stays_text(self, sandbox: Sandbox, build: Any, resource: str, kept: bytes) -> None:
        state, error = self.run(build, code="1_000", address="0xa4d54b", amount="12.10")
        assert state == "success", error
        assert kept in sandbox.truth(resource)[-1].replace(b": ", b":")

    def test_a_code_in_a_path_stays_text(self, sandbox: Sandbox) -> None:
        state, _ = self.run(
            lambda: NexusPayoutTransactionOperator(task_id="act", transaction_code="{{ params.code }}"), code="1_000"
        )
        assert (state, sandbox.calls[-1].path) == ("failed", "/transactions/custodian/1_000")

    def test_a_code_does_not_go_out_as_a_number(self, sandbox: Sandbox) -> None:
        calls = sandbox.call_count
        body = {"customerCode": "{{ params.code }}"}
        state, error = self.run(
            lambda: NexusOperator(task_id="act", method="POST", endpoint="/buy/custodian", json=body), code="10000001"
        )
        assert (state, sandbox.call_count) == ("failed", calls)
        assert "json.customerCode is the number 10000001, and a code is text: give it in quotes" in str(error)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: task("order", reference="{{ params.get('nothing') }}"), "reference"),
        (lambda: task("order", amount="{{ params.get('nothing') }}"), "amount"),
        (lambda: task("transfer", sink_type="Other", address="{{ params.get('nothing') }}"), "address"),
        (lambda: task("transfer", sink_type="Other", address="{{ params.blank }}"), "address"),
        (
            lambda: NexusPayoutTransactionOperator(
                task_id="act", transaction_code="T1", payment_reference="{{ params.get('nothing') }}"
            ),
            "payment_reference",
        ),
        (
            lambda: NexusCreateCustomerOperator(
                task_id="act", customer_code="{{ params.get('nothing') }}", trust_level="Trusted"
            ),
            "customer_code",
        ),
        (
            lambda: NexusUpdateCustomerOperator(task_id="act", customer_code="{{ params.get('nothing') }}", values={}),
            "customer_code",
        ),
        (lambda: NexusOperator(task_id="act", method="POST", endpoint="{{ params.get('nothing') }}"), "endpoint"),
    ],
)
def test_a_missing_value_is_refused(sandbox: Sandbox, native: bool, build: Any, name: str) -> None:
    calls = sandbox.call_count
    with DAG("missing", schedule=None, params={"blank": " "}, render_template_as_native_obj=native) as dag:
        build()
    state, error = ended(dag)
    assert (state, sandbox.call_count) == ("failed", calls)
    assert f"{name} is " in str(error)


@pytest.mark.parametrize("name", ["reference", "address"])
def test_a_task_that_returned_nothing(sandbox: Sandbox, name: str) -> None:
    @task_of_python
    def nothing() -> None:
        return None

    calls = sandbox.call_count
    with DAG("nothing", schedule=None) as dag:
        task("transfer", **{name: nothing()})
    state, error = ended(dag)
    assert (state, sandbox.call_count) == ("failed", calls)
    assert f"{name} is None, which is what a template or another task makes of a missing value" in str(error)


def test_a_mapped_task_without_a_reference(sandbox: Sandbox) -> None:
    with DAG("mapped", schedule=None) as dag:
        NexusCreateOrderOperator.partial(task_id="act", **ORDER).expand(reference=["a", None])
    before = made(sandbox)
    run = run_dag(dag)
    states = {instance.map_index: str(instance.state) for instance in run.get_task_instances()}
    assert (states, made(sandbox)) == ({0: "success", 1: "failed"}, before + 1)


@pytest.mark.parametrize("argument", ["search_back", "resend_after"])
@pytest.mark.parametrize("value", ["30", Decimal(60), True, -1, float("nan"), float("inf"), 1e12, timedelta.max, timedelta(-1)])
def test_spans_that_are_none_are_refused_when_the_dag_is_parsed(argument: str, value: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=f"{argument} is .*: give a timedelta or seconds"):
        task("order", **{argument: value})


@pytest.mark.parametrize("reference", ["", "None", " 17", "1\x007", "\ud800", 17])
def test_references_that_are_none_are_refused_when_the_dag_is_parsed(reference: Any) -> None:
    with pytest.raises(NexusConfigurationError, match="reference is "):
        task("order", reference=reference)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**BUY, "FiatValue": "30.00"}, "both 'fiatValue' and 'FiatValue'"),
        ({**BUY, "currencyCode": 978}, "currencyCode is the number 978"),
        ({**BUY, "fiatValue": "1_000"}, "fiatValue is '1_000': give an amount above zero"),
        ({**BUY, "fiatValue": "0x10"}, "fiatValue is '0x10': give an amount above zero"),
        ({**BUY, "fiatValue": "1,000.00"}, "fiatValue is '1,000.00': give an amount above zero"),
        ({**BUY, "data": {"Reference": "mine"}}, r"data\['reference'\] is where"),
        ({**BUY, "PaymentReference": "Z"}, "reference is 'invoice 17/4' and values have another paymentReference, 'Z'"),
    ],
)
def test_values_that_can_be_read_in_two_ways(sandbox: Sandbox, values: dict[str, Any], said: str) -> None:
    before = made(sandbox)
    kind: Any = "gift" if "data" in values else "buy"
    with DAG("two_ways", schedule=None) as dag:
        task(kind).values = values  # as a template may make them
    state, error = ended(dag)
    assert (state, made(sandbox)) == ("failed", before)
    with pytest.raises(Exception, match=said):
        raise error or AssertionError


@pytest.mark.skipif(not HAS_TASK_STATE, reason="below Airflow 3.3 there is no other memory than the Variable")
def test_the_variable_is_shared_and_the_store_is_the_tasks_own(sandbox: Sandbox) -> None:
    with DAG("shared", schedule=None) as dag:
        task("transfer")
    assert ended(dag)[0] == "success"
    assert kept(AirflowLedger(None, sandbox.base_url, "/transfers", "invoice 17/4")._name(LEDGER_KEY)) is None


def test_one_transaction_twice_is_named_with_its_twin(sandbox: Sandbox) -> None:
    client = client_of(sandbox, allow_writes=True)
    for _ in range(2):
        client.run("POST", "/buy/custodian", json={**BUY, "fiatValue": Decimal("25.50"), "paymentReference": "invoice 17/4"})
    codes = [json.loads(raw)["transactionCode"] for raw in sandbox.truth("transactions")[-2:]]
    with DAG("twins", schedule=None) as dag:
        task("buy")
    state, error = ended(dag)
    assert state == "failed"
    assert isinstance(error, NexusConflictError) or "2 records" in str(error)
    assert all(code in str(error) for code in codes)


def test_another_address_under_the_same_reference(sandbox: Sandbox) -> None:
    client = client_of(sandbox, allow_writes=True)
    client.run("POST", "/buy/custodian", json={**BUY, "fiatValue": Decimal(5000)})
    sandbox.advance(600)
    source = {"customerCode": "giver", "cryptoCode": "BTC", "currencyCode": "EUR", "cryptoAmount": "0.0001"}
    ends = []
    for address in ("bc1qabcdefghij", "bc1qabcdefghij", "bc1qothers"):
        values = {"paymentMethodCode": "CUST_SENDOUT", "source": source, "destination": {"address": address}}
        with DAG("addresses", schedule=None) as dag:
            NexusCreateTransactionOperator(task_id="act", kind="send_out", values=values, reference="withdrawal 17")
        ends.append(ended(dag))
    assert [state for state, _ in ends] == ["success", "success", "failed"]
    assert "destinationCryptoAddress differs" in str(ends[-1][1])
    assert "bc1q" not in str(ends[-1][1])


def test_a_pair_is_one(sandbox: Sandbox) -> None:
    """The two halves of one transfer between customers carry one reference, and are no twins."""
    client = client_of(sandbox, allow_writes=True)
    client.run("POST", "/customer", json={"customerCode": "taker", "trustLevel": "Trusted", "status": "ACTIVE"})
    client.run("POST", "/buy/custodian", json={**BUY, "fiatValue": Decimal(5000)})
    sandbox.advance(600)
    source = {"customerCode": "giver", "cryptoCode": "BTC", "currencyCode": "EUR", "cryptoAmount": "0.0001"}
    values = {"paymentMethodCode": "CUST_SENDINTERNAL", "source": source, "destination": {"customerCode": "taker"}}
    before, codes = made(sandbox), set()
    for number in (1, 2):
        with DAG(f"pairs_{number}", schedule=None) as dag:
            NexusCreateTransactionOperator(task_id="act", kind="send_internal", values=values, reference="pair")
        run = run_dag(dag)
        codes.add(xcom_of(run, "act")["transactionCode"])
    assert (made(sandbox), len(codes)) == (before + 2, 1)
    with DAG("pairs_3", schedule=None) as dag:
        other = {**values, "destination": {"customerCode": "giver"}}
        NexusCreateTransactionOperator(task_id="act", kind="send_internal", values=other, reference="pair")
    state, error = ended(dag)
    assert (state, made(sandbox)) == ("failed", before + 2)
    assert "customerCode differs" in str(error)


@pytest.mark.parametrize("step", ["pay", "Payout", "{{ params.step }}", "", None])
def test_a_payout_has_two_steps(step: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=r"step is .*(: give one of payout, confirming|renders no template in it)"):
        NexusPayoutTransactionOperator(task_id="act", transaction_code="T1", step=step)


def test_a_reference_whose_transaction_was_cancelled_is_not_green(sandbox: Sandbox) -> None:
    values = {**BUY, "paymentMethodCode": "BUY_IDEAL"}
    with DAG("first", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="act", kind="broker_buy", values=values, reference="invoice 17/4")
    code = xcom_of(run_dag(dag), "act")["transactionCode"]
    client_of(sandbox, allow_writes=True).run("POST", f"/transactions/custodian/{code}/cancel")
    before = made(sandbox)
    with DAG("second", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="act", kind="broker_buy", values=values, reference="invoice 17/4")
    state, error = ended(dag)
    assert (state, made(sandbox)) == ("failed", before)
    assert f"{code} carries its reference and is CANCELLED: nothing came of it. A new one takes another" in str(error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"values": {"emial": "a@example.org"}}, "a customer has no field 'emial': did you mean 'email'?"),
        ({"fields_to_clear": ["bankAcount"]}, "a customer has no field 'bankAcount': did you mean 'bankAccount'?"),
        ({"values": {"xyzzy": 1}}, "a customer has no field 'xyzzy': see Customer in the data dictionary"),
        ({"values": {"city": "A", "CITY": "B"}}, "both 'city' and 'CITY'"),
        ({"values": {"city": "A"}, "fields_to_clear": ["City"]}, "both 'city' and 'City'"),
        ({"values": {"bankAccount": "{{ params.get('nothing') }}"}}, "bankAccount is 'None'"),
    ],
)
def test_fields_of_a_customer_that_are_none(sandbox: Sandbox, arguments: dict[str, Any], said: str) -> None:
    calls = sandbox.call_count
    with DAG("fields", schedule=None) as dag:
        update = NexusUpdateCustomerOperator(task_id="act", customer_code="giver")
        for name, value in arguments.items():
            setattr(update, name, value)  # as a template may make it
    state, error = ended(dag)
    assert (state, sandbox.call_count) == ("failed", calls)
    assert said in str(error)


def test_fields_of_a_customer_are_looked_at_where_the_dag_is_parsed() -> None:
    with pytest.raises(NexusConfigurationError, match=r"'emial': did you mean 'email'\? Nothing was sent"):
        NexusUpdateCustomerOperator(task_id="act", customer_code="giver", values={"emial": "a@example.org"})
    with pytest.raises(NexusConfigurationError, match="both 'city' and 'City'"):
        NexusUpdateCustomerOperator(task_id="act", customer_code="giver", values={"city": "A"}, fields_to_clear=["City"])


def test_a_risk_may_be_none(sandbox: Sandbox) -> None:
    with DAG("risk", schedule=None) as dag:
        NexusUpdateCustomerOperator(task_id="act", customer_code="giver", values={"riskQualification": "None"})
    assert ended(dag)[0] == "success"


@pytest.mark.parametrize(
    ("values", "said"), [({**BUY, "callbackUrl": "{{ params.get('nothing') }}"}, "callbackUrl is 'None'"), (BUY, "")]
)
def test_a_missing_value_inside_values(sandbox: Sandbox, values: dict[str, Any], said: str) -> None:
    before = made(sandbox)
    with DAG("inside", schedule=None) as dag:
        NexusCreateTransactionOperator(task_id="act", kind="buy", values=values)
    state, error = ended(dag)
    assert (state, made(sandbox) - before) == (("failed", 0) if said else ("success", 1))
    assert said in str(error)


@pytest.mark.parametrize("argument", ["poll_interval", "max_interval", "wait_timeout"])
@pytest.mark.parametrize("value", ["5", 0, -1, True, float("nan"), float("inf"), timedelta(seconds=5), None])
def test_waits_that_are_none_are_refused_before_anything_is_bought(argument: str, value: Any) -> None:
    with pytest.raises(NexusConfigurationError, match=f"{argument} is .*: give seconds, a number above zero"):
        task("order", **{argument: value})


def test_what_to_do_about_a_held_record() -> None:
    with pytest.raises(NexusConfigurationError, match="on_held is 'bogus': give one of wait, fail"):
        task("order", on_held="bogus")


def test_texts_stay_texts_in_mapped_tasks(sandbox: Sandbox) -> None:
    with DAG("mapped_native", schedule=None, render_template_as_native_obj=True, params={"code": "1_000"}) as dag:
        order = NexusCreateOrderOperator.partial(task_id="act", **{**ORDER, "amount": "12.50"})
        order.expand(reference=["{{ params.code }}", "10000001"])
    run = run_dag(dag)
    assert {str(instance.state) for instance in run.get_task_instances()} == {"success"}
    orders = [json.loads(raw) for raw in sandbox.truth("orders")[-2:]]
    assert {order["data"]["reference"] for order in orders} == {"1_000", "10000001"}
