"""What a load into a Delta table costs: with the number of rows in the table, and with the number of loads before it.

    python -m benchmarks.growth rows 1000000
    python -m benchmarks.growth loads 1000

It prints what it measured, as JSON. Each load runs in a process of its own, which has loaded into another table before.
"""

from __future__ import annotations

import json
import pickle
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.columns import DIGESTED
from airflow_provider_nexus.load.copy import TableRow
from airflow_provider_nexus.load.rows import content_of
from airflow_provider_nexus.sandbox import Sandbox
from benchmarks.environments import ROOT
from tests.load.converting import converted
from tests.load.delta.writing import DAY, NAMES, START, TABLE, copy_in, load_some, sealed_of

DAYS = 360
SPANS = {"the newest 3 days": 3, "the last 90 days": 90, "all days": DAYS}
"""Where the records of a load were created, by name."""
CHANGES = 1000
_GROUP = 10_000
_FEW = 2_000
"""Rows of the table into which a process loads first, so that what is imported on the way is not measured."""
_CREATED, _STATUS = NAMES.index(TABLE.created), NAMES.index(TABLE.status)


@cache
def _records() -> list[TableRow]:
    """Rows of transactions of the sandbox."""
    entry = TABLE.resource
    with Sandbox(customers=500, transactions=5_000, days=30, clock_speed=0, amounts="awkward") as sandbox:
        return converted(entry, sandbox.truth(entry.name), Origin(START + DAYS * DAY, "created"))


def _row(number: int, count: int, *, version: int = 0) -> TableRow:
    """One of the records of a table.

    :param count: records of the table, which were created all over its days
    :param version: another one has another status, and was read later
    """
    values = list(_records()[number % len(_records())])
    values[_CREATED] = START + DAY * (DAYS * number / count)
    if version:
        values[_STATUS] = f"Status{version}"
    rest = values[DIGESTED:]
    return (f"K{number:09}", START + (DAYS + version) * DAY, values[2], content_of(rest), *rest)


def _fill(folder: Path, count: int) -> None:
    """Make a table, window by window."""
    for first in range(0, DAYS, 3):
        low, high = (-(-count * day // DAYS) for day in (first, first + 3))
        window, read_at = Window(START + first * DAY, START + (first + 3) * DAY), START + DAYS * DAY
        rows = [_row(number, count) for number in range(low, high)]
        batches = [rows[place : place + _GROUP] for place in range(0, len(rows), _GROUP)]
        copy_in(folder).apply(batches, window, lambda: sealed_of(rows, window, read_at))  # noqa: B023 - it is called at once


def _peak() -> float:
    """The most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _change(folder: Path, count: int, days: int, version: int) -> None:
    """Make new versions of records that were created in the newest days, for :func:`_load`."""
    first = count - count * days // DAYS
    chosen = sorted(random.Random(version).sample(range(first, count), min(CHANGES, count - first)))
    _fill(folder / "small", _FEW)
    few, many = ([_row(number, of, version=version) for number in which] for which, of in ((range(100), _FEW), (chosen, count)))
    (folder / "rows").write_bytes(pickle.dumps((few, many)))


def _load(folder: Path) -> tuple[float, float]:
    """Load what was made: seconds, and MB over what a load into a small table took."""
    few, many = pickle.loads((folder / "rows").read_bytes())
    load_some(folder / "small", few)
    before, began = _peak(), time.perf_counter()
    stored = load_some(folder / "table", many)
    seconds = time.perf_counter() - began
    if stored.updated != len(many):
        raise RuntimeError(f"{len(many)} records were changed: {stored}")
    return round(seconds, 3), round(_peak() - before, 1)


def rows(count: int) -> dict[str, Any]:
    """Loads of a thousand changes into a table of so many rows, by where they lie: seconds, and MB over those of a small load."""
    found: dict[str, Any] = {"changes": {}}
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        _in_process("_fill", f"{name}/table", count)
        found["filled"] = round(time.perf_counter() - began)
        for version, (span, days) in enumerate(SPANS.items(), 1):
            _in_process("_change", name, count, days, version)
            found["changes"][span] = _in_process("_load", name)
            shutil.rmtree(Path(name) / "small")
        found["megabytes"] = round(sum(path.stat().st_size for path in Path(name).rglob("*.parquet")) / 1e6)
    return found


def _in_process(function: str, folder: str, *arguments: int) -> Any:
    """What a function of this module returns in a process of its own."""
    call = f"growth.{function}(Path({folder!r}), *{arguments})"
    script = f"import json; from pathlib import Path; from benchmarks import growth; print(json.dumps({call}))"
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def loads(count: int, size: int = 100_000) -> dict[str, Any]:
    """Loads, one after the other, of a hundred changes among the newest records: seconds and files by tenth of them."""
    chance, took, files = random.Random(count), list[float](), list[int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder, size)
        for version in range(1, count + 1):
            chosen = sorted(chance.sample(range(size - size // 100, size), 100))
            changed = [_row(number, size, version=version) for number in chosen]
            began = time.perf_counter()
            load_some(folder, changed)
            took.append(time.perf_counter() - began)
            if version % (count // 10) == 0:
                files.append(len(copy_in(folder).snapshot().files(TABLE.created)))  # type: ignore[union-attr]
        problems = copy_in(folder).check().problems
    if problems:
        raise RuntimeError(f"the table is not what its loads left: {problems}")
    tenth = count // 10
    return {"seconds": [statistics.median(took[place : place + tenth]) for place in range(0, count, tenth)], "files": files}


if __name__ == "__main__":
    print(json.dumps({"rows": rows, "loads": loads}[sys.argv[1]](int(sys.argv[2]))))
