"""A Delta table that is there: opened as its own properties describe it, without Nexus or a connection of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Output
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.library import handle_of, lake_errors
from airflow_provider_nexus.load.delta.log import APPLICATION


def open_table(folder: Any, storage_options: Mapping[str, str] | None = None) -> DeltaCopy:
    """The copy in a Delta table.

    :param folder: its root
    :param storage_options: what deltalake needs to open the store
    :raises NexusConfigurationError: when there is none that a sync has made, or deltalake is not installed
    :raises NexusStorageError: when the store fails
    """
    with lake_errors(folder, "read"):
        handle = handle_of(folder, storage_options or {})
        if handle is None:
            raise NexusConfigurationError(f"{folder} contains no Delta table: give the path of one")
        configuration = handle.metadata().configuration
    said = {name: configuration.get(f"{APPLICATION}.{name}", "") for name in ("resource", "environment", "base_url", "output")}
    if not all(said.values()):
        raise NexusConfigurationError(f"{folder} is a Delta table that no sync has made: give another path")
    output: Output = "history" if said["output"] == "history" else "current"
    return DeltaCopy(
        folder,
        Table(get_resource(said["resource"])),
        environment=said["environment"],
        base_url=said["base_url"],
        output=output,
        storage_options=storage_options,
    )
