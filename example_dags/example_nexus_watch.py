"""A run for every change: when transactions complete in Nexus, the window in which they were created is synced again.

The triggerer watches Nexus; the DAG starts when something changed. A run by hand has no changes, so it takes `since`.

- **Connection**: `nexus_default`, of type Quantoz Nexus.
- **Params**: windows go to `path`; `since` is where a run by hand begins.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. Unpause
  the DAG and wait: transactions complete there by themselves.
- **More**: in the source of the provider, `docs/watching.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, Param, task

from airflow_provider_nexus.assets.nexus import create_asset, fresh_changes
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.triggers.nexus import NexusChangeTrigger

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"


# [START howto_watch_asset]
completed = Asset(
    uri=create_asset(environment="test", resource="transactions").uri,
    watchers=[
        AssetWatcher(
            name="nexus_transactions_completed",
            trigger=NexusChangeTrigger(resource="transactions", target_statuses=["COMPLETED"], poll_interval=30),
        )
    ],
)
# [END howto_watch_asset]

with DAG(
    dag_id="example_nexus_watch",
    schedule=[completed],
    catchup=False,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "since": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Since",
            description_md="For a run by hand: records created from this moment on are copied. Empty: nothing is copied.",
        ),
        "path": Param(
            f"file://{DATA}/watch", type="string", title="Path", description="Folder or URL that windows are published under"
        ),
    },
) as dag:
    # [START howto_watch_changes]
    @task.short_circuit(inlets=[completed])
    def first_change(**context: Any) -> str | None:
        """When the oldest of the changed transactions was created; if an earlier run has handled all, the copy is skipped."""
        stamps = [change["created"] for change in fresh_changes(context, completed)]
        return min(stamps, default=context["params"]["since"])

    NexusToObjectStorageOperator(
        task_id="copy",
        resource="transactions",
        path="{{ params.path }}",
        window_start=first_change(),
    )
    # [END howto_watch_changes]
