"""Calls of the API: with the operator, and with the hook in your own task."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.nexus import NexusOperator


# [START response_filter]
def spread(values: dict[str, Any]) -> Decimal:
    """The difference between the prices to buy and to sell a bitcoin."""
    price = values["prices"]["BTC"]
    return Decimal(price["buy"] - price["sell"])


# [END response_filter]

with DAG("nexus_calls", schedule=None, params={"currency": "EUR"}) as dag:
    # [START operator]
    NexusOperator(task_id="spread", endpoint="/prices/{{ params.currency }}", response_filter=spread)
    NexusOperator(
        task_id="largest_first",
        endpoint="/orders",
        query={"limit": 10, "sortBy": "Amount", "sortDirection": "Desc"},
    )
    # [END operator]

    # [START hook]
    @task
    def filled_today() -> dict[str, str]:
        """The value traded in the last day, by currency."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        since = datetime.now(UTC) - timedelta(days=1)
        for order in NexusHook().iter_records("orders", start=since, filters={"status": "FILLED"}):
            sums[order["tradePair"]["currencyCode"]] += order["executed"]["value"]
        return {currency: str(value) for currency, value in sums.items()}

    filled_today()
    # [END hook]

    # [START plain]
    @task
    def newest(data_interval_start: Any = None) -> list[dict[str, Any]]:
        """Orders for the next task, with every digit."""
        return list(NexusHook().iter_records("orders", start=data_interval_start, limit=10, plain=True))

    newest()
    # [END plain]

    # [START frame]
    @task
    def largest() -> str:
        """The largest amount of yesterday's orders."""
        orders = NexusHook().get_df("orders", start=datetime.now(UTC) - timedelta(days=1))
        return str(orders["amount"].max())

    largest()
    # [END frame]

    # [START closed]
    @task
    def tenant() -> str:
        """Whose Nexus this is."""
        with NexusHook() as nexus:
            return str(nexus.run("GET", "/labelpartner")["labelPartnerCode"])

    tenant()
    # [END closed]
