"""A process that does one kind of work as often as it is asked to, and measures it, in the environment of that work.

    python -m benchmarks.worker benchmarks.peers.bare:loop

Each line of its input is a URL and a page size, and each line of its output is what the work took, as JSON. What is imported and
prepared is not measured.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import resource
import sys
import time
import urllib.request
from typing import Any


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak() -> float:
    """The most memory that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _calls(url: str) -> int:
    with urllib.request.urlopen(f"{url}/calls", timeout=30) as answer:
        return int(answer.read())


def measured(prepare: Any, url: str, page_size: int) -> dict[str, Any]:
    """What one run takes: seconds, CPU seconds, calls, and MB over what was there before."""
    work = prepare(url, page_size)
    gc.collect()
    calls, memory, cpu, began = _calls(url), _peak(), _cpu(), time.perf_counter()
    records = work()
    seconds, cpu = time.perf_counter() - began, _cpu() - cpu
    return {
        "records": records,
        "seconds": round(seconds, 5),
        "cpu": round(cpu, 5),
        "calls": _calls(url) - calls,
        "memory": round(_peak() - memory, 2),
    }


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    logging.disable(logging.CRITICAL)
    module, _, name = sys.argv[1].partition(":")
    prepare = getattr(importlib.import_module(module), name)
    for line in sys.stdin:
        url, page_size = line.split()
        try:
            answer = measured(prepare, url, int(page_size))
        except Exception as error:  # noqa: BLE001 - whatever it was, the others are measured
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
