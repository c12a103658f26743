"""An incremental load of Nexus into Delta tables: new records and changes of older ones, each load one commit.

Spark, Databricks, Trino, Athena, Snowflake, BigQuery, Fabric, DuckDB and polars read such tables as they are. Several tasks may
load into one table at once: a commit that another one has outrun is merged anew.

- **Connections**: `nexus_default`, of type Quantoz Nexus. For a path in an object store, name its connection in
  `storage_conn_id`.
- **Params**: the tables lie below `path`; the first run begins at `window_start`.
- **Needs** the extra `lakehouse`: `pip install 'airflow-provider-nexus[lakehouse]'`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place.
- **More**: in the source of the provider, `docs/lakehouse.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param

from airflow_provider_nexus.operators.lakehouse import NexusCompactOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"

RESOURCES = ("broker_transactions", "orders")

with DAG(
    dag_id="example_nexus_lakehouse",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,  # one run after the other: each continues where the last one ended
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "window_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Start",
            description_md="Records created from this moment on are loaded. Only the **first** run needs it.",
        ),
        "path": Param(
            f"file://{DATA}/lakehouse", type="string", title="Path", description="Folder or URL that the tables lie below"
        ),
    },
) as dag:
    for name in RESOURCES:
        # [START howto_delta]
        load = NexusToObjectStorageOperator(
            task_id=name,
            resource=name,
            path="{{ params.path }}",
            file_format="delta",
            partition_by="month",
            capture="changes",
            outlets=[Asset(f"nexus_{name}_delta")],
        )
        # [END howto_delta]

        # [START howto_compact]
        compact = NexusCompactOperator(
            task_id=f"compact_{name}",
            resource=name,
            path="{{ params.path }}",
            retention=timedelta(days=30),
        )
        # [END howto_compact]
        load >> compact
