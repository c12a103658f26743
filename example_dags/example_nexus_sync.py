"""Nexus in files, day by day, every window proved: as many unique records as Nexus counts.

The timetable gives each run the day that has just ended as its data interval. Airflow's plain `@daily` gives none, and
then each run continues from the watermark of the last one. A run by hand takes `window_start` and `window_end`.

- **Connection**: `nexus_default`, of type Quantoz Nexus.
- **Params**: everything goes to `path`; a run by hand reads from `window_start` to `window_end`; `sample` is the number of
  customers, transactions and payment methods whose children are read.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place.
- **More**: in the source of the provider, `docs/sync.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG, Asset, Param, TaskGroup, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.transfers.nexus_to_object_storage import NexusToObjectStorageOperator

DATA = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "nexus"
WINDOWED = [name for name, resource in RESOURCES.items() if resource.is_windowed]
SNAPSHOTS = [name for name, resource in RESOURCES.items() if not resource.is_windowed and not resource.parent] + ["prices"]
PARENTS = ("customers", "transactions", "broker_transactions", "payment_methods")
CHILDREN = {parent: [name for name, resource in RESOURCES.items() if resource.parent == parent] for parent in PARENTS}

with DAG(
    dag_id="example_nexus_sync",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["nexus", "example"],
    doc_md=__doc__,
    params={
        "window_start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Start of the window",
            description_md="Records created from this moment on are read. Empty: from the start of the run's data interval on.",
        ),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="End of the window",
            description_md="Records created **before** this moment are read. Empty: up to the end of the run's data interval.",
        ),
        "sample": Param(
            10,
            type="integer",
            minimum=0,
            title="Parents",
            description="How many customers, transactions and payment methods are read with their children",
        ),
        "path": Param(
            f"file://{DATA}/files", type="string", title="Path", description="Folder or URL that everything is published under"
        ),
    },
    render_template_as_native_obj=True,
) as dag:
    # [START howto_sync_window]
    with TaskGroup("windows"):
        for name in WINDOWED:
            NexusToObjectStorageOperator(
                task_id=name,
                resource=name,
                path="{{ params.path }}",
                outlets=[Asset(f"nexus_{name}")],
            )
    # [END howto_sync_window]

    # [START howto_sync_snapshot]
    with TaskGroup("snapshots"):
        for name in SNAPSHOTS:
            NexusToObjectStorageOperator(task_id=name, resource=name, path="{{ params.path }}")
    # [END howto_sync_snapshot]

    # [START howto_iter_records]
    @task
    def sample_of(resource: str, *, params: dict[str, object]) -> list[str]:
        """The first codes of a collection; no more pages are read than are needed."""
        key = RESOURCES[resource].key[0]
        records = NexusHook().iter_records(resource)
        return [record[key] for _, record in zip(range(int(str(params["sample"]))), records, strict=False)]

    # [END howto_iter_records]

    # [START howto_sync_children]
    with TaskGroup("children"):
        for parent, children in CHILDREN.items():
            codes = sample_of.override(task_id=f"sample_of_{parent}")(parent)
            for name in children:
                NexusToObjectStorageOperator(task_id=name, resource=name, path="{{ params.path }}", parent=codes)
    # [END howto_sync_children]
