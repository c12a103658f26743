"""A compliance round: screen the customers that are due for review, have a person judge what was found, list lost callbacks.

Names, persons and wallets of each customer that is due are searched in the sanction lists. Every search is a row of evidence in
`nexus_screening`. Hits, and whatever could not be searched, are judged by a person (*Required Actions* in Airflow's user
interface); the decisions are in `nexus_screening_decided`, and a customer that is to be blocked is blocked. Beside it,
callbacks are loaded into `nexus_callbacks`, and those that were not delivered are listed.

- **Connections**: `nexus_default`, of type Quantoz Nexus, with *Allow writes* on so that a customer can be blocked, and
  `warehouse`, of a PostgreSQL, MySQL, MariaDB or SQLite database.
- **Params**: `round` continues an earlier round; `personal` says what of the names the evidence has, where `hash` needs a hash
  secret in the Nexus connection; callbacks of the last `callback_days` days are looked at.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. Its
  connection `warehouse` is a SQLite file.
- **More**: in the source of the provider, `docs/compliance.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, BaseHook, Param, task, task_group

from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.compliance import (
    NexusCloseScreeningOperator,
    NexusRecordDecisionOperator,
    NexusScreenCustomersOperator,
)
from airflow_provider_nexus.operators.customers import NexusUpdateCustomerOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

ROUND = "{{ params.round or run_id }}"
UNDELIVERED = (
    "SELECT transaction_code, url, inserted, dequeue_count FROM nexus_callbacks WHERE is_success IS NULL OR NOT is_success"
)

REASON = "For the evidence. Clear leaves the customer as it is; Block sets its status in Nexus to BLOCKED."

with DAG(
    dag_id="example_nexus_compliance",
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "round": Param(
            None, type=["null", "string"], title="Round", description="An earlier round, such as a run id; else a new one"
        ),
        "personal": Param(
            "drop", enum=["hash", "mask", "drop", "keep"], title="Personal data", description="What of names is in the evidence"
        ),
        "callback_days": Param(
            7, type="integer", minimum=1, title="Days of callbacks", description="Transactions created since then are looked at"
        ),
    },
) as dag:
    # [START howto_screen]
    screen = NexusScreenCustomersOperator(
        task_id="screen",
        sql_conn_id="warehouse",
        table="nexus_screening",
        round_id=ROUND,
        review_days={"VeryHigh": 180, "High": 365, "Medium": 730, "Low": 1095, "None": 1095},
        personal="{{ params.personal }}",
    )
    # [END howto_screen]

    # [START howto_judge]
    @task_group
    def judge(finding: str, customer: str, title: str, body: str) -> Any:  # noqa: ARG001 - the parts of a finding
        """One finding: a person decides, the decision is stored, and the customer is blocked if that was decided."""
        decide = HITLOperator(
            task_id="decide",
            map_index_template="{{ task.subject }}",
            subject=title,
            body=body,
            options=["Clear", "Block"],
            params={"reason": Param("", type="string", title="Reason", description=REASON)},
        )
        record = NexusRecordDecisionOperator(
            task_id="record", sql_conn_id="warehouse", table="nexus_screening", finding=finding, answer=decide.output
        )

        @task
        def to_block(recorded: dict[str, Any]) -> str:
            """The customer's code; skipped when it was cleared."""
            if recorded["decision"] != "Block":
                raise AirflowSkipException("cleared")
            return str(recorded["customer"])

        NexusUpdateCustomerOperator(
            task_id="block",
            map_index_template="{{ task.customer_code }}",
            customer_code=to_block(record.output),
            values={"status": "BLOCKED", "reason": f"Compliance round {ROUND}"},
        )
        return record  # what follows waits for the decisions; a block that fails is an end of its own, and fails the run

    decided = judge.expand_kwargs(screen.output)
    # [END howto_judge]

    # [START howto_close]
    close = NexusCloseScreeningOperator(
        task_id="close", sql_conn_id="warehouse", table="nexus_screening", round_id=ROUND, retries=0, trigger_rule="all_done"
    )
    decided >> close
    # [END howto_close]

    # [START howto_callbacks]
    @task
    def with_callbacks(*, params: dict[str, Any]) -> list[str]:
        """Codes of the transactions whose status is sent to a callback URL."""
        start = datetime.now(UTC) - timedelta(days=params["callback_days"])
        with NexusHook() as hook:
            records = hook.iter_records("transactions", start=start)
            return [record["transactionCode"] for record in records if record.get("callbackUrl")]

    callbacks = NexusToSqlOperator(
        task_id="callbacks",
        resource="transaction_callbacks",
        parent=with_callbacks(),
        sql_conn_id="warehouse",
        table="nexus_callbacks",
        personal="drop",
    )

    @task
    def undelivered() -> list[dict[str, str]]:
        """The callbacks that their receivers have not taken so far."""
        rows = BaseHook.get_hook("warehouse").get_records(UNDELIVERED)
        return [dict(zip(("transaction", "url", "sent", "attempts"), map(str, row), strict=True)) for row in rows]

    callbacks >> undelivered()
    # [END howto_callbacks]
