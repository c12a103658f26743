"""`make demo`: brings a month of a sandbox into files with a throw-away Airflow, and shows the proof of each window."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.cli import running, throwaway
from airflow_provider_nexus.cli.output import console, following, print_table, print_text, short
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load.manifest import NAME, Manifest, parse
from airflow_provider_nexus.sandbox import Sandbox

CUSTOMERS, TRANSACTIONS, DAYS = 3_000, 30_000, 30
DAG_ID = "example_nexus_sync"
_SYNCED = re.compile(r"(\w+: (?:proved|unproved)\w*, [\d,]+ records? in [\d,]+ calls?)")
_OWN_CONNECTION = """  export AIRFLOW_CONN_NEXUS_DEFAULT='{"conn_type": "nexus",
    "password": "YOUR-TOKEN", "extra": {"environment": "test"}}'"""
_SHOWN_SUMS = ("executedAmounts.fiatValue", "tradeValue", "executed.value", "amount", "cryptoAmount", "total", "available")
"""Which amount of a resource is shown in the table: the first that it has."""
_MOST_SUMS = 4


@running.command
def run(arguments: Namespace) -> int:
    """Run the demonstration; an error when any of it fails."""
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
        throwaway.airflow(["db", "migrate"], environment, lines)
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
    """Show what is in the files below a folder."""
    order = list(RESOURCES)
    known = sorted(manifests, key=lambda each: order.index(each.resource))
    rows = [(each.resource, f"{each.records:,}", str(each.proof.verdict), _sums(each.sums)) for each in known]
    records = sum(each.records for each in known)
    print()
    print_table("What is in the files now", ("resource", "records", "verdict", "sum of"), rows, right=("records",))
    all_of_them = f"{number_of(records, 'record')} of {number_of(len(known), 'resource')}"
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
