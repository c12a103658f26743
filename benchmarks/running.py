"""Runs all ways in turn, each in a process of its own that stays alive, so that what else the machine does meets all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from airflow_provider_nexus.client.client import LARGE_PAGE
from benchmarks import server
from benchmarks.environments import ROOT, NotInstalledError, python_of
from benchmarks.ours import DATABASE
from benchmarks.ways import OURS, WAYS, Conditions, Way

_LONGEST = 120
"""Seconds after which a run is given up."""
_FEW = 200
"""Records that each way reads once before it is measured."""


class Worker:
    """A process that does one kind of work when it is asked to."""

    def __init__(self, way: Way, database: str = "") -> None:
        python = sys.executable if way.environment == OURS else python_of(way.environment)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), DATABASE: database}
        command = [python, "-m", "benchmarks.worker", way.work]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )

    def run(self, url: str, page_size: int) -> dict[str, Any]:
        """One run; what the worker measured, or ``error``."""
        assert self._process.stdin
        assert self._process.stdout
        timer = threading.Timer(_LONGEST, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(f"{url} {page_size}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "it ended, or took too long"}
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database, and nothing where there is no PostgreSQL."""
    import pytest

    from tests.load.sql.databases import postgresql as started

    with ExitStack() as stack:
        try:
            url = stack.enter_context(started())
        except (pytest.skip.Exception, pytest.fail.Exception) as error:
            print(f"without PostgreSQL: {error}", flush=True)
            url = ""
        yield url.replace("+psycopg2", "+psycopg")


class Bench:
    """All ways that can be measured, ready.

    :param names: of the ways that are wanted
    :param database: URL of an empty PostgreSQL database; empty for none
    :ivar left_out: why a way is not measured, by name
    """

    def __init__(self, names: Iterable[str], database: str) -> None:
        self.left_out: dict[str, str] = {}
        self._workers: dict[str, Worker] = {}
        with server.running(_FEW) as url:
            for name in names:
                try:
                    self._workers[name] = Worker(WAYS[name], database)
                except NotInstalledError as error:
                    self.left_out[name] = f"its environment could not be made: {error}"
                else:
                    self._check(name, self._workers[name].run(url, 100))

    def measure(self, conditions: Conditions, runs: int) -> dict[str, list[dict[str, Any]]]:
        """What each run took, by way; each round begins with another one."""
        found: dict[str, list[dict[str, Any]]] = {}
        with server.running(conditions.records, conditions.latency / 1000) as url:
            for number in range(runs):
                names = [name for name in conditions.ways if name in self._workers]
                first = number % len(names)
                for name in names[first:] + names[:first]:
                    took = self._workers[name].run(url, conditions.page_size)
                    if self._check(name, took, conditions.records):
                        found.setdefault(name, []).append(took)
                shown = f"{conditions.latency} ms, pages of {conditions.page_size}: run {number + 1} of {runs}"
                print(shown, flush=True)
        return {name: took for name, took in found.items() if len(took) == runs}

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers.values():
            worker.close()

    def _check(self, name: str, took: dict[str, Any], records: int = _FEW) -> bool:
        """Leave out a way that failed, or read another number of records."""
        why = took.get("error") or ("" if took["records"] == records else f"it read {took['records']} of {records} records")
        if why:
            print(f"without {WAYS[name].label}: {why}", flush=True)
            self.left_out[name] = why
            self._workers.pop(name).close()
        return not why


def memory(name: str, sizes: Iterable[int], page_size: int = LARGE_PAGE) -> dict[int, float]:
    """MB that a run takes at most, over those of a run of a few records in the same process, by number of records."""
    found = {}
    for records in sizes:
        worker = Worker(WAYS[name])
        try:
            with server.running(_FEW) as few, server.running(records) as many:
                worker.run(few, page_size)
                found[records] = worker.run(many, page_size)["memory"]
        finally:
            worker.close()
    return found
