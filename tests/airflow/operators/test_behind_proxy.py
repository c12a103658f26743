"""A DAG behind a CONNECT proxy that loses the answers after Nexus has carried the calls out."""

from __future__ import annotations

import pickle
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.airflow.operators.test_trading import ORDER
from tests.airflow.running import run_dag, state_of
from tests.relay import Loss, Manner, Relay, Relayed, make_certificate

BODY = {"exchangeCode": "KRAKEN", "action": "Buy", "type": "Market", "crypto": "BTC", "currency": "EUR", "amount": "7"}


@pytest.mark.parametrize("manner", ["fin", "rst", "raw fin", "answer"])
def test_two_tasks_make_two_orders(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: Manner) -> None:
    before = len(sandbox.truth("orders"))
    lost: list[str] = []

    def choose(request: Relayed) -> Loss | None:
        if request.method != "POST" or len(lost) == 2:
            return None
        lost.append(request.path)
        return Loss("after answer", manner, 504)

    certificate = make_certificate(tmp_path)
    with Relay(sandbox.base_url, "connect", choose=choose, certificate=certificate) as relay:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        monkeypatch.setenv("https_proxy", relay.proxy_url)
        with connection(sandbox, host=relay.base_url, extra={"retries": 0}), DAG("behind", schedule=None) as dag:
            NexusCreateOrderOperator(task_id="order", **ORDER)
            NexusOperator(task_id="call", method="POST", endpoint="/orders", json=BODY, retries=1)
            run = run_dag(dag)
    assert lost == ["/orders", "/orders"]
    assert len(sandbox.truth("orders")) == before + 2
    assert (state_of(run, "order"), state_of(run, "call")) == ("success", "failed")
    assert relay.connects[0] == "nexus.test:443"


def test_a_task_of_the_users_own_is_not_tried_again(sandbox: Sandbox, tmp_path: Path) -> None:
    """It does not look before it sends, as the operators do."""
    before = len(sandbox.truth("orders"))
    errors: list[BaseException] = []

    def choose(request: Relayed) -> Loss | None:
        return Loss("after answer", "fin") if request.method == "POST" else None

    def failed(context: Any) -> None:
        errors.append(context["exception"])

    with (
        Relay(sandbox.base_url, choose=choose) as relay,
        connection(sandbox, host=relay.base_url, extra={"retries": 0}),
        DAG("own", schedule=None) as dag,
    ):

        @task(retries=3, retry_delay=timedelta(0), on_failure_callback=failed)
        def order() -> None:
            NexusHook().run("POST", "/orders", json={**BODY, "amount": Decimal(7)})

        order()
        run = run_dag(dag)
    assert (state_of(run, "order"), len(sandbox.truth("orders"))) == ("failed", before + 1)
    assert len(relay.forwarded) == 1
    assert "Look up by hand" in str(errors[0])
    assert pickle.loads(pickle.dumps(errors[0])).args == errors[0].args
