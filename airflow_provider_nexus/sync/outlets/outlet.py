"""What a sync asks of the place that its readings go to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_nexus.sync import manifest as manifests
from airflow_provider_nexus.sync import store
from airflow_provider_nexus.sync.harvest import Harvest
from airflow_provider_nexus.sync.manifest import previous_of
from airflow_provider_nexus.sync.window import Window

_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True)
class Stored:
    """Where a reading went.

    :param path: folder or table
    :param manifest: where its manifest is
    :param changed: whether anything was stored; a rerun that brings the same stores nothing
    :param rejected: records put aside
    :param inserted: records that were not there; ``None`` where that is not counted
    :param updated: records that were there in another version
    :param deleted: records that are gone from Nexus
    :param untyped: values of another kind than declared that were kept as they came, by dotted wire name of their field
    """

    path: str
    manifest: str
    changed: bool
    rejected: int = 0
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    untyped: Mapping[str, int] = field(default_factory=dict)


class Outlet(Protocol):
    """A place for readings."""

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """Member ``schema`` of the manifest that a reading is compared with; ``None`` when there is none."""

    def store(self, harvest: Harvest) -> Stored:
        """Store what was read, all or nothing."""


def fields_before(collection: Any, window: Window | None) -> dict[str, Any] | None:
    """Member ``schema`` of the manifest of the window before, or of the latest snapshot where there are no windows."""
    if window:
        before = previous_of(collection, window)
        names = [before["window"]] if before else []
    else:
        names = [name for name in store.names(collection) if _SNAPSHOT.fullmatch(name)][-1:]
    found = manifests.load(collection / names[0]) if names else None
    return found.get("schema") if found else None
