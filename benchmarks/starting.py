"""What it takes to import the operators, over Airflow's own SDK, which every DAG file imports."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

from benchmarks.environments import FOLDER

_ROUNDS = 6
"""The first one compiles."""
_SCRIPT = """
import json, sys, time
import airflow.sdk, airflow.triggers.base
for name in airflow.sdk.__all__:
    getattr(airflow.sdk, name, None)
before, modules = time.process_time(), len(sys.modules)
for name in sys.argv[1:]:
    __import__(f"airflow_provider_nexus.{name}")
print(json.dumps([(time.process_time() - before) * 1000, len(sys.modules) - modules]))
"""
IMPORTED = {
    "one transfer": ("transfers.nexus_to_object_storage",),
    "one operator": ("operators.transactions",),
    "all operators, transfers and sensors": (
        *(f"operators.{name}" for name in ("customers", "documents", "mails", "nexus", "orders")),
        *(f"operators.{name}" for name in ("plan", "transactions", "transfers")),
        *("transfers.nexus_to_object_storage", "transfers.nexus_to_sql", "sensors.nexus"),
    ),
}


def measure() -> dict[str, tuple[float, int]]:
    """CPU milliseconds and modules of each, in a new process each time, from compiled files as in production."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(FOLDER / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    took: dict[str, list[list[float]]] = {name: [] for name in IMPORTED}
    for _ in range(_ROUNDS):
        for name, modules in IMPORTED.items():
            command = [sys.executable, "-c", _SCRIPT, *modules]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            took[name].append(json.loads(done.stdout.splitlines()[-1]))
    return {name: (statistics.median(each[0] for each in rounds[1:]), int(rounds[0][1])) for name, rounds in took.items()}
