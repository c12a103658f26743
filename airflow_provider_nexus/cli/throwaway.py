"""A throw-away Airflow on this machine: its own home, SQLite, this machine's address only, the example DAGs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airflow_provider_nexus.exceptions import NexusError


def example_dags() -> Path:
    """The folder of the example DAGs: in the installed package, or beside it in a checkout.

    :raises NexusError: when they are in neither place
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "example_dags", package.parent / "example_dags"):
        if folder.is_dir():
            return folder
    raise NexusError("the example DAGs are missing from this installation: install the package again")


def environment(home: Path, connection_uri: str) -> dict[str, str]:
    """The environment variables of a throw-away Airflow.

    :param home: its folder
    :param connection_uri: of `nexus_default`
    """
    binaries = str(Path(sys.executable).parent)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(example_dags()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_NEXUS_DEFAULT": connection_uri,
    }
