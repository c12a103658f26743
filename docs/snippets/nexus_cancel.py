"""Cancel transactions whose payment did not come in time, each by its own task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.transactions import NexusCancelTransactionOperator

with DAG("nexus_cancel", schedule=None, params={"hours": 24}) as dag:
    # [START cancel]
    @task
    def unpaid(*, params: dict[str, int]) -> list[str]:
        """Codes of the buys that have waited for their payment for too long."""
        until = datetime.now(UTC) - timedelta(hours=params["hours"])
        waiting = NexusHook().iter_records("transactions", end=until, filters={"status": "Initiated", "type": "BUY"})
        return [record["transactionCode"] for record in waiting]

    NexusCancelTransactionOperator.partial(task_id="cancel").expand(transaction_code=unpaid())
    # [END cancel]
