"""A sandbox and the connection that leads to it, for tests of a real Airflow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_nexus.sandbox import Sandbox

CANARY = "canary-token-that-must-never-be-seen-71c9"


@contextmanager
def connection(sandbox: Sandbox, conn_id: str = "nexus_default", **changes: Any) -> Iterator[None]:
    """A connection to a sandbox in the environment, as a deployment would set it."""
    stored = {
        "conn_type": "nexus",
        "host": sandbox.base_url,
        "password": sandbox.token,
        "extra": {"allow_writes": True, "retries": 1, **changes.pop("extra", {})},
        **changes,
    }
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    before = os.environ.get(name)
    os.environ[name] = json.dumps(stored)
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
