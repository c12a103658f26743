"""An imitation of Nexus that runs on this machine: seeded data, a virtual clock, and every unpleasant side to order.

Starlette and uvicorn are imported when a sandbox starts, not before.
"""

from __future__ import annotations

from airflow_provider_nexus.sandbox.faults import Fault
from airflow_provider_nexus.sandbox.sandbox import Sandbox
from airflow_provider_nexus.sandbox.settings import SandboxSettings
from airflow_provider_nexus.sandbox.state import RecordedCall

__all__ = ["Fault", "RecordedCall", "Sandbox", "SandboxSettings"]
