"""`airflow nexus replay`: tries records again that did not fit, with the catalogue as it is now."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.bar import following
from airflow_provider_nexus.replay.outcome import Replayed


@running.command
def run(arguments: Namespace) -> int:
    """Try again.

    :return: 0 when nothing is put aside any more, 1 when something is
    :raises NexusConfigurationError: when there is nothing to replay into, or a connection is missing
    :raises NexusStorageError: when the files are not those of the manifest
    """
    done = _table(arguments) if arguments.sql_conn_id else _files(arguments)
    if arguments.output == "json":
        running.print_json([each.dump() for each in done])
    else:
        _show(done)
    return running.PROBLEMS if any(each.left for each in done) else 0


def _files(arguments: Namespace) -> list[Replayed]:
    from airflow_provider_nexus.replay.files import replay

    with following("replaying", "folders") as follow:
        return replay(running.place(arguments.target), follow)


def _table(arguments: Namespace) -> list[Replayed]:
    with running.database(arguments.sql_conn_id) as engine:
        from airflow_provider_nexus.replay.table import replay_table
        from airflow_provider_nexus.verify.tables import open_table

        with following("replaying", "readings") as follow:
            return replay_table(open_table(engine, arguments.target), follow)


def _show(done: list[Replayed]) -> None:
    if done:
        rows = [(each.where, f"{each.fitted:,}", f"{each.left:,}", "; ".join(each.reasons)) for each in done]
        running.print_table("Replayed", ("where", "fit now", "left", "why"), rows, right=("fit now", "left"))
    print(f"{sum(each.fitted for each in done):,} records fit now, {sum(each.left for each in done):,} still do not")
