"""`airflow nexus verify`: checks that a copy is still what was stored, and still what Nexus has."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.bar import following
from airflow_provider_nexus.verify.findings import Report


@running.command
def run(arguments: Namespace) -> int:
    """Check a copy.

    :return: 0 when all is well, 1 when there are problems
    :raises NexusConfigurationError: when there is nothing to check, or a connection is missing
    """
    report = _table(arguments) if arguments.sql_conn_id else _files(arguments)
    if arguments.output == "json":
        running.print_json(report.dump())
    else:
        for title, lines in (("Problems", report.problems), ("Notes", report.notes)):
            if lines:
                running.print_table(title, ("where", "what"), [(line.where, line.what) for line in lines])
        seen = f"{report.windows:,} manifests, {report.records:,} records, {report.bytes:,} bytes"
        asked = f", {report.calls:,} calls" if report.calls else ""
        print(f"{'All is well' if report.is_fine else f'{len(report.problems):,} problems'}: {seen}{asked}")
    return 0 if report.is_fine else running.PROBLEMS


def _files(arguments: Namespace) -> Report:
    from airflow_provider_nexus.verify.files import verify

    root = running.place(arguments.target)
    with following("checking", "folders") as follow:
        report = verify(root, follow)
    if not arguments.against_nexus:
        return report
    from airflow_provider_nexus.verify.against_nexus import files_against_nexus

    with running.nexus(arguments.nexus_conn_id) as hook, following("asking Nexus", "windows") as follow:
        return report.plus(files_against_nexus(root, hook.client, follow))


def _table(arguments: Namespace) -> Report:
    with running.database(arguments.sql_conn_id) as engine:
        from airflow_provider_nexus.verify.tables import open_table, verify_table

        stored = open_table(engine, arguments.target)
        with following("checking", "rows") as follow:
            report = verify_table(stored, follow)
        if not arguments.against_nexus:
            return report
        from airflow_provider_nexus.verify.against_nexus import table_against_nexus

        with running.nexus(arguments.nexus_conn_id) as hook, following("asking Nexus", "windows") as follow:
            return report.plus(table_against_nexus(stored, hook.client, follow))
