"""Measure, and write docs/performance.rst: `make bench`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import page, server, starting
from benchmarks.environments import ROOT
from benchmarks.ours import HAS_PARALLEL
from benchmarks.results import Measured, Results, machine, versions
from benchmarks.running import Bench, memory, postgresql
from benchmarks.ways import CONDITIONS, COPY, OURS, WAYS

PROFILED = {"json": "json_lines", "parquet": "parquet"}
SIZES = (10_000, 100_000)
PARTS = ("speed", "memory", "imports", "task", "profiles", "floors")


def measure(results: Results, parts: list[str], *, portion: float, has_peers: bool) -> None:
    """Measure what is asked for.

    :param portion: of the records that are read else
    """
    if "speed" in parts:
        _speed(results, portion, has_peers)
    if "memory" in parts:
        for name in ("json", "parquet"):
            print(f"memory of {WAYS[name].label}", flush=True)
            results.memory[name] = memory(name, [int(size * portion) for size in SIZES])
    if "imports" in parts:
        results.imports = starting.measure()
    if "task" in parts:
        with server.running(1000) as url:
            results.task = _asked("benchmarks.task", url)
    with server.running(int(20_000 * portion)) as url:
        if "profiles" in parts:
            results.profiles = {name: _asked("benchmarks.profile", work, url) for name, work in PROFILED.items()}
        if "floors" in parts:
            results.floors = _asked("benchmarks.floors", url)


def _speed(results: Results, portion: float, has_peers: bool) -> None:
    names = [name for name, way in WAYS.items() if has_peers or way.environment == OURS]
    with postgresql() as database:
        is_there = {"json8": HAS_PARALLEL, "postgresql": bool(database), COPY: bool(database)}
        bench = Bench([name for name in names if is_there.get(name, True)], database)
        try:
            for each in CONDITIONS:
                conditions = dataclasses.replace(each, records=int(each.records * portion))
                results.measured.append(Measured(conditions, bench.measure(conditions, results.rounds)))
        finally:
            bench.close()
    results.left_out = bench.left_out


def _asked(module: str, *arguments: str) -> Any:
    """What another module prints, in a process of its own."""
    print(module, flush=True)
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each way")
    parser.add_argument("--portion", type=float, default=1.0, help="of the records; less is quicker, and further from the truth")
    parser.add_argument("--without-peers", action="store_true", help="measure the provider and the bare loop alone")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--into", type=Path, default=ROOT, help="the repository whose page is written")
    asked = parser.parse_args()
    results = Results(rounds=asked.runs, machine=machine(), versions=list(versions()))
    measure(results, asked.only, portion=asked.portion, has_peers=not asked.without_peers)
    page.store(results, asked.into)
    page.write(asked.into)
    print(f"written: {asked.into / page.PAGE}")


if __name__ == "__main__":
    main()
