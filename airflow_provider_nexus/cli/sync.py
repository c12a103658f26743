"""`airflow nexus sync`: brings one window, or one snapshot, into files without a DAG."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.bar import following
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract import checkpoint as staging
from airflow_provider_nexus.extract.protect import Protection
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.load.collection import refuse_another
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.job import SyncJob, collection_folder
from airflow_provider_nexus.sync.watermark import file_watermark

if TYPE_CHECKING:
    from airflow_provider_nexus.hooks.nexus import NexusHook


@running.command
def run(arguments: Namespace) -> int:
    """Sync, and print the summary.

    :raises NexusConfigurationError: when an argument is wrong, or there is no such connection
    :raises NexusUnprovedError: when it can't be proved complete; nothing is stored then
    :raises NexusApiError: one class per cause
    """
    resource = get_resource(arguments.resource)
    with running.nexus(arguments.nexus_conn_id) as hook:
        summary = _sync(hook, resource, arguments)
    if summary is None:
        summary = {"resource": resource.name, "changed": False, "records": 0}
    if arguments.output == "json":
        running.print_json(summary)
    else:
        running.print_table("Synced", ("what", "value"), [(name, str(value)) for name, value in summary.items()])
    return 0


def _sync(hook: NexusHook, resource: Resource, arguments: Namespace) -> dict[str, Any] | None:
    from airflow import __version__ as airflow_version

    log, environment = running.log_to_stderr(), hook.settings.environment.name
    collection = collection_folder(running.place(arguments.path, "PATH"), environment, resource)
    store.refuse_unfit("PATH", collection)
    refuse_another(collection, hook.settings.environment.base_url)
    watermark = file_watermark(collection)
    if resource.is_windowed:
        wanted = choose_window(arguments=(arguments.window_start, arguments.window_end), watermark=watermark.get)
    elif arguments.window_start or arguments.window_end:
        raise NexusConfigurationError(f"{resource.name} has no window: Nexus returns only its present state. Leave it out")
    else:
        wanted = None
    request = SyncRequest(
        resource=resource,
        requested=wanted,
        readings=arguments.readings,
        parallel=arguments.parallel,
        protection=Protection(arguments.personal, {}, hook.settings.hash_secret.reveal()),
        run={"command": "airflow nexus sync"},
        airflow_version=airflow_version,
    )
    loader: Loader[Any] = Loader(JsonLinesCopy(collection))
    if arguments.file_format == "parquet":
        from airflow_provider_nexus.load.parquet.copy import ParquetCopy

        loader = Loader(ParquetCopy(collection, Table(resource)))
    moved, staged = watermark if wanted else None, collection / staging.FOLDER
    with following(f"reading {resource.name}", "records") as follow:
        return SyncJob(hook.client, request, loader, watermark=moved, staging=staged, log=log, follow=follow).run()
