"""Sync request: what is to be read, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Protection
from airflow_provider_nexus.extract.window import RequestedWindow

Contract = Literal["report", "freeze", "allow_new_fields"]
"""What is done about fields that come or go.

* ``report`` names both in the log and in the manifest, each time. New fields are stored: in files of JSON lines as they
  came, in typed tables in ``_raw_extra``.
* ``freeze`` fails the task before anything is stored.
* ``allow_new_fields`` takes new fields as agreed on; columns that a newer catalogue has for them are added to tables.
"""

CONTRACTS: tuple[Contract, ...] = ("report", "freeze", "allow_new_fields")

SETTLE_LAG = timedelta(minutes=5)
"""How long after its own stamp a record may appear. Not documented; other payment APIs need five to ten minutes."""
LONGEST_LAG = timedelta(days=30)
"""The longest settle lag that makes sense: beyond, a mistake in the unit is more likely."""

MOST_PARALLEL = 16
"""Sub-windows that are read at once, at most."""


def refuse_parallel(resource: Resource, parallel: int | None) -> None:
    """Refuse to read parts at once of what has none, by a ``NexusConfigurationError``."""
    if parallel is not None and parallel > 1 and not resource.is_windowed:
        what = "no window, whose parts could be read at once: leave it out"
        raise NexusConfigurationError(f"parallel is {parallel}, and {resource.name} has {what}")


@dataclass(frozen=True, kw_only=True)
class SyncRequest:
    """What is to be synced.

    :param requested: the window asked for; ``None`` for resources without windows
    :param parents: codes of the parents, for a child; all by default
    :param settle_lag: how old a record must be to be sure to be visible
    :param strict: whether an unproved window fails and publishes nothing
    :param readings: how often in a row a window, or a snapshot, has to be read with the same records and contents
    :param parallel: sub-windows of a window that are read at once, at most; ``None`` to choose by size
    :param page_size: records asked for in one call; ``None`` for as many as the server takes
    :param max_rejected: records that may be put aside because they don't fit; one more fails the sync
    :param run: the Airflow run, for the manifest, as is its ``airflow_version``
    :raises NexusConfigurationError: when parts are to be read at once of a resource without windows
    """

    resource: Resource
    requested: RequestedWindow | None = None
    parents: tuple[str, ...] | None = None
    settle_lag: timedelta = SETTLE_LAG
    strict: bool = True
    readings: int = 1
    parallel: int | None = None
    page_size: int | None = None
    contract: Contract = "report"
    max_rejected: int = 0
    protection: Protection = field(default_factory=Protection)
    run: Mapping[str, Any] = field(default_factory=dict)
    airflow_version: str = ""

    def __post_init__(self) -> None:
        refuse_parallel(self.resource, self.parallel)
