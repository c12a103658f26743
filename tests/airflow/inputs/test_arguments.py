"""Every argument of every public class x values that it can't have: its constructor refuses them, so that no run is needed."""

from __future__ import annotations

import inspect
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusUnknownResourceError, NexusWindowError
from airflow_provider_nexus.operators._arguments import CHECKS
from airflow_provider_nexus.operators.compliance import (
    NexusCloseScreeningOperator,
    NexusRecordDecisionOperator,
    NexusScreenCustomersOperator,
)
from airflow_provider_nexus.operators.customers import NexusCreateCustomerOperator, NexusUpdateCustomerOperator
from airflow_provider_nexus.operators.documents import NexusDownloadOperator, NexusUploadOperator
from airflow_provider_nexus.operators.files import NexusListFilesOperator
from airflow_provider_nexus.operators.mails import NexusSendMailsOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
from airflow_provider_nexus.operators.transactions import (
    NexusCancelTransactionOperator,
    NexusCreateTransactionOperator,
    NexusPayoutTransactionOperator,
)
from airflow_provider_nexus.operators.transfers import NexusCreateTransferOperator
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger, NexusStatusTrigger

BUY = {"customerCode": "C1", "cryptoCode": "BTC", "currencyCode": "EUR", "fiatValue": "10", "paymentMethodCode": "P"}
SYNC = {"resource": "customer_persons", "report_path": "/data/report.html"}
RIGHT: dict[Any, dict[str, Any]] = {
    NexusOperator: {"endpoint": "/customer/C1", "method": "POST"},
    NexusDownloadOperator: {"target": "/data/a.pdf"},
    NexusUploadOperator: {"source": "/data/a.pdf", "fields": {"filePath": "a.pdf"}},
    NexusSendMailsOperator: {},
    NexusScreenCustomersOperator: {"sql_conn_id": "warehouse"},
    NexusRecordDecisionOperator: {"sql_conn_id": "warehouse", "finding": "0:1", "answer": {}},
    NexusCloseScreeningOperator: {"sql_conn_id": "warehouse"},
    NexusPlanWindowsOperator: {"resource": "orders"},
    NexusListFilesOperator: {"path": "/data", "resource": "orders", "form": "snowflake"},
    NexusCreateOrderOperator: {
        **{"exchange_code": "KR", "action": "buy", "order_type": "Market", "crypto_code": "BTC", "currency_code": "EUR"},
        "amount": "10",
    },
    NexusCreateTransferOperator: {
        "source_type": "HotWallet",
        "sink_type": "exchange",
        "crypto_code": "BTC",
        "amount": Decimal(1),
    },
    NexusCreateCustomerOperator: {"customer_code": "C1", "trust_level": "Trusted"},
    NexusUpdateCustomerOperator: {"customer_code": "C1"},
    NexusCreateTransactionOperator: {"kind": "buy", "values": BUY},
    NexusCancelTransactionOperator: {"transaction_code": "T1"},
    NexusPayoutTransactionOperator: {"transaction_code": "T1"},
    NexusReconcileOperator: {
        **{"copies": {"transactions": "{{ params.x }}"}, "results_conn_id": "warehouse"},
        "report_path": "/data/report.html",
    },
    NexusStatusSensor: {"resource": "orders", "code": "O1"},
    NexusToObjectStorageOperator: {**SYNC, "path": "/data"},
    NexusToSqlOperator: {**SYNC, "sql_conn_id": "warehouse", "table": "t"},
    NexusStatusTrigger: {"resource": "orders", "codes": {"O1": ""}, "started": "2026-01-01", "deadline": "2026-01-02"},
    NexusChangeTrigger: {"resource": "orders"},
}
OPERATORS = [kind for kind in RIGHT if hasattr(kind, "template_fields")]

TEXT: tuple[Any, ...] = ("", " ", "None", " x ", 7, 1.5, True, b"x", ["x"], {"x": "y"})
PLACE: tuple[Any, ...] = ("", " ", "None", "here/x", "~/x", "/data/None/x", 7, True, ["/x"], {"x": "y"})
WORD: tuple[Any, ...] = ("", "None", "nonsense", 7, True, None, ["x"], {"x": "y"})
FLAG: tuple[Any, ...] = ("no", "True", "", 1, 0, None, [])
SECONDS: tuple[Any, ...] = ("5", 0, -1, True, float("nan"), float("inf"), None, timedelta(seconds=5), [])
SPAN: tuple[Any, ...] = ("5m", -1, True, float("nan"), timedelta(days=-1), timedelta(days=9_999), [])
COUNT: tuple[Any, ...] = (-1, 1.5, "3", True, [1])
WHOLE: tuple[Any, ...] = (*COUNT, None)
FUNCTION: tuple[Any, ...] = ("x", 7, {}, [])
AMOUNT: tuple[Any, ...] = (1.5, 0, -1, "", "None", "x", "-1", "1,5", True, Decimal("NaN"), ["1"], {"x": 1})
MAPPING: tuple[Any, ...] = ("x", 7, [("x", "y")], {7: "x"})
MOMENT: tuple[Any, ...] = ("yesterday", "2026-13-01", 7, 1.5, True, ["2026-01-01"], {"x": 1})

WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        ("nexus_conn_id", "smtp_conn_id", "sql_conn_id", "trust_level", "crypto_code", "currency_code"), (*TEXT, None)
    ),
    **dict.fromkeys(("exchange_code", "file_field"), (*TEXT, None)),
    **dict.fromkeys(("customer_code", "transaction_code"), (*TEXT, None, ".", "..", "a\nb")),
    **dict.fromkeys(("storage_conn_id", "from_email", "api_version", "source_exchange_code", "sink_exchange_code"), TEXT),
    **dict.fromkeys(("address", "bank_account_id", "payment_reference"), TEXT),
    **dict.fromkeys(("target", "source", "path"), (*PLACE, None)),
    **dict.fromkeys(("report_path", "staging_path", "results_path", "relative_to", "output_path"), PLACE),
    **dict.fromkeys(("capture", "contract", "file_format", "form", "kind", "on_held", "personal", "step"), WORD),
    **dict.fromkeys(("action", "order_type", "source_type", "sink_type", "method"), WORD),
    **dict.fromkeys(("strict", "history", "overwrite", "simulate", "wait_for_completion", "cancel_on_kill", "fuzzy"), FLAG),
    **dict.fromkeys(("deferrable", "fire_on_held", "customers", "fail_on_difference"), FLAG),
    **dict.fromkeys(("poll_interval", "max_interval", "wait_timeout"), SECONDS),
    **dict.fromkeys(("resend_after", "search_back"), SPAN),
    "partition_by": ("", "None", "year", 7, True, [7]),
    "page_size": (*COUNT, 0),
    "parallel": (*COUNT, 0, 17),
    **dict.fromkeys(("readings", "limit", "max_consecutive_failures", "max_mb"), (*WHOLE, 0)),
    **dict.fromkeys(("max_rejected", "rereads"), WHOLE),
    **dict.fromkeys(("response_filter", "on_held_callback", "deliver"), FUNCTION),
    "hits_of": (*FUNCTION, None),
    "answer": (*MAPPING, None),
    "finding": (*TEXT, None),
    "lists": TEXT,
    "review_days": (*WHOLE, 3651, {}, {"High": None}, {"High": "30"}, {"High": -1}, {"High": True}),
    "round_id": (*TEXT, None, "r" * 251),
    **dict.fromkeys(("window_start", "window_end", "moment", "start", "changed_since"), MOMENT),
    **dict.fromkeys(("started", "deadline"), (*MOMENT, "", "None", None)),
    "amount": (*AMOUNT, None),
    "limit_price": AMOUNT,
    "code": ("", "None", " x ", 7, True, None, [], [""], [7], ["None"], {"x": "y"}, "a\nb", "."),
    "codes": (*MAPPING, None, {"O1": 7}),
    "copies": (*MAPPING, None, {}, {"transaction": "/x"}, {"transactions": 7}, {"transactions": "x"}, {"orders": "/x"}),
    "endpoint": (*TEXT, None, "/customer/None", "/customer//x", "/a/../b", "/a#b"),
    "expiring": (*MOMENT, "", "None", datetime(2026, 1, 1)),
    "fields": (*MAPPING, None, {"x": None}, {"x": "None"}, {"x": 1.5}, {"x": ["y"]}, {"customerCode": 7}),
    "fields_to_clear": (7, None, {"x": "y"}, "nonsense", ["city", 7], [""]),
    "headers": (*MAPPING, {"x": None}, {"x": ""}, {"x y": "z"}, {"Authorization": "x"}, {"x": 1.5}),
    "json": ("x", 7, 1.5, True, b"x", {"x": 1.5}, {"x": [{"customerCode": 7}]}, {"x": "y", "X": "z"}),
    "known_held": (7, None, {"x": "y"}, [7]),
    "mail_types": ("", "None", 7, {"x": "y"}, [7], [""]),
    "max_windows": (0, -1, 1.5, "many", "0", "1.5", "", True, None, [8]),
    "parent": ("", "None", " x ", 7, [""], [7], {"x": "y"}),
    "protect": (*MAPPING, {"nonsense": "hash"}, {"email": "delete"}),
    "query": ("x", 7, [("x", "y")], {"x": None}, {"x": "None"}, {"x": 1.5}, {"x": {"y": "z"}}, {"x": 1, "X": 2}),
    "reference": ("", "None", " x ", 7, True, ["x"], {"x": "y"}, "a\nb"),
    "report_url": ("", "None", "x", "ftp://x", "https://u:p@x/y", "https://[x", 7, ["https://x"]),
    "resource": ("", "None", "order", 7, None, ["orders"], {"x": "y"}),
    "results_conn_id": TEXT,
    "results_table": ("", "None", "a b", "a.b.c", "1x", "nexus_manifest", 7, ["t"]),
    "settle_lag": (*SPAN, None),
    "table": ("", "None", "a b", "a.b.c", "1x", "nexus_manifest", 7, None, ["t"]),
    "target_statuses": ("", "Nonsense", [], ["FILLED", "Nonsense"], 7, [7], {"x": "y"}),
    "tolerance": (0.5, -1, "x", "", "None", "1,5", True, None, [], {"EUR": 0.5}, {"EUR": None}, Decimal("NaN")),
    "values": (*MAPPING, {"data": {"x": 1.5}}, {"tag": "None"}),
}
OF_ONE: dict[tuple[Any, str], tuple[Any, ...]] = {
    (NexusCreateTransactionOperator, "values"): (
        *(None, {}, {**BUY, "customerCode": ""}, {**BUY, "customerCode": 7}, {**BUY, "customerCode": "None"}),
        *({**BUY, "fiatValue": value} for value in (12.5, -1, 0, True, "x")),
        {name: value for name, value in BUY.items() if name != "cryptoCode"},
    ),
    (NexusUpdateCustomerOperator, "values"): ({"emial": "a@example.org"}, {"city": "A", "CITY": "B"}),
    (NexusUploadOperator, "method"): ("GET", "DELETE"),
    (NexusPlanWindowsOperator, "resource"): ("balances",),
    (NexusStatusSensor, "resource"): ("balances",),
}
INSTEAD: dict[tuple[Any, str], tuple[Any, ...]] = {
    (NexusChangeTrigger, "poll_interval"): (*SPAN, 0, 0.5, None),
    (NexusReconcileOperator, "sql_conn_id"): TEXT,
    (NexusStatusTrigger, "target_statuses"): ("", "Nonsense", ["FILLED", "Nonsense"], 7, [7], {"x": "y"}),
}
REFUSALS = (NexusConfigurationError, NexusUnknownResourceError, NexusWindowError)
OF_AIRFLOW = {"self", "kwargs", "default_args", "retry_policy", "map_index_template"}


def arguments(kind: Any) -> set[str]:
    """The arguments that the provider's own classes declare."""
    own = [
        base for base in kind.__mro__ if base.__module__.startswith("airflow_provider_nexus.") and "compat" not in base.__module__
    ]
    return {name for base in own if "__init__" in vars(base) for name in inspect.signature(base.__init__).parameters} - OF_AIRFLOW


def make(of: Any, **given: Any) -> Any:
    return of(**{**({"task_id": "t"} if of in OPERATORS else {}), **RIGHT[of], **given})


MATRIX = [pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind in RIGHT for name in sorted(arguments(kind))]


@pytest.mark.parametrize(("kind", "name"), MATRIX)
def test_what_an_argument_can_not_be_is_refused(kind: Any, name: str) -> None:
    make(kind)
    wrong = INSTEAD.get((kind, name)) or (*WRONG[name], *OF_ONE.get((kind, name), ()))
    if name not in getattr(kind, "template_fields", ()):
        wrong = (*wrong, "{{ params.x }}")
    taken, said = [], list[str]()
    for value in wrong:
        try:
            make(kind, **{name: value})
        except REFUSALS as error:
            said.append(str(error))
        else:
            taken.append(value)
    assert not taken, f"{kind.__name__} takes {name} = {taken}"
    assert not [text for text in said if not text or "\n" in text]


@pytest.mark.parametrize("kind", OPERATORS, ids=lambda kind: kind.__name__)
def test_what_only_the_task_knows_is_taken(kind: Any) -> None:
    with DAG("templates", schedule=None) as dag:
        other = NexusPlanWindowsOperator(task_id="other", resource="orders").output
        for number, name in enumerate(sorted(set(kind.template_fields))):
            for way, value in enumerate(("{{ params.x }}", "{% if true %}/x{% endif %}", "{# x #}", other, dag.param("y", 1))):
                make(kind, task_id=f"t{number}_{way}", **{name: value})
        for name in {"values", "query", "headers", "fields", "json"} & set(kind.template_fields):
            make(kind, task_id=f"parts_of_{name}", **{name: {**(RIGHT[kind].get(name) or {}), "city": other, "tag": "{{ x }}"}})


def test_a_part_beside_a_template_is_refused() -> None:
    for kind, name, value in (
        (NexusOperator, "query", {"x": "{{ params.x }}", "y": 1.5}),
        (NexusUploadOperator, "fields", {"x": "{{ params.x }}", "y": None}),
        (NexusCreateTransactionOperator, "values", {"customerCode": "{{ params.x }}", "fiatValue": 12.5}),
        (NexusUpdateCustomerOperator, "values", {"email": "{{ params.x }}", "emial": "x"}),
        (NexusStatusSensor, "code", ["{{ params.x }}", 7]),
        (NexusToSqlOperator, "parent", ["{{ params.x }}", "None"]),
    ):
        with pytest.raises(NexusConfigurationError):
            make(kind, **{name: value})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((NexusCreateOrderOperator, name) for name in ("action", "order_type", "expiring", "amount", "exchange_code")),
        *((NexusCreateTransferOperator, name) for name in ("source_type", "sink_type", "address")),
        *((NexusUploadOperator, name) for name in ("source", "endpoint", "storage_conn_id")),
        *((NexusPayoutTransactionOperator, name) for name in ("transaction_code", "payment_reference")),
        (NexusCreateTransactionOperator, "values"),
    ],
)
def test_what_a_template_makes_is_checked_in_the_task(kind: Any, name: str) -> None:
    for value in WRONG[name] if name != "values" else MAPPING:
        if value is None:  # set afterwards, it counts as left out
            continue
        task = make(kind, **{name: "{{ params.x }}"})
        setattr(task, name, value)
        with pytest.raises(REFUSALS):
            task.refuse_missing()


@pytest.mark.parametrize("kind", [NexusPlanWindowsOperator, NexusToSqlOperator])
def test_a_window_that_ends_before_it_starts_is_refused(kind: Any) -> None:
    with pytest.raises(NexusWindowError, match="not after its start"):
        make(kind, resource="orders", window_start="2026-02-01", window_end="2026-01-01")
    make(kind, resource="orders", window_start="2026-02-01", window_end="{{ ds }}")


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (NexusStatusSensor, "targets", "NexusStatusSensor has no argument 'targets': did you mean 'target_statuses'?"),
        (NexusToSqlOperator, "start", "has no argument 'start': did you mean 'window_start'?"),
        (NexusToSqlOperator, "end", "has no argument 'end': did you mean 'window_end'?"),
        (NexusPlanWindowsOperator, "lag", "has no argument 'lag': did you mean 'settle_lag'?"),
        (NexusCancelTransactionOperator, "until", "has no argument 'until': known are cancel_on_kill, .*wait_timeout"),
        (NexusCreateOrderOperator, "poll_intervall", "has no argument 'poll_intervall': did you mean 'poll_interval'?"),
        (NexusOperator, "retires", "has no argument 'retires'"),
    ],
)
def test_a_name_that_is_none_is_met_with_the_one_that_is(kind: Any, name: str, said: str) -> None:
    with pytest.raises(TypeError, match=said.replace("?", "[?]")):
        make(kind, **{name: 1})


def test_each_check_is_of_an_argument() -> None:
    taken = {name for kind in RIGHT for name in arguments(kind)}
    assert set(CHECKS) <= taken
    assert set(WRONG) == taken
