"""Where the CPU time of a record goes: looked at every few milliseconds of it, so that nothing is slowed down by being watched.

    python -m benchmarks.profile json_lines URL

A look sees the line that runs, or that called into C. It counts for the innermost function of the package, apart for each library
that the function calls.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import airflow_provider_nexus
from benchmarks import ours

_ROOT = Path(airflow_provider_nexus.__file__).parent
_EVERY = 0.001
_RUNS = 8


class Looks:
    """How often which function was seen."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def look(self, _signal: int, frame: FrameType | None) -> None:
        """See what runs."""
        library = ""
        while frame:
            path, name = Path(frame.f_code.co_filename), frame.f_code.co_qualname
            if path.is_relative_to(_ROOT):
                function = name.replace(".<locals>", "").partition(".<")[0]
                self.seen[f"{path.relative_to(_ROOT).with_suffix('')}|{function}|{library}"] += 1
                return
            library = _library(path) or library
            frame = frame.f_back

    def __enter__(self) -> Looks:
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _library(path: Path) -> str:
    """The library that a file belongs to; none for Python's own."""
    parts = path.parts
    return parts[parts.index("site-packages") + 1].removesuffix(".py") if "site-packages" in parts else ""


def main(name: str, url: str) -> None:
    """Print module, function, library and share of each, as JSON."""
    work = getattr(ours, name)(url, 100)
    work()
    with Looks() as looks:
        for _ in range(_RUNS):
            work()
    total = sum(looks.seen.values())
    print(json.dumps([[*place.split("|"), count / total] for place, count in looks.seen.most_common()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
