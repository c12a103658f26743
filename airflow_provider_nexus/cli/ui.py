"""`make ui`: Airflow's user interface on this machine, with a sandbox, its connection and the example DAGs in place."""

from __future__ import annotations

import signal
import subprocess
from argparse import Namespace
from pathlib import Path

from airflow_provider_nexus.cli import running, throwaway
from airflow_provider_nexus.cli.demo import CUSTOMERS, DAYS, TRANSACTIONS
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.sandbox import Sandbox

_SANDBOX = 715
"""What is added to the port of the user interface for that of the sandbox; the log servers have those before it."""


@running.command
def run(arguments: Namespace) -> int:
    """Run `airflow standalone` until it is stopped.

    :raises NexusError: when Airflow ends by itself
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Path(arguments.home).resolve() / "airflow-ui"
    home.mkdir(parents=True, exist_ok=True)
    # always at one port, as what an earlier one has left under the path is refused as another server's
    place = arguments.port + _SANDBOX
    with Sandbox(customers=CUSTOMERS, transactions=TRANSACTIONS, days=DAYS, port=place) as sandbox:
        environment = throwaway.environment(home, sandbox.connection_uri) | throwaway.serving(arguments.port)
        print(f"A Nexus sandbox listens on {sandbox.base_url}; the connection nexus_default leads to it.")
        print(f"Airflow starts, which takes half a minute. Then open http://127.0.0.1:{arguments.port}/dags/example_nexus_sync")
        print("Files will be under /tmp/nexus unless the run's parameter 'path' is another. Ctrl-C stops all.", flush=True)
        _standalone(environment)
    return 0


def _standalone(environment: dict[str, str]) -> None:
    with subprocess.Popen(["airflow", "standalone"], env=environment, start_new_session=True) as airflow:  # noqa: S607
        try:
            status = airflow.wait()
        except KeyboardInterrupt:
            throwaway.stop(airflow)
            return
    raise NexusError(f"airflow standalone ended by itself with status {status}; the reason is in its last lines above")
