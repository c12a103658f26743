"""Reconcile balances and reserves that Nexus states with what proved records add up to, to the last digit.

Each run brings tables of transactions, orders, transfers and the hot wallet's ledger up to date. Then what Nexus states of the
moment up to which all of them are proved is compared with their sums. If anything differs, a person decides (*Required Actions*
in Airflow's user interface) with the differences and the records that could explain them at hand; a rejection fails the run.

- **Connections**: `nexus_default`, of type Quantoz Nexus, and `warehouse`, of a PostgreSQL, MySQL, MariaDB or SQLite database.
- **Params**: records created from `window_start` on are loaded; each result is a file below `results`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. Its
  connection `warehouse` is a SQLite file.
- **More**: in the source of the provider, `docs/reconciliation.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"
RESOURCES = ("transactions", "hot_wallet_mutations", "orders", "transfers")

with DAG(
    dag_id="example_nexus_reconcile",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # one run after the other: each continues where the last one ended
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "window_start": Param(
            "2020-01-01T00:00:00Z",
            type=["null", "string"],
            format="date-time",
            title="Start",
            description_md="Before the tenant's **first** record. Later runs go on where the last one ended if it is **empty**.",
        ),
        "results": Param(
            f"file://{DATA}/reconciliations", type="string", title="Results", description="Folder or URL of the results"
        ),
    },
) as dag:
    # [START howto_reconcile]
    copies = [
        NexusToSqlOperator(task_id=name, resource=name, sql_conn_id="warehouse", table=f"reconciled_{name}", capture="changes")
        for name in RESOURCES
    ]
    reconcile = NexusReconcileOperator(
        task_id="reconcile",
        sql_conn_id="warehouse",
        copies={name: f"reconciled_{name}" for name in RESOURCES},
        fail_on_difference=False,
        results_table="reconciliation",
        results_path="{{ params.results }}",
        report_path="{{ params.results }}/reconciliation.html",
    )
    # [END howto_reconcile]

    # [START howto_reconcile_approve]
    @task.short_circuit
    def differs(found: dict[str, Any]) -> bool:
        """Whether a person has to decide; if not, the approval is skipped."""
        return not found["is_fine"]

    approval = ApprovalOperator(
        task_id="accept_differences",
        subject="{{ ti.xcom_pull('reconcile')['differences'] | length }} differences: accept the books as they are?",
        body="{{ (ti.xcom_pull('reconcile')['differences'] + ti.xcom_pull('reconcile')['notes']) | join('\n\n') }}",
        fail_on_reject=True,  # the books of a run that nobody has accepted are not green
        retries=0,  # a person was asked, and has answered
    )
    # [END howto_reconcile_approve]
    copies >> reconcile
    differs(reconcile.output) >> approval
