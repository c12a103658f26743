"""Ask for a price, buy, and wait: for the transaction, and for an order at an exchange. No wait occupies a worker.

- **Connection**: `nexus_default`, of type Quantoz Nexus, with *Allow writes* on.
- **Params**: `amount` of `currency` is spent on `crypto`, paid by `payment_method`; the order goes to `exchange`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. The
  transaction takes five minutes there, the order two.
- **More**: in the source of the provider, `docs/waiting.rst`, and `docs/acting.rst` for operators that change something.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.orders import NexusCreateOrderOperator
from airflow_provider_nexus.operators.transactions import NexusCreateTransactionOperator
from airflow_provider_nexus.sensors.nexus import NexusStatusSensor

with DAG(
    dag_id="example_nexus_wait",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "amount": Param("25.00", type="string", title="Amount", description="Money to spend; a text, so that no digit is lost"),
        "currency": Param("EUR", type="string", title="Currency", description="Of the amount"),
        "crypto": Param("BTC", type="string", title="Crypto", description="What is bought, by its code"),
        "payment_method": Param("CUST_BUY_IDEAL", type="string", title="Payment method", description="How the customer pays"),
        "exchange": Param("BITVAVO", type="string", title="Exchange", description="Where the order is placed, by its code"),
    },
) as dag:

    @task
    def customer() -> str:
        """The code of the first customer that may trade."""
        active = NexusHook().iter_records("customers", filters={"status": "ACTIVE"})
        return str(next(active)["customerCode"])

    # [START howto_transaction_operator]
    buying = {
        "customerCode": customer(),
        "fiatValue": "{{ params.amount }}",
        "currencyCode": "{{ params.currency }}",
        "cryptoCode": "{{ params.crypto }}",
        "paymentMethodCode": "{{ params.payment_method }}",
    }
    price = NexusCreateTransactionOperator(task_id="price", kind="buy", values=buying, simulate=True)
    buy = NexusCreateTransactionOperator(
        task_id="buy",
        kind="buy",
        values=buying,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=1,
        wait_timeout=3600,
    )
    # [END howto_transaction_operator]

    # [START howto_status_sensor]
    order = NexusCreateOrderOperator(
        task_id="order",
        exchange_code="{{ params.exchange }}",
        action="Buy",
        order_type="Market",
        crypto_code="{{ params.crypto }}",
        currency_code="{{ params.currency }}",
        amount="{{ params.amount }}",
    )
    filled = NexusStatusSensor(
        task_id="filled",
        resource="orders",
        code="{{ ti.xcom_pull('order')['orderCode'] }}",
        poke_interval=1,
        timeout=3600,
        deferrable=True,
    )
    # [END howto_status_sensor]
    price >> buy >> order >> filled
