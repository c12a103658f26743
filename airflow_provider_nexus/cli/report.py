"""`airflow nexus report`: writes the proofs of a folder of copies, or of a table, as one page."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.exceptions import NexusConfigurationError, printable
from airflow_provider_nexus.report import put_report


@running.command
def run(arguments: Namespace) -> int:
    """Write the page.

    :raises NexusConfigurationError: when there is no manifest, no such table or connection, or no folder for the page
    :raises NexusStorageError: when the page can't be written, or the database fails
    """
    page = running.place(arguments.out, "-o")
    if store.is_local(page) and not page.parent.is_dir():
        raise NexusConfigurationError(f"there is no folder {page.parent} to write {page.name} into: make it first")
    if arguments.sql_conn_id:
        with running.database(arguments.sql_conn_id) as engine:
            from airflow_provider_nexus.report.table import put_table_report
            from airflow_provider_nexus.verify.tables import open_table

            size = put_table_report(open_table(engine, arguments.target), page)
    else:
        size = put_report(running.place(arguments.target), page)
    print(printable(f"{arguments.out}: {size:,} bytes"))
    return 0
