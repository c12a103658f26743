"""Metrics of a sync among Airflow's own, for StatsD and OpenTelemetry alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.compat import stats

PREFIX = "nexus.sync"


def count(summary: Mapping[str, Any]) -> None:
    """Send the numbers of a sync that has ended.

    ``nexus.sync.records``, ``.rejected`` and ``.calls`` are counters, ``nexus.sync.duration`` is a timer in milliseconds; all
    carry the resource, the environment and the verdict as tags.

    :param summary: as the operator returns it
    """
    tags = {name: str(summary[name]) for name in ("resource", "environment", "verdict")}
    for name in ("records", "rejected", "calls"):
        stats.incr(f"{PREFIX}.{name}", int(summary[name]), tags=tags)
    stats.timing(f"{PREFIX}.duration", summary["seconds"] * 1000, tags=tags)
