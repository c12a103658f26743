"""Your own headers, and downloads and uploads of files."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.documents import NexusDownloadOperator, NexusUploadOperator
from airflow_provider_nexus.operators.nexus import NexusOperator

with DAG("nexus_documents", schedule=None, params={"customer": "C1", "folder": "/data/kyc"}) as dag:
    # [START headers]
    NexusOperator(
        task_id="screen",
        method="POST",
        endpoint="/sanction/search",
        json={"name": "{{ params.customer }}"},
        headers={"x-Correlation-Id": "{{ run_id }}"},
    )
    # [END headers]

    # [START files]
    NexusDownloadOperator(
        task_id="fetch",
        query={"filePath": "{{ params.customer }}/passport.pdf"},
        target="{{ params.folder }}/{{ params.customer }}/passport.pdf",
    )
    NexusUploadOperator(
        task_id="send",
        source="{{ params.folder }}/identity.pdf",
        fields={
            "filePath": "{{ params.customer }}/identity.pdf",
            "customerCode": "{{ params.customer }}",
            "documentStoreTypeCode": "ID",
        },
    )
    # [END files]

    # [START hook]
    @task
    def fetch_all(params: Any = None) -> list[dict[str, Any]]:
        """Every document of a customer."""
        with NexusHook() as nexus:
            return [
                nexus.download(
                    "/integrations/documentstore/file",
                    f"{params['folder']}/all/{document['filePath']}",
                    params={"filePath": document["filePath"]},
                )
                for document in nexus.iter_records("documents", parent=params["customer"])
            ]

    fetch_all()
    # [END hook]
