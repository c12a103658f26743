"""A load of proved files into a warehouse that this provider does not write to: sync, list the files, load what is listed.

Each run syncs one window into Parquet, lists the files of that window, and has one task for each file that loads it. Only
files of windows that are proved, and that are still as they were stored, come into the list. When nothing is settled yet, all
tasks are skipped.

`load` stands for the operator of your warehouse: here it counts the rows of a file. The page of warehouses has a DAG each for
Redshift, Snowflake, Databricks, BigQuery and ClickHouse.

- **Connection**: `nexus_default`, of type Quantoz Nexus.
- **Params**: Parquet files go to `path`; the first run begins at `window_start`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place.
- **More**: in the source of the provider, `docs/warehouses.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param, task

from airflow_provider_nexus.operators.files import NexusListFilesOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"

with DAG(
    dag_id="example_nexus_load",
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
            f"file://{DATA}/load",
            type="string",
            title="Path",
            description="Folder or URL that Parquet files are written under",
        ),
    },
) as dag:
    # [START howto_files]
    sync = NexusToObjectStorageOperator(task_id="sync", resource="transactions", path="{{ params.path }}", file_format="parquet")

    files = NexusListFilesOperator(
        task_id="files",
        resource="transactions",
        path="{{ params.path }}",
        form="list",
        # the window that this run has read
        window_start="{{ ti.xcom_pull(task_ids='sync')['window_start'] }}",
        window_end="{{ ti.xcom_pull(task_ids='sync')['window_end'] }}",
    )

    @task
    def load(file: str) -> int:
        """Count the rows of a file."""
        from airflow.sdk import ObjectStoragePath
        from pyarrow import parquet

        with ObjectStoragePath(file).open("rb") as source:
            return int(parquet.read_metadata(source).num_rows)

    sync >> files
    load.expand(file=files.output)
    # [END howto_files]
