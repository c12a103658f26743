"""The name of the machine that a process of the cluster takes itself to be on: Airflow's `hostname_callable` there."""

from __future__ import annotations

import os

VARIABLE = "NEXUS_CLUSTER_HOST"


def name() -> str:
    """That name."""
    return os.environ[VARIABLE]
