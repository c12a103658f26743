"""A DAG of each kind, as people with strict type checkers write them: only read by the checkers, never run."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.customers import NexusCreateCustomerOperator, NexusUpdateCustomerOperator
from airflow_provider_nexus.operators.documents import NexusDownloadOperator, NexusUploadOperator
from airflow_provider_nexus.operators.mails import NexusSendMailsOperator
from airflow_provider_nexus.operators.nexus import NexusOperator
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.operators.transactions import (
    NexusCancelTransactionOperator,
    NexusCreateTransactionOperator,
    NexusPayoutTransactionOperator,
)
from airflow_provider_nexus.operators.transfers import NexusCreateTransferOperator
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger


@task
def a_code() -> str:
    """A code."""
    return "T1"


@task
def codes() -> list[str]:
    """Codes."""
    return ["T1"]


@task
def body() -> dict[str, Any]:
    """A body."""
    return {"name": "x"}


@task
def read(data_interval_start: pendulum.DateTime | None = None) -> list[dict[str, Any]]:
    """Read with the hook."""
    with_limit = NexusHook().iter_records("orders", start=data_interval_start, end=date(2026, 2, 1), limit=10, settle_lag=300)
    hook = NexusHook()
    hook.get_df("orders", df_type="polars", start=datetime(2026, 1, 1))
    one: dict[str, Any] = hook.get_record("orders", "O1", plain=True)
    hook.run("GET", "/orders", params={"createdFrom": data_interval_start, "isPartial": True}, headers={"x-Correlation-Id": 7})
    file = hook.download("/integrations/documentstore/file", Path("/data/a.pdf"), params={"filePath": "a.pdf"}, overwrite=True)
    hook.upload("/integrations/documentstore/file", file["place"], fields={"filePath": "a.pdf", "alias": None})
    return [one, *with_limit, *hook.iter_records("transactions", plain=True, settle_lag=timedelta(minutes=1))]


changes = Asset(
    "changes", watchers=[AssetWatcher(name="w", trigger=NexusChangeTrigger(resource="orders", target_statuses="FILLED"))]
)

with DAG("reads", schedule=[changes]):
    code, several = a_code(), codes()
    read()
    NexusOperator(task_id="get", endpoint="/orders", query=body(), json=None, headers={"x-Correlation-Id": "{{ run_id }}"})
    NexusDownloadOperator(task_id="fetch", target=Path("/data/a.pdf"), query=body(), headers=body())
    NexusDownloadOperator(task_id="fetch_named", target=code, endpoint=code, storage_conn_id=code, overwrite=True, max_mb=2)
    NexusUploadOperator(task_id="upload", source="s3://lake/a.pdf", fields=body(), storage_conn_id="aws_default")
    NexusUploadOperator(task_id="upload_named", source=code, fields={"filePath": code, "alias": "a"}, endpoint=code)
    NexusOperator(task_id="post", endpoint=code, method="POST", json=body(), response_filter=lambda values: values["x"])
    NexusStatusSensor(task_id="one", resource="orders", code=code, target_statuses="FILLED", deferrable=True)
    NexusStatusSensor(task_id="more", resource="orders", code=several, target_statuses=["FILLED"])
    NexusStatusSensor(task_id="output", resource="orders", code=NexusPlanWindowsOperator(task_id="p", resource="orders").output)
    NexusPlanWindowsOperator(
        task_id="plan", resource=code, window_start=pendulum.datetime(2026, 1, 1), window_end=code, max_windows="4"
    )
    NexusToObjectStorageOperator(
        task_id="files",
        resource="customer_persons",
        path=code,
        parent=several,
        window_start="{{ ds }}",
        settle_lag=300,
        protect={"email": "hash"},
        file_format="parquet",
    )
    NexusToSqlOperator(
        task_id="table", resource=code, sql_conn_id="w", table=code, capture="changes", window_start=date(2026, 1, 1)
    )
    NexusToObjectStorageOperator.partial(task_id="mapped", path="s3://lake/x").expand(resource=["orders", "transfers"])

with DAG("acts", schedule=None):
    code = a_code()
    NexusCreateTransactionOperator(task_id="gift", kind="gift", values=body(), reference=code, resend_after=60)
    NexusCancelTransactionOperator(task_id="cancel", transaction_code=code, wait_for_completion=True)
    NexusPayoutTransactionOperator(task_id="pay", transaction_code=code, bank_account_id=code, payment_reference="R")
    NexusCreateOrderOperator(
        task_id="order",
        exchange_code="KR",
        action="Buy",
        order_type="Limit",
        crypto_code=code,
        currency_code="EUR",
        amount=Decimal(10),
        limit_price=code,
    )
    NexusCreateTransferOperator(task_id="move", source_type="HotWallet", sink_type="Exchange", crypto_code="BTC", amount=code)
    NexusCreateCustomerOperator(task_id="new", customer_code=code, trust_level="Trusted", values=body())
    NexusUpdateCustomerOperator(task_id="change", customer_code="C1", values={"email": code}, fields_to_clear="tag")
    NexusSendMailsOperator(task_id="mails", mail_types="TransactionBuyFinish", from_email=code)
