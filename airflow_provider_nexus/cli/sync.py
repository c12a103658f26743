"""`airflow nexus sync` and `plan`: bring a window or snapshot into files without a DAG, and cut a backfill into windows."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.cli import running
from airflow_provider_nexus.cli.output import following, print_json, print_table, print_text, short
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError, printable
from airflow_provider_nexus.extract import checkpoint as staging
from airflow_provider_nexus.extract.plan import plan as plan_windows
from airflow_provider_nexus.extract.protect import Protection, Treatment
from airflow_provider_nexus.extract.request import SETTLE_LAG, SyncRequest
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.load.collection import refuse_another, refuse_table
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.job import SyncJob, collection_folder
from airflow_provider_nexus.sync.watermark import CopyWatermark, Watermark, file_watermark

if TYPE_CHECKING:
    from airflow_provider_nexus.hooks.nexus import NexusHook


@running.command
def run(arguments: Namespace) -> int:
    """Sync, and print the summary. What can't be proved complete is an error, and not stored."""
    resource = get_resource(arguments.resource)
    with running.nexus(arguments.nexus_conn_id) as hook:
        summary = _sync(hook, resource, arguments)
    summary = {"resource": resource.name, "changed": False, "records": 0} if summary is None else summary
    if arguments.output == "table":
        _show(summary)
    else:
        print_json(summary)
    return 0


def _show(summary: dict[str, Any]) -> None:
    """What a person wants to know of a summary; as JSON, all of it is printed."""
    if "path" not in summary:
        print_text(f"Nothing new of {summary['resource']} is settled yet")
        return
    print_text(f"Synced {summary['resource']}{'' if summary['changed'] else ': nothing has changed'}", style="bold")
    window = [summary[name] for name in ("window_start", "window_end") if summary[name]]
    facts = {
        "window": " to ".join(window),
        "verdict": summary["verdict"],
        "records": f"{summary['records']:,}",
        "rejected": f"{summary['rejected']:,}" if summary["rejected"] else "",
        "calls": f"{summary['calls']:,}",
    }
    for name, value in facts.items():
        if value:
            print_text(f"{name:8}  {value}", " " * 10)
    print(f"{'path':8}  {printable(short(summary['path']))}")


def _last_end(watermark: Watermark, collection: Any) -> str:
    if (found := watermark.get()) is None:
        raise NexusWindowError(f"no earlier sync is in {short(collection)} that could be continued: give --window-start")
    return found


def _fields(protected: list[tuple[str, Treatment]]) -> dict[str, Treatment]:
    fields = dict(protected)
    if len(fields) < len(protected):
        raise NexusConfigurationError("--protect names a field twice: name each once")
    return fields


def _target(hook: NexusHook, resource: Resource, arguments: Namespace, collection: Any) -> tuple[Loader[Any], Watermark]:
    """What stores the records, and where the last sync ended."""
    environment, rejected = hook.settings.environment, arguments.max_rejected
    if arguments.file_format == "delta":
        from airflow_provider_nexus.hooks._stores import delta_options
        from airflow_provider_nexus.load.delta.copy import DeltaCopy

        table = DeltaCopy(
            collection,
            Table(resource),
            environment=environment.name,
            base_url=environment.base_url,
            storage_options=delta_options(collection),
        )
        return Loader(table, rejected), CopyWatermark(table)
    refuse_table(collection)
    refuse_another(collection, environment.base_url)
    watermark = file_watermark(collection)
    if arguments.file_format == "parquet":
        from airflow_provider_nexus.load.parquet.copy import ParquetCopy

        return Loader(ParquetCopy(collection, Table(resource)), rejected), watermark
    return Loader(JsonLinesCopy(collection), rejected), watermark


def _sync(hook: NexusHook, resource: Resource, arguments: Namespace) -> dict[str, Any] | None:
    from airflow import __version__ as airflow_version

    log, environment = running.log_to_stderr(), hook.settings.environment.name
    collection = collection_folder(running.place(arguments.path, "PATH"), environment, resource)
    store.refuse_unfit("PATH", collection)
    loader, watermark = _target(hook, resource, arguments, collection)
    if resource.is_windowed:
        asked = arguments.window_start, arguments.window_end
        wanted = choose_window(arguments=asked, watermark=lambda: _last_end(watermark, collection))
    elif arguments.window_start or arguments.window_end:
        raise NexusConfigurationError(
            f"{resource.name} has no window: Nexus returns only its present state. Leave --window-start and --window-end out"
        )
    else:
        wanted = None
    request = SyncRequest(
        resource=resource,
        requested=wanted,
        readings=arguments.readings,
        parallel=arguments.parallel,
        max_rejected=arguments.max_rejected,
        protection=Protection(arguments.personal, _fields(arguments.protect), hook.settings.hash_secret.reveal()),
        run={"command": "airflow nexus sync"},
        airflow_version=airflow_version,
    )
    moved, staged = watermark if wanted else None, collection / staging.FOLDER
    with following(f"reading {resource.name}", "records") as follow:
        return SyncJob(hook.client, request, loader, watermark=moved, staging=staged, log=log, follow=follow).run()


@running.command
def plan(arguments: Namespace) -> int:
    """Show the windows."""
    resource, wanted = get_resource(arguments.resource), choose_window(arguments=(arguments.window_start, arguments.window_end))
    with running.nexus(arguments.nexus_conn_id) as hook, following("planning", "counts") as follow:
        windows = plan_windows(hook.client, resource, wanted, arguments.max_windows, settle_lag=SETTLE_LAG, follow=follow)
        calls = hook.client.session.calls
    found = [(to_wire(window.start), to_wire(window.end), window.records) for window in windows]
    if arguments.output != "table":
        windowed = [{"window_start": start, "window_end": end, "records": records} for start, end, records in found]
        print_json(windowed)
        return 0
    rows = [(start, end, "?" if records is None else f"{records:,}") for start, end, records in found]
    print_table(f"Windows of {resource.name}", ("start", "end", "records"), rows, right=("records",))
    print_text(f"{number_of(len(windows), 'window')}, planned in {number_of(calls, 'call')}")
    return 0
