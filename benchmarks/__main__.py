"""Measure, and write docs/performance.rst: `make bench`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks import page, server, starting
from benchmarks.environments import ROOT
from benchmarks.results import Measured, Results, machine, versions
from benchmarks.running import Bench, memory, postgresql
from benchmarks.ways import BARE, CONDITIONS, COPY, WAYS

PROFILED = {"json": "json_lines", "parquet": "parquet"}
SIZES = (10_000, 100_000)
ROWS, LOADS = (10_000, 100_000, 1_000_000, 10_000_000), 1_000
_IN_MEMORY = ("json", "json8", "parquet")
PARTS = ("speed", "memory", "imports", "task", "profiles", "floors", "growth")


def measure(results: Results, parts: list[str], ways: list[str], portion: float) -> None:
    """Measure what is asked for.

    :param ways: that are compared
    :param portion: of the records that are read else
    """
    if "speed" in parts:
        _speed(results, ways, portion)
    if "memory" in parts:
        for name in _IN_MEMORY:
            print(f"memory of {WAYS[name].label}", flush=True)
            results.memory[name] = memory(name, [int(size * portion) for size in SIZES])
    if "imports" in parts:
        results.imports = starting.measure()
    if "task" in parts:
        with server.running(1000) as url:
            results.task = _asked("benchmarks.task", url)
    if "growth" in parts:
        results.growth = {size: _asked("benchmarks.growth", "rows", str(size)) for size in (int(each * portion) for each in ROWS)}
        results.loads = _asked("benchmarks.growth", "loads", str(int(LOADS * portion)))
    with server.running(int(20_000 * portion)) as url:
        if "profiles" in parts:
            results.profiles = {name: _asked("benchmarks.profile", work, url) for name, work in PROFILED.items()}
        if "floors" in parts:
            results.floors = _asked("benchmarks.floors", url)


def _speed(results: Results, ways: list[str], portion: float) -> None:
    with postgresql() if {"postgresql", COPY} & set(ways) else nullcontext("") as database:
        bench = Bench([name for name in ways if database or name not in ("postgresql", COPY)], database)
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
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="what to compare; the bare loop always")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--into", type=Path, default=ROOT, help="the repository whose page is written")
    asked = parser.parse_args()
    results = Results(rounds=asked.runs, machine=machine(), versions=list(versions()))
    measure(results, asked.only, [name for name in WAYS if name in (BARE, *asked.ways)], asked.portion)
    page.store(results, asked.into)
    page.write(asked.into)
    print(f"written: {asked.into / page.PAGE}")


if __name__ == "__main__":
    main()
