"""`make ui`: Airflow's user interface with a sandbox, connections to it and to a database, and the example DAGs.

Nothing starts by the clock there: what a person triggers is what runs. A second start continues where the first one ended, with
the same data in the sandbox.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from argparse import Namespace
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from airflow_provider_nexus.cli import running, throwaway
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.port import bound

CUSTOMERS, TRANSACTIONS, DAYS = 3_000, 30_000, 30
_SANDBOX = 715
"""What is added to the port of the user interface for that of the sandbox; the log servers have those before it."""
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_LOCAL_SETTINGS = "from airflow_provider_nexus.cli.ui import dag_policy  # noqa: F401\n"


@running.command
def run(arguments: Namespace) -> int:
    """Run `airflow standalone` until it is stopped; an error when it can't start, or ends by itself."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home, url = Path(arguments.home).resolve() / "airflow-ui", f"http://127.0.0.1:{arguments.port}"
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS)
    # always at one port, as what an earlier one has left under the path is refused as another server's
    place, log = arguments.port + _SANDBOX, home / "airflow.log"
    for port in (arguments.port, *(arguments.port + more for more in throwaway.LOGS), place):
        # Airflow would start all the same, and wait for ever for the server that could not
        bound(port, f"ui needs it for --port {arguments.port}, so give another --port").close()
    with _sandbox(home / "sandbox_began.txt", place) as sandbox, log.open("w") as lines:
        print(f"A Nexus sandbox listens on {sandbox.base_url}, with the data of {DAYS} days.")
        print(f"Airflow starts, which takes half a minute. Its output is in\n{log}", flush=True)
        environment = throwaway.environment(home) | throwaway.serving(arguments.port)
        for command in (["db", "migrate"], ["connections", "import", "--overwrite", _connections(home, sandbox)]):
            throwaway.airflow(command, environment, lines)
        airflow = subprocess.Popen(
            ["airflow", "standalone"],  # noqa: S607 - found by the PATH of the environment given
            env=environment,
            stdout=lines,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _until_ready(url, airflow)
            print(f"\nReady. You need no login; Ctrl-C stops all. Open\n\n  {url}\n", flush=True)
            airflow.wait()
        except KeyboardInterrupt:
            print("Airflow stops, which takes some seconds.", flush=True)
            return 0
        finally:
            throwaway.stop(airflow)
    raise NexusError(f"airflow standalone ended by itself with status {airflow.returncode}; why is at the end of {log}")


def _sandbox(began: Path, port: int) -> Sandbox:
    """The sandbox of the first start, whose time is in a file, as it is now: what was stored of it still fits."""
    now = datetime.now(UTC).replace(microsecond=0)
    if not began.exists():
        began.write_text(now.isoformat())
    start = datetime.fromisoformat(began.read_text())
    size = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "days": DAYS}
    sandbox = Sandbox(port=port, now=start, payouts="awaited", **size)
    sandbox.advance(max(0.0, (now - start).total_seconds()))
    return sandbox


def _connections(home: Path, sandbox: Sandbox) -> str:
    """Write the connections into a file for Airflow, and return its path."""
    host, _, port = sandbox.base_url.rpartition(":")  # apart, as Airflow's button tests no connection without a port
    nexus = {"conn_type": "nexus", "host": host, "port": int(port), "password": sandbox.token}
    nexus["extra"] = json.dumps({"environment": "test", "allow_writes": True})
    warehouse = {"conn_type": "sqlite", "host": str(home / "warehouse.db")}
    described = {
        "nexus_default": nexus | {"description": "The sandbox that make ui has started"},
        "warehouse": warehouse | {"description": "A SQLite file, for example_nexus_warehouse"},
    }
    path = home / "connections.json"
    path.write_text(json.dumps(described, indent=2))
    return str(path)


def _until_ready(url: str, airflow: subprocess.Popen[bytes]) -> None:
    """Wait until Airflow is healthy and has read each example, or has ended."""
    examples = len(list(throwaway.example_dags().glob("example_*.py")))
    with requests.Session() as session:
        session.trust_env = False
        while airflow.poll() is None:
            with suppress(requests.RequestException, ValueError, KeyError):
                health = session.get(f"{url}/api/v2/monitor/health", timeout=10).json()
                token = session.get(f"{url}/auth/token", timeout=10).json()["access_token"]
                session.headers["Authorization"] = f"Bearer {token}"
                read = [
                    session.get(f"{url}/api/v2/{what}", params={"limit": 1}, timeout=10).json()["total_entries"]
                    for what in ("dags", "importErrors")
                ]
                if all(health[part]["status"] == "healthy" for part in _PARTS) and sum(read) >= examples:
                    return
            time.sleep(0.5)


def dag_policy(dag: Any) -> None:
    """Airflow's cluster policy here: no DAG starts by the clock, as such a run would come before the one that was asked for.

    The form of the trigger has yesterday instead of the window that the schedule would have given.
    """
    from airflow.timetables.simple import NullTimetable

    if not dag.timetable.can_be_scheduled or "Asset" in type(dag.timetable).__name__:
        return  # what Nexus starts may start
    dag.timetable = NullTimetable()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for name, day in (("window_start", today - timedelta(days=1)), ("window_end", today)):
        for params in (dag.params, *(task.params for task in dag.tasks)):  # each task has a copy, which wins
            if name in params and params[name] is None:
                params[name] = day.isoformat()
