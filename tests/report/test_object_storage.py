"""The page on a tree behind an ObjectStoragePath is the one on the same tree on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_nexus.report import write_report
from tests.report.trees import MADE_AT

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_object_storage_is_read_alike(grown: Path, scheme: str) -> None:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

    root = ObjectStoragePath(f"file://{grown}")
    if scheme == "memory":
        attach(protocol="memory", fs=MemoryFileSystem())
        root = ObjectStoragePath("memory://bucket/tree")
        for path in grown.rglob("*.json*"):
            target = root / path.relative_to(grown).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert write_report(root, made_at=MADE_AT) == write_report(grown, made_at=MADE_AT)
