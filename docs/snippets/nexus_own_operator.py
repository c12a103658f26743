"""Your own operator, which defers until a record is settled, and has a button to it in the portal."""

from __future__ import annotations

# [START own_operator]
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.links.nexus import PORTAL_KEY, NexusPortalLink
from airflow_provider_nexus.triggers.nexus import NexusStatusTrigger


class SettledOperator(BaseOperator):
    """Waits for a transaction without a worker, and returns its status."""

    template_fields: Sequence[str] = ("code",)
    operator_extra_links = (NexusPortalLink(),)

    def __init__(self, *, code: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.code = code

    def execute(self, context: Context) -> None:
        """Link to the record, and defer."""
        context["ti"].xcom_push(key=PORTAL_KEY, value=NexusHook().portal_link("transactions", self.code))
        now = datetime.now(UTC)
        trigger = NexusStatusTrigger(
            resource="transactions",
            codes={self.code: ""},
            started=now.isoformat(),
            deadline=(now + timedelta(hours=1)).isoformat(),
            poll_interval=5,
        )
        self.defer(trigger=trigger, method_name="settled")

    def settled(self, _context: Context, event: dict[str, Any]) -> str:
        """Read the record: the event says only why the trigger fired."""
        if event["why"] != "reached":
            raise RuntimeError(f"{self.code} is not settled: {event['why']}")
        return str(NexusHook().get_record("transactions", self.code)["status"])


# [END own_operator]

with DAG("nexus_own_operator", schedule=None, params={"code": ""}) as dag:
    SettledOperator(task_id="settled", code="{{ params.code }}")
