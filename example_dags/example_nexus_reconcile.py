"""Reconcile balances and reserves that Nexus states with what proved records add up to, to the last digit.

Each run brings copies of transactions, orders, transfers and the hot wallet's ledger up to date. Then what Nexus states of the
moment up to which all of them are proved is compared with their sums. If anything differs, a person decides (*Required Actions*
in Airflow's user interface) with the differences and the records that could explain them at hand; a rejection fails the run.

- **Connection**: `nexus_default`, of type Quantoz Nexus.
- **Params**: the copies go to `path`, each result to a file below `results`; the first run begins at `window_start`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connection and this DAG in place. Give a
  `window_start` within the last 30 days.
- **More**: in the source of the provider, `docs/reconciliation.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, task

from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

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
            None,
            type=["null", "string"],
            format="date-time",
            title="Start",
            description_md="Records created from this moment on are loaded. Only the **first** run needs it.",
        ),
        "path": Param("file:///tmp/nexus-reconcile", type="string", title="Path", description="Folder or URL of the copies"),
        "results": Param(
            "file:///tmp/nexus-reconcile-results", type="string", title="Results", description="Folder or URL of the results"
        ),
    },
) as dag:
    # [START howto_reconcile]
    copies = [
        NexusToObjectStorageOperator(
            task_id=name, resource=name, path="{{ params.path }}", file_format="parquet", capture="changes"
        )
        for name in RESOURCES
    ]
    reconcile = NexusReconcileOperator(
        task_id="reconcile",
        copies=dict.fromkeys(RESOURCES, "{{ params.path }}"),
        fail_on_difference=False,
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
        subject="{{ ti.xcom_pull('reconcile')['differences'] | length }} differences: accept them?",
        body="{{ ti.xcom_pull('reconcile')['differences'] | join('\n\n') }}",
        fail_on_reject=True,  # the books of a run that nobody has accepted are not green
    )
    # [END howto_reconcile_approve]
    copies >> reconcile
    differs(reconcile.output) >> approval
