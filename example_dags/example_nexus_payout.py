"""Pay out what customers sold, after a person has agreed.

First the window's transactions are loaded into files and proved: as many unique records as Nexus counts, so that nobody
decides on half of them. Then the sells that wait for their payout are found, a person approves them (*Required Actions* in
Airflow's user interface), and each is paid out by its own task, which never pays twice.

- **Connection**: `nexus_default`, of type Quantoz Nexus, with *Allow writes* on.
- **Params**: sells created from `window_start` to `window_end`, `limit` of them at most; the copy goes to `path`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place.
- **More**: in the source of the provider, `docs/acting.rst`, and `docs/proof.rst` for the proof.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.transactions import NexusPayoutTransactionOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"

with DAG(
    dag_id="example_nexus_payout",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "window_start": Param(
            "2026-01-01T00:00:00+00:00",
            type="string",
            format="date-time",
            title="Sold from",
            description_md="Sells created from this moment on are paid out.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Sold before",
            description_md="Sells created **before** this moment are paid out. Empty: up to the latest that can be proved.",
        ),
        "limit": Param(5, type="integer", minimum=1, title="Payouts at most", description="In one run, the oldest first"),
        "path": Param(
            f"file://{DATA}/payouts", type="string", title="Path", description="Folder or URL that the proof is published under"
        ),
    },
) as dag:
    # [START howto_payout_find]
    proof = NexusToObjectStorageOperator(task_id="prove", resource="transactions", path="{{ params.path }}")

    @task.short_circuit
    def payable(summary: dict[str, Any], *, params: dict[str, Any]) -> list[dict[str, str]]:
        """The sells that wait for their payout, oldest first; if there are none, the next tasks are skipped."""
        sells = NexusHook().iter_records(
            "transactions",
            start=summary["window_start"],
            end=summary["window_end"],
            filters={"status": "ToPayout", "type": "SELL"},
        )
        return [
            {
                "code": sell["transactionCode"],
                "customer": sell["customerCode"],
                "amount": f"{sell['currencyCode']} {sell['requestedAmounts']['fiatValue']:,f}",
            }
            for _, sell in zip(range(params["limit"]), sells, strict=False)
        ]

    sells = payable(proof.output)
    # [END howto_payout_find]

    # [START howto_payout_approve]
    approval = ApprovalOperator(
        task_id="approve",
        subject="Pay out {{ ti.xcom_pull('payable') | length }} sells?",
        body="| Transaction | Customer | Amount |\n| --- | --- | ---: |\n"
        "{% for sell in ti.xcom_pull('payable') %}| {{ sell.code }} | {{ sell.customer }} | {{ sell.amount }} |\n{% endfor %}",
    )
    # [END howto_payout_approve]

    # [START howto_payout_operator]
    pay = NexusPayoutTransactionOperator.partial(task_id="pay", max_active_tis_per_dag=4).expand(
        transaction_code=sells.map(lambda sell: sell["code"])
    )
    # [END howto_payout_operator]
    sells >> approval >> pay
