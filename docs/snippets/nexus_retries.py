"""A task that calls Nexus by the hook and is retried like the provider's operators. From Airflow 3.3 on."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook

# [START retry_policy]
from airflow_provider_nexus.retry_policy import NexusRetryPolicy

with DAG("nexus_retries", schedule=None) as dag:

    @task(retries=5, retry_delay=timedelta(minutes=5), retry_policy=NexusRetryPolicy())
    def tenant() -> str:
        """The code of the tenant that the token belongs to."""
        return str(NexusHook().run("GET", "/labelpartner")["labelPartnerCode"])

    tenant()
# [END retry_policy]
