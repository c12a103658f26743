"""A sync that writes a report, and has a button to it."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

with DAG("nexus_report", schedule=None, params={"path": "s3://lake/nexus"}) as dag:
    # [START report]
    NexusToObjectStorageOperator(
        task_id="orders",
        resource="orders",
        path="{{ params.path }}",
        report_path="{{ params.path }}/orders.html",
        report_url="https://reports.example.com/nexus/orders.html",
    )
    # [END report]
