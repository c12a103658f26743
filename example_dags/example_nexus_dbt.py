"""An incremental load of Nexus into a database, and then the models of `dbt_nexus` on it: volumes, balances, open payouts.

dbt runs in an environment of its own, as its packages and Airflow's need not agree. If `astronomer-cosmos` is installed beside
Airflow and dbt is where this file is read, each model is a task of its own; else all models are one task, `dbt build`.

- **Connections**: `nexus_default`, of type Quantoz Nexus, and `warehouse`, of a PostgreSQL or SQLite database. dbt has a profile
  of its own for the same database: `profiles.yml` in the folder of the project.
- **Environment variables**: `NEXUS_DBT` is dbt's command, `NEXUS_DBT_PROJECT` the folder of `dbt_nexus`, and `NEXUS_DBT_TARGET`
  the target of the profile `dbt_nexus`. Where the tables are not where the models are built, `NEXUS_DBT_DATABASE` and
  `NEXUS_DBT_SCHEMA` say where: for SQLite that is `nexus` and `main`.
- **Params**: the first run begins at `window_start`.
- **Try it** without a Nexus: `airflow nexus ui` starts Airflow with a sandbox, its connections and this DAG in place. Its
  connection `warehouse` is a SQLite file. Install dbt, and give a `window_start` within the last 30 days.
- **More**: in the source of the provider, `docs/dbt.rst`.
  The API itself: [docs.quantoznexus.com](https://docs.quantoznexus.com)
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, TaskGroup

from airflow_provider_nexus.transfers.nexus_to_sql import NexusToSqlOperator

CAPTURED = ("transactions", "customers", "orders")
DBT = os.environ.get("NEXUS_DBT", "/opt/dbt/bin/dbt")
PROJECT = os.environ.get("NEXUS_DBT_PROJECT", "/opt/dbt/dbt_nexus")
TARGET = os.environ.get("NEXUS_DBT_TARGET", "warehouse")
VARIABLES = {
    "nexus_tables": {name: f"nexus_{name}" for name in (*CAPTURED, "payment_methods")},
    "nexus_database": os.environ.get("NEXUS_DBT_DATABASE"),
    "nexus_schema": os.environ.get("NEXUS_DBT_SCHEMA"),
}


# [START howto_dbt_command]
def one_task() -> BashOperator:
    """All models and tests in one task, by dbt's command."""
    where = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target", TARGET]
    command = [DBT, "build", *where, "--vars", json.dumps(VARIABLES)]
    return BashOperator(task_id="dbt", bash_command=shlex.join(command), append_env=True)


# [END howto_dbt_command]


# [START howto_dbt_cosmos]
def task_group() -> TaskGroup:
    """A task for each model and snapshot, by Cosmos, and one for all tests at the end, as many compare models with each other."""
    from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
    from cosmos.constants import LoadMode, TestBehavior

    return DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(PROJECT, dbt_vars=VARIABLES),
        profile_config=ProfileConfig("dbt_nexus", TARGET, profiles_yml_filepath=f"{PROJECT}/profiles.yml"),
        execution_config=ExecutionConfig(dbt_executable_path=DBT),
        # dbt itself says what is built
        render_config=RenderConfig(load_method=LoadMode.DBT_LS, test_behavior=TestBehavior.AFTER_ALL),
    )


# [END howto_dbt_cosmos]

with DAG(
    dag_id="example_nexus_dbt",
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
    },
) as dag:
    loads = [
        NexusToSqlOperator(task_id=name, resource=name, sql_conn_id="warehouse", table=f"nexus_{name}", capture="changes")
        for name in CAPTURED
    ]
    loads.append(
        NexusToSqlOperator(
            task_id="payment_methods", resource="payment_methods", sql_conn_id="warehouse", table="nexus_payment_methods"
        )
    )
    loads >> (task_group() if importlib.util.find_spec("cosmos") and Path(DBT).exists() else one_task())
