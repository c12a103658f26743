"""`airflow nexus report`: the proofs of a folder of copies as one page."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.report import put_report
from airflow_provider_nexus.sync import store


@running.command
def run(arguments: Namespace) -> int:
    """Write the page.

    :raises NexusConfigurationError: when there is no manifest, or no folder for the page
    :raises NexusStorageError: when the page can't be written
    """
    page = running.place(arguments.out)
    if store.is_local(page) and not page.parent.is_dir():
        raise NexusConfigurationError(f"there is no folder {page.parent} to write {page.name} into: make it first")
    size = put_report(running.place(arguments.target), page)
    print(f"{arguments.out}: {size:,} bytes")
    return 0
