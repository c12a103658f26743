"""`make demo` and `make ui`: a throw-away Airflow with a sandbox, its connection and the example DAGs.

The demo brings a month of the sandbox into files, and shows the proof of each window.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.codes import counted
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli import running, throwaway
from airflow_provider_nexus.cli.bar import following
from airflow_provider_nexus.cli.output import console, print_table, print_text, short
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.manifest import NAME, Manifest, parse
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.port import bound

CUSTOMERS, TRANSACTIONS, DAYS = 3_000, 30_000, 30
DAG_ID = "example_nexus_sync"
_SYNCED = re.compile(r"(\w+: (?:proved|unproved)\w*, [\d,]+ records? in [\d,]+ calls?)")
_OWN_CONNECTION = """  export AIRFLOW_CONN_NEXUS_DEFAULT='{"conn_type": "nexus",
    "password": "YOUR-TOKEN", "extra": {"environment": "test"}}'"""
_SHOWN_SUMS = ("executedAmounts.fiatValue", "tradeValue", "executed.value", "amount", "cryptoAmount", "total", "available")
"""Which amount of a resource is shown in the table: the first that it has."""
_MOST_SUMS = 4
_SANDBOX = 715
"""What is added to the port of the user interface for that of the sandbox; the log servers have those before it."""


@running.command
def run(arguments: Namespace) -> int:
    """Run the demonstration.

    :raises NexusError: when any of it fails
    """
    began, shown = time.monotonic(), console()
    home = Path(arguments.home).resolve()
    data, airflow_home, log = home / "data", home / "airflow-demo", home / "demo.log"
    for folder in (data, airflow_home):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with Sandbox(customers=CUSTOMERS, transactions=TRANSACTIONS, days=DAYS) as sandbox, log.open("w") as lines:
        size = f"{CUSTOMERS:,} customers, {TRANSACTIONS:,} transactions and all that belongs to them over {DAYS} days"
        _say(f"1. A Nexus sandbox listens on {sandbox.base_url}: {size}, made from a seed.")
        environment = throwaway.environment(airflow_home, sandbox.connection_uri)
        _say("2. A throw-away Airflow with SQLite is set up.")
        migrate = ["airflow", "db", "migrate"]
        migrated = subprocess.run(migrate, env=environment, stdout=lines, stderr=subprocess.STDOUT, check=False)  # noqa: S603
        if migrated.returncode:
            raise NexusError(f"airflow db migrate ended with status {migrated.returncode}; its output is in {log}")
        _say(f"3. Airflow runs the DAG {DAG_ID}; each task reads one resource and proves that nothing is missing.")
        conf = {
            "path": data.as_uri(),
            "window_start": (today - timedelta(days=DAYS)).isoformat(),
            "window_end": today.isoformat(),
        }
        with following("syncing", "resources", shown) as follow:
            for done, line in enumerate(_lines(["dags", "test", DAG_ID, "--conf", json.dumps(conf)], environment, lines), 1):
                shown.print(f"   {line}", soft_wrap=True)
                follow(done, len(RESOURCES))
    manifests = [parse(path.read_bytes(), str(path.parent)) for path in sorted(data.rglob(NAME))]
    show(manifests, data)
    missing = set(RESOURCES) - {manifest.resource for manifest in manifests if manifest.proof.verdict != Verdict.UNPROVED}
    if missing:
        raise NexusError(f"not proved: {', '.join(sorted(missing))}; Airflow's output is in {log}")
    print_text(f"\nDone in {time.monotonic() - began:.0f} s. In Airflow's user interface: make ui")
    print_text("With your own Nexus: make a connection of type Quantoz Nexus with your API token, or")
    print(_OWN_CONNECTION)
    return 0


def _say(step: str) -> None:
    print_text(step, "   ")


def _lines(command: list[str], environment: dict[str, str], log: Any) -> Iterator[str]:
    """Run Airflow, write its output to the log, and yield the line of each finished resource."""
    with subprocess.Popen(  # noqa: S603 - the command is ours
        ["airflow", *command],  # noqa: S607 - found by the PATH of the environment given
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            log.write(line)
            if found := _SYNCED.search(line):
                yield found[1]
    if process.returncode:
        raise NexusError(f"the DAG {command[2]} failed; Airflow's output is in {log.name}")


def show(manifests: list[Manifest], data: Path) -> None:
    """Show what is in the files.

    :param data: the folder above all windows
    """
    order = list(RESOURCES)
    known = sorted(manifests, key=lambda each: order.index(each.resource))
    rows = [(each.resource, f"{each.records:,}", str(each.proof.verdict), _sums(each.sums)) for each in known]
    records = sum(each.records for each in known)
    print()
    print_table("What is in the files now", ("resource", "records", "verdict", "sum of"), rows, right=("records",))
    all_of_them = f"{counted(records, 'record')} of {counted(len(known), 'resource')}"
    print_text(f"\n{all_of_them} are in {short(data)}, and every window has a manifest beside its files, such as")
    print(f"  {short(min(data.rglob(NAME)))}")


def _sums(sums: dict[str, dict[str, str]]) -> list[str]:
    """The sums of the amount that is shown of a resource, a line for each currency; the manifest has them all."""
    name = next((name for name in _SHOWN_SUMS if name in sums), "")
    found = sorted(sums.get(name, {}).items(), key=lambda item: (item[0] != "EUR", item[0]))
    more = [f"and {len(found) - _MOST_SUMS} more"] if len(found) > _MOST_SUMS else []
    return [name, *(f"{currency} {_amount(value)}" for currency, value in found[:_MOST_SUMS]), *more] if found else []


def _amount(text: str) -> str:
    """An amount with separators, and without zeros at the end of its third decimals and further."""
    whole, _, part = f"{Decimal(text):,f}".partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


@running.command
def ui(arguments: Namespace) -> int:
    """Run `airflow standalone` until it is stopped.

    :raises OSError: when a port is taken
    :raises NexusError: when Airflow ends by itself
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Path(arguments.home).resolve() / "airflow-ui"
    home.mkdir(parents=True, exist_ok=True)
    # always at one port, as what an earlier one has left under the path is refused as another server's
    place = arguments.port + _SANDBOX
    for port in (arguments.port, *(arguments.port + more for more in throwaway.LOGS), place):
        # Airflow would start all the same, and wait for ever for the server that could not
        bound(port, f"ui needs it for --port {arguments.port}, so give another --port").close()
    with Sandbox(customers=CUSTOMERS, transactions=TRANSACTIONS, days=DAYS, port=place) as sandbox:
        environment = throwaway.environment(home, sandbox.connection_uri) | throwaway.serving(arguments.port)
        print(f"A Nexus sandbox listens on {sandbox.base_url}; the connection nexus_default leads to it.")
        print(f"Airflow starts, which takes half a minute. Then open http://127.0.0.1:{arguments.port}/dags/example_nexus_sync")
        print("Files will be under /tmp/nexus unless the run's parameter 'path' is another. Ctrl-C stops all.", flush=True)
        with subprocess.Popen(["airflow", "standalone"], env=environment, start_new_session=True) as airflow:  # noqa: S607
            try:
                status = airflow.wait()
            except KeyboardInterrupt:
                throwaway.stop(airflow)
                return 0
    raise NexusError(f"airflow standalone ended by itself with status {status}; the reason is in its last lines above")
