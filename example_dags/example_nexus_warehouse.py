"""An incremental load of Nexus into a database and into Parquet files: new records, and changes of older ones.

Each run reads what was created since the run before, what has ended since, and what was still unsettled; Nexus' own totals
show what else has changed. Each of these readings is proved complete before it is stored. The first run begins at
`window_start`; later runs continue where the last one ended.

- **Connections**: `nexus_default`, of type Quantoz Nexus, and `warehouse`, of a PostgreSQL, MySQL, MariaDB or SQLite database.
- **Params**: Parquet files and reports go to `path`; the first run begins at `window_start`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. Its
  connection `warehouse` is a SQLite file.
- **More**: in the source of the provider, `docs/tables.rst`, and `docs/capture.rst` for the changes that are found.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, Param

from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator
from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"
RESOURCES = ("broker_transactions", "transactions", "orders", "transfers")

with DAG(
    dag_id="example_nexus_warehouse",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,  # one run after the other: each continues where the last one ended
    # `pool="nexus_default"` here lets the tasks share their slots with those of other DAGs of the connection.
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
            f"file://{DATA}/warehouse",
            type="string",
            title="Path",
            description="Folder or URL of Parquet files and reports",
        ),
    },
) as dag:
    for name in RESOURCES:
        # [START howto_table]
        NexusToSqlOperator(
            task_id=f"{name}_table",
            resource=name,
            sql_conn_id="warehouse",
            table=f"nexus_{name}",
            capture="changes",
            outlets=[Asset(f"nexus_{name}_table")],
        )
        # [END howto_table]

        # [START howto_capture]
        NexusToObjectStorageOperator(
            task_id=f"{name}_files",
            resource=name,
            path="{{ params.path }}",
            file_format="parquet",
            capture="changes",
            history=True,
            outlets=[Asset(f"nexus_{name}_files")],
            report_path="{{ params.path }}/reports/{{ task.resource }}.html",
        )
        # [END howto_capture]

    # [START howto_table_snapshot]
    NexusToSqlOperator(task_id="balances_table", resource="balances", sql_conn_id="warehouse", table="nexus_balances")
    # [END howto_table_snapshot]
