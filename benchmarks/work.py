"""Work of Python for one record, counted and not timed: calls and bytecodes, the same on every machine.

    python -m benchmarks.work          # print what it is now
    python -m benchmarks.work --renew  # and store it in benchmarks/work.json, with which the tests compare

Time depends on the machine and on what else it does, so a test of it fails by chance or never. What a record costs here is nearly
all in what the interpreter executes for it, and that can be counted. What C code does in one call is not seen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import ours, server

FIGURES = Path(__file__).with_name("work.json")
WAYS: dict[str, Callable[[str, int], ours.Work]] = {
    "iter_records": ours.iter_records,
    "JSON lines": ours.json_lines,
    "Parquet": ours.parquet,
    "SQLite": ours.sqlite,
}
_FEW, _MANY = 500, 1500
"""Two sizes, whose difference leaves out what is done once. All batches of the package go into it without a rest."""
_PAGE = 100
_SCALE = {(3, 11): 1.0, (3, 12): 0.93, (3, 13): 0.88}
"""Bytecodes that each Python executes of the same code, against 3.11: newer ones do more in one."""


class Count:
    """Counts what this thread executes while it is active."""

    def __init__(self) -> None:
        self.calls = self.bytecodes = 0

    def __enter__(self) -> Count:
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        sys.setprofile(None)

    def _profile(self, _frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            self.calls += 1

    def _trace(self, frame: FrameType, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._executed

    def _executed(self, _frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode":
            self.bytecodes += 1
        return self._executed


def counted(prepare: Callable[[str, int], ours.Work], records: int, url: str) -> tuple[int, int]:
    """Calls and bytecodes of one run."""
    work = prepare(url, _PAGE)
    with Count() as count:
        found = work()
    if found != records:
        raise RuntimeError(f"{found} records were read of {records}")
    return count.calls, count.bytecodes


def measure() -> dict[str, dict[str, float]]:
    """Calls and bytecodes a record, by way."""
    scale = _SCALE.get(sys.version_info[:2], _SCALE[max(_SCALE)])
    found = dict[str, dict[str, float]]()
    with server.running(_FEW) as small, server.running(_MANY) as large:
        for name, work in WAYS.items():
            counted(work, _FEW, small)  # fills caches, and newer Pythons see all bytecodes only from the second time on
            pairs = zip(counted(work, _MANY, large), counted(work, _FEW, small), strict=True)
            calls, bytecodes = ((many - few) / (_MANY - _FEW) for many, few in pairs)
            found[name] = {"calls": round(calls, 1), "bytecodes": round(bytecodes / scale, 1)}
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renew", action="store_true", help="store the figures")
    text = json.dumps(measure(), indent=2)
    if parser.parse_args().renew:
        FIGURES.write_text(f"{text}\n")
    print(text)
