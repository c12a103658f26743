"""What somebody is told of a failure, by a notifier of Airflow as a deployment would use it."""

from __future__ import annotations

import json
import pickle
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.notifier import BaseNotifier

from airflow_provider_nexus.compat import HAS_RETRY_POLICIES
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.transactions import NexusPayoutTransactionOperator
from airflow_provider_nexus.sandbox import Fault, Sandbox
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from tests.airflow.nexus import CANARY, connection
from tests.airflow.operators.mail_server import mail_server
from tests.airflow.running import run_dag

ERRORS = Path(__file__).parents[3] / "docs" / "errors.rst"
ADDRESS = "anna.jansen@example.org"
WINDOW = {"window_start": "2026-03-01", "window_end": "2026-03-02"}


class Told(BaseNotifier):
    """Keeps what it is told."""

    template_fields = ("subject", "text")

    def __init__(self) -> None:
        super().__init__()
        self.subject, self.text = "{{ ti.task_id }} failed", "{{ exception }}"
        self.given: list[tuple[str, str, BaseException]] = []

    def notify(self, context: Any) -> None:
        self.given.append((self.subject, self.text, context["exception"]))


def copy(**arguments: Any) -> Any:
    return NexusToObjectStorageOperator(task_id="copy", path="file:///nowhere/nexus", **{"resource": "transactions", **arguments})


def sensor(code: str, **arguments: Any) -> Any:
    return NexusStatusSensor(task_id="wait", resource="transactions", code=code, poke_interval=0.2, timeout=0.5, **arguments)


@contextmanager
def sandbox_of(settings: dict[str, Any], connected: dict[str, Any]) -> Iterator[Sandbox]:
    few: dict[str, Any] = {"customers": 20, "transactions": 600, "days": 3, "clock_speed": 0}
    with Sandbox(**{**few, **settings}) as sandbox, connection(sandbox, **connected):
        yield sandbox


def told_by(make: Callable[[], Any]) -> tuple[str, BaseException]:
    notifier = Told()
    with DAG("telling", schedule=None, default_args={"on_failure_callback": notifier}) as dag:
        make()
    run_dag(dag)
    ((subject, text, error),) = notifier.given
    assert subject == f"{dag.task_ids[0]} failed"
    return text, error


ALWAYS = -1
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Callable[[], Any], str]] = {
    "unproved": (
        {"total_error": 1},
        {},
        lambda: copy(**WINDOW),
        r"transactions from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z can't be proved complete: .+\. Nothing was .+",
    ),
    "token": (
        {},
        {"password": CANARY},
        lambda: copy(**WINDOW),
        r"GET /transactions/custodian: HTTP 401\. It was asked of sandbox \(.+\)\. The token is wrong, expired, revoked or .+",
    ),
    "role": (
        {"roles": {CANARY: ["read"]}},
        {"password": CANARY},
        lambda: NexusOperator(task_id="make", endpoint="/customer", method="POST", json={"customerCode": ADDRESS}),
        r"POST /customer: HTTP 403\. sandbox \(.+\) takes the token, but not for this\. .+ changes something: .+ Give .+",
    ),
    "nobody listens": (
        {},
        {"host": "http://127.0.0.1:9", "password": CANARY},
        lambda: copy(**WINDOW),
        r"GET /transactions/custodian: (?!.*Errno).*Connection refused\. Check the base URL, .+",
    ),
    "unknown record": (
        {},
        {},
        lambda: NexusOperator(task_id="read", endpoint=f"/customer/{ADDRESS}"),
        r"GET /customer/\{code\}: HTTP 404; CustomerNotFound; Customer '\*\*\*' was not found\. Check the code; .+",
    ),
    "broken off": (
        {"faults": (Fault("truncate", times=ALWAYS),)},
        {},
        lambda: copy(**WINDOW),
        r"GET /transactions/custodian: the connection broke before the whole answer had come \(\w+\)\. Try again; .+",
    ),
    "in doubt": (
        {"faults": (Fault("drop_after", method="POST", times=ALWAYS),)},
        {},
        lambda: NexusOperator(task_id="make", endpoint="/customer", method="POST", json={"customerCode": ADDRESS}),
        r"POST /customer: the connection broke before the whole answer had come \(\w+\)\. Look up by hand .+",
    ),
    "no writes": (
        {},
        {"extra": {"allow_writes": False}},
        lambda: NexusPayoutTransactionOperator(task_id="pay", transaction_code="T1"),
        r".+ the connection nexus_default does not allow that, so nothing was sent: switch on 'Allow writes' .+",
    ),
    "misfits": (
        {"misfit_share": 0.9},
        {},
        lambda: copy(window_start="2020-01-01", max_rejected=2, file_format="parquet"),
        r"transactions: [\d,]+ records do not fit and max_rejected is 2, so nothing was stored: .+",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_error_is_one_paragraph(case: str) -> None:
    settings, connected, make, wanted = CASES[case]
    with sandbox_of(settings, connected):
        check(*told_by(make), wanted)


def check(text: str, error: BaseException, wanted: str) -> None:
    assert text == str(error)
    assert re.fullmatch(wanted, text), text
    assert len(text) < 800
    assert CANARY not in text
    assert ADDRESS not in text
    assert isinstance(error, NexusError) or not HAS_RETRY_POLICIES
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), text, vars(error))


def code_of(sandbox: Sandbox, *statuses: str) -> str:
    records = map(json.loads, sandbox.truth("transactions"))
    return str(next(record["transactionCode"] for record in records if record["status"] in statuses))


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wait_that_ended_badly_names_the_record_and_its_status(deferrable: bool) -> None:
    with sandbox_of({"transactions": 2000}, {}) as sandbox:
        code = code_of(sandbox, "CANCELLED")
        text, error = told_by(lambda: sensor(code, deferrable=deferrable))
    check(text, error, rf"'{code}' of transactions is CANCELLED and can't reach the status that the task waits for\. .*Look .+")


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wait_that_took_too_long_names_the_record(deferrable: bool) -> None:
    with sandbox_of({"transactions": 2000}, {}) as sandbox:
        code = code_of(sandbox, "ToPayout")
        text, _ = told_by(lambda: sensor(code, deferrable=deferrable))
    assert text.startswith("1 of 1 transactions did not reach the status that the task waits for in time")
    assert code in text


def test_the_mail_of_the_docs_is_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"code-block:: (\w+)\n\n((?:(?:   .*)?\n)+)", ERRORS.read_text())
    examples = {language: textwrap.dedent(block) for language, block in blocks}
    made: dict[str, Any] = {}
    exec(compile(examples["python"], str(ERRORS), "exec"), made)
    past = {"now": datetime(2027, 4, 2, tzinfo=UTC)}
    ended = {"password": CANARY, "extra": {"key_expires": "2027-03-31"}}
    with sandbox_of(past, ended) as sandbox, mail_server() as server:
        stored = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": server.port,
            "extra": {"disable_ssl": True, "disable_tls": True},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(stored))
        run_dag(made["dag"])
    (mail,) = server.taken
    body = next(part for part in mail.message.walk() if part.get_content_type() == "text/html")
    shown = bytes(body.get_payload(decode=True)).decode()
    assert mail.message["Subject"] == "nexus_balances: balances failed"
    shown = shown.replace("&#39;", "'").strip()
    production = "production (https://api.quantoznexus.com), where no key of test is taken"
    assert shown.replace(f"sandbox ({sandbox.base_url})", production) == examples["text"].strip()
