"""`airflow nexus replay`: tries records again that did not fit, with the catalogue as it is now."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.bar import following


@running.command
def run(arguments: Namespace) -> int:
    """Try again.

    :return: 0 when all records fit now, 1 when some do not
    :raises NexusConfigurationError: when there is nothing to replay into, or a connection is missing
    :raises NexusStorageError: when the files are not those of the manifest
    """
    if arguments.sql_conn_id:
        with running.database(arguments.sql_conn_id) as engine, following("replaying", "readings") as follow:
            from airflow_provider_nexus.replay.table import replay_table
            from airflow_provider_nexus.verify.tables import open_table

            done = replay_table(open_table(engine, arguments.target), follow)
    else:
        from airflow_provider_nexus.replay.files import replay

        with following("replaying", "folders") as follow:
            done = replay(running.place(arguments.target), follow)
    if arguments.output == "json":
        running.print_json([each.dump() for each in done])
    else:
        if done:
            rows = [(each.where, f"{each.fitted:,}", f"{each.left:,}", "; ".join(each.reasons)) for each in done]
            running.print_table("Replayed", ("where", "fit now", "left", "why"), rows, right=("fit now", "left"))
        print(f"{sum(each.fitted for each in done):,} records fit now, {sum(each.left for each in done):,} still do not")
    return running.PROBLEMS if any(each.left for each in done) else 0
