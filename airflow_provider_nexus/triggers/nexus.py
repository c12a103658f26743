"""Triggers, at their public address."""

from __future__ import annotations

from airflow_provider_nexus.triggers._changes import NexusChangeTrigger
from airflow_provider_nexus.triggers._status import NexusStatusTrigger

__all__ = ["NexusChangeTrigger", "NexusStatusTrigger"]
