"""What a proved sync can't do without, each step by itself on whole pages: its sum is the least that a record can take.

    python -m benchmarks.floors URL

It prints CPU microseconds a record, as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import zlib
from collections.abc import Callable

import msgspec
import requests

from benchmarks.server import PATH

_PAGE, _ROUNDS = 100, 7


class _Values(msgspec.Struct):
    records: list[msgspec.Raw]


class _Answer(msgspec.Struct):
    values: _Values


def measure(url: str) -> dict[str, float]:
    """The median of each step."""
    bodies: list[bytes] = []
    decode = msgspec.json.Decoder(_Answer).decode

    def fetch() -> None:
        bodies.clear()
        with requests.Session() as session:
            total, page = 1, 1
            while page <= total:
                answer = session.get(url + PATH, params={"page": str(page), "limit": str(_PAGE)}, timeout=30)
                bodies.append(answer.content)
                total, page = json.loads(answer.content[:400].partition(b'"totalPages":')[2].partition(b",")[0]), page + 1

    def zip_up() -> None:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        for body in bodies:
            packer.compress(body)
        packer.flush()

    steps: dict[str, Callable[[], object]] = {
        "a call by requests": fetch,
        "``json.loads``": lambda: [json.loads(body) for body in bodies],
        "splitting a page": lambda: [decode(body) for body in bodies],
        "decoding the records": lambda: [msgspec.json.decode(body) for body in bodies],
        "gzip": zip_up,
    }
    fetch()
    records = sum(len(decode(body).values.records) for body in bodies)
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(_ROUNDS):
        for name, step in steps.items():
            began = time.process_time()
            step()
            took[name].append((time.process_time() - began) / records * 1e6)
    return {name: statistics.median(each) for name, each in took.items()}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
