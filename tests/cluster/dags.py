"""The DAGs of the cluster: their file is copied into its folder, and never imported by a test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, get_current_context, task

from airflow_provider_nexus.assets.nexus import fresh_changes
from airflow_provider_nexus.extract import jsonl
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger

jsonl.PART_RECORDS = 500  # a window of several parts needs no million records then
AGAIN: dict[str, Any] = {"retries": 5, "retry_delay": timedelta(seconds=1)}
LAKE: dict[str, Any] = {"path": "s3://lake/{{ dag.dag_id }}", "storage_conn_id": "lake"}
WINDOW = {"window_start": "", "window_end": ""}

TRANSACTIONS: dict[str, Any] = {"resource": "transactions", **AGAIN}
ORDERS: dict[str, Any] = {"resource": "orders", **AGAIN}

with DAG("backfill", schedule=None, params={**WINDOW}):
    plan = NexusPlanWindowsOperator(task_id="plan", max_windows=4, **TRANSACTIONS)
    files = NexusToObjectStorageOperator.partial(task_id="files", **LAKE, **TRANSACTIONS)
    lake = NexusToObjectStorageOperator.partial(
        task_id="lake", file_format="delta", **{**LAKE, "path": "s3://lake/delta"}, **TRANSACTIONS
    )
    table = NexusToSqlOperator.partial(task_id="table", sql_conn_id="warehouse", table="transactions", **TRANSACTIONS)
    files.expand_kwargs(plan.output) >> [lake.expand_kwargs(plan.output), table.expand_kwargs(plan.output)]

with DAG("stopped", schedule=None, params={**WINDOW}):
    days = NexusPlanWindowsOperator(task_id="plan", max_windows=4, **ORDERS)
    NexusToObjectStorageOperator.partial(task_id="files", **LAKE, **ORDERS).expand_kwargs(days.output)

with DAG("large", schedule=None, params={**WINDOW}):
    NexusToObjectStorageOperator(
        task_id="large", resource="transactions", page_size=25, parallel=1, priority_weight=9, **LAKE, **AGAIN
    )

with DAG("once", schedule=None):
    for worker in ("north", "south"):
        NexusCreateOrderOperator(
            task_id=worker,
            queue=worker,
            exchange_code="KRAKEN",
            action="Buy",
            order_type="Market",
            crypto_code="BTC",
            currency_code="EUR",
            amount="100.50",
            reference="invoice 17",
            search_back=timedelta(days=3),
            **AGAIN,
        )

with DAG("waits", schedule=None, params={"codes": []}):

    @task
    def codes(**context: Any) -> list[str]:
        return list(context["params"]["codes"])

    wait = NexusStatusSensor.partial(task_id="wait", resource="transactions", deferrable=True, poke_interval=2, max_interval=2)
    wait.expand(code=codes())

completed = NexusChangeTrigger(resource="transactions", target_statuses=["Completed"], poll_interval=2)
changed = Asset("nexus://sandbox/transactions", watchers=[AssetWatcher(name="completed", trigger=completed)])

with DAG("watch", schedule=[changed], max_active_runs=1):

    @task(inlets=[changed], **AGAIN)
    def handle() -> list[str]:
        return [change["code"] for change in fresh_changes(get_current_context(), changed)]

    handle()
