"""Buy coins at an exchange, and move them to the hot wallet when the order is filled."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.transfers import NexusCreateTransferOperator

with DAG("nexus_treasury", schedule=None, params={"amount": "2500.00"}) as dag:
    # [START treasury]
    order = NexusCreateOrderOperator(
        task_id="order",
        exchange_code="KRAKEN",
        action="Buy",
        order_type="Market",
        crypto_code="BTC",
        currency_code="EUR",
        amount="{{ params.amount }}",
        reference="treasury-{{ run_id }}",
        wait_for_completion=True,
        poll_interval=1,
    )
    transfer = NexusCreateTransferOperator(
        task_id="transfer",
        source_type="Exchange",
        source_exchange_code="KRAKEN",
        sink_type="HotWallet",
        crypto_code="BTC",
        amount="{{ ti.xcom_pull('order')['executed']['amount'] }}",
    )
    order >> transfer
    # [END treasury]
