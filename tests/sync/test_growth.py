"""What a run costs depends on its own work: a late run asks as much of what is stored of a copy as an early one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_nexus.sandbox import Sandbox
from tests.load.sql.test_capture import into_table
from tests.sync.capturing import Capture, into_files, living

EARLY, LATE = 20, 40
QUIET: dict[str, Any] = {"per_day": 24, "lives": "short", "arrivals_per_hour": 0}
"""All has ended after some hours and nothing new comes: what a run has to do is the same each time."""


class CountingFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Counts what an object store is asked."""

    protocol = "counted"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    asked: ClassVar[list[str]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("counted://", "memory://")))

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        self.asked.append(f"{mode} {path}")
        return super()._open(path, mode, **kwargs)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        self.asked.append(f"ls {path}")
        return super().ls(path, detail, **kwargs)

    def info(self, path: str, **kwargs: Any) -> Any:
        self.asked.append(f"info {path}")
        return super().info(path, **kwargs)


def each_run(capture: Capture, sandbox: Sandbox, count: Callable[[], int]) -> list[int]:
    """How much each run adds to a count."""
    found = []
    for _ in range(LATE):
        before = count()
        capture.run()
        found.append(count() - before)
        sandbox.advance(3600)
    return found


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_no_more_is_asked_of_a_store(resource: str) -> None:
    fsspec.register_implementation("counted", CountingFileSystem, clobber=True)
    attach(protocol="counted", fs=CountingFileSystem())
    with living(**QUIET) as sandbox:
        capture = into_files(sandbox, ObjectStoragePath(f"counted://lake/{resource}"), resource)  # type: ignore[arg-type]
        asked = each_run(capture, sandbox, lambda: len(CountingFileSystem.asked))
    assert asked[LATE - 1] <= asked[EARLY - 1]


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_a_database_takes_no_more_steps(resource: str, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    @sa.event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.set_progress_handler(step, 1)

    with living(**QUIET) as sandbox:
        found = each_run(into_table(sandbox, engine, resource), sandbox, lambda: steps)
    engine.dispose()
    assert found[LATE - 1] <= found[EARLY - 1]
