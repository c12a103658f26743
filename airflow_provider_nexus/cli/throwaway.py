"""A throw-away Airflow on this machine: its own home, SQLite, this machine's address only, the example DAGs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from airflow_provider_nexus.exceptions import NexusError

LOGS = 713, 714
"""What is added to the port of the user interface for those of the log servers of workers and triggers."""
_PLAIN = re.compile(r"\*|[\w.-]+(:\d+)?|[\d.]+/\d+")


def example_dags() -> Path:
    """The folder of the example DAGs: in the installed package, or beside it in a checkout; an error when in neither."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "example_dags", package.parent / "example_dags"):
        if folder.is_dir():
            return folder
    raise NexusError("the example DAGs are missing from this installation: install the package again")


def environment(home: Path, connection_uri: str | None = None) -> dict[str, str]:
    """The environment variables of a throw-away Airflow; without a URI for `nexus_default`, connections are its database's."""
    binaries = str(Path(sys.executable).parent)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", "")]),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), _without_proxy()),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(example_dags()),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **({"AIRFLOW_CONN_NEXUS_DEFAULT": connection_uri} if connection_uri else {}),
    }


def _without_proxy() -> str:
    """Hosts that are reached without a proxy: this machine, where all parts of a throw-away Airflow are, and the user's.

    Of that, what Airflow's own client can't read is left out, as no task would start with it.
    """
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return ",".join(["127.0.0.1", "localhost", *(entry for entry in re.split(r"[\s,]+", given) if _PLAIN.fullmatch(entry))])


def serving(port: int) -> dict[str, str]:
    """The variables that an Airflow which serves a user interface needs besides.

    The address is this machine's own: by default Airflow listens on all of them. The two log servers have no setting for
    their address, only for their ports.
    """
    base_url = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        # a busy machine takes longer than the five seconds after which a worker repeats a call, and Airflow refuses some repeats
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(port + LOGS[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(port + LOGS[1]),
    }


def airflow(command: Sequence[str], environment: dict[str, str], log: IO[str]) -> None:
    """Run a command of Airflow, its output into the log; an error when it fails."""
    ended = subprocess.run(["airflow", *command], env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)  # noqa: S603, S607
    if ended.returncode:
        raise NexusError(f"airflow {' '.join(command[:2])} ended with status {ended.returncode}; its output is in {log.name}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop an Airflow and all that it started, by the process group that it was started with."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        end = time.monotonic() + patience
        # Where no process of the group is left, none can be signalled.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            while time.monotonic() < end:
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            continue
        return
