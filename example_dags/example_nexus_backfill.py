"""A backfill of Nexus into files: windows with about as many records each, read in parallel, each with its own proof.

Run it by hand with `window_start` and `window_end`. The number of windows that are read at the same time is the smallest of
`max_active_tis_per_dag`, the free slots of the pool and the free slots of the executor. Give the tasks a pool that all DAGs
of this connection share, and the connection a `rate_limit`, so that a backfill does not block the daily work.

To repeat windows that failed, clear those mapped tasks and not the plan.

- **Connection**: `nexus_default`, of type Quantoz Nexus.
- **Params**: `resource` is read from `window_start` to `window_end` in `max_windows` windows, into `path`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. The
  sandbox has data of 30 days.
- **More**: in the source of the provider, `docs/scale.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.operators.plan import NexusPlanWindowsOperator
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"

with DAG(
    dag_id="example_nexus_backfill",
    schedule=None,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "resource": Param(
            "transactions",
            type="string",
            enum=[name for name, resource in RESOURCES.items() if resource.is_windowed],
            title="Resource",
            description="What to read, by its name in the catalogue",
        ),
        "window_start": Param(
            "2026-01-01T00:00:00+00:00",
            type="string",
            format="date-time",
            title="Start of the range",
            description_md="Records created from this moment on are read.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="End of the range",
            description_md="Records created **before** this moment are read. Empty: up to the latest that can be proved.",
        ),
        "max_windows": Param(
            8,
            type="integer",
            minimum=1,
            maximum=1000,
            title="Windows at most",
            description="Into how many the range is cut",
        ),
        "path": Param(
            f"file://{DATA}/files", type="string", title="Path", description="Folder or URL that everything is published under"
        ),
    },
) as dag:
    # [START howto_backfill]
    plan = NexusPlanWindowsOperator(task_id="plan", resource="{{ params.resource }}", max_windows="{{ params.max_windows }}")

    NexusToObjectStorageOperator.partial(
        task_id="read",
        resource="{{ params.resource }}",
        path="{{ params.path }}",
        retries=2,
        retry_delay=timedelta(minutes=1),
        # Windows that are read at the same time. With `pool="nexus_default"` they share their slots with the tasks of other DAGs:
        # airflow pools set nexus_default 4 "Tasks that call Nexus at the same time"
        max_active_tis_per_dag=4,
    ).expand_kwargs(plan.output)
    # [END howto_backfill]
