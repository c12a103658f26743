"""Create a customer, then raise its trust level."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_nexus.operators.customers import NexusCreateCustomerOperator, NexusUpdateCustomerOperator

with DAG("nexus_customers", schedule=None, params={"customer": "acme-1", "email": "ada@example.com"}) as dag:
    # [START customers]
    create = NexusCreateCustomerOperator(
        task_id="create",
        customer_code="{{ params.customer }}",
        trust_level="New",
        values={"status": "ACTIVE", "email": "{{ params.email }}", "countryCode": "NL"},
        wait_for_completion=True,
    )
    trust = NexusUpdateCustomerOperator(
        task_id="trust",
        customer_code="{{ params.customer }}",
        values={"trustLevel": "Trusted"},
    )
    create >> trust
    # [END customers]
