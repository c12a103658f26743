"""Copies in files as the operators make them, for the tests of what reads them again."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.schemas.field import Field
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.load.parquet.copy import ParquetCopy
from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.sync.job import SyncJob, collection_folder
from airflow_provider_nexus.sync.watermark import file_watermark
from tests.extract.serving import client_of


def hours_of(sandbox: Sandbox, *, start: int, until: int) -> RequestedWindow:
    """A window counted back from the sandbox's last full hour but one."""
    end = sandbox.now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    return RequestedWindow(end - timedelta(hours=start), end - timedelta(hours=until), "arguments")


def put(
    client: NexusClient,
    root: Path,
    name: str,
    window: RequestedWindow | None = None,
    file_format: str = "jsonl",
    **options: Any,
) -> Path:
    """Sync one window or snapshot; its folder."""
    entry = get_resource(name)
    collection = collection_folder(root, client.session.environment.name, entry)
    request = SyncRequest(resource=entry, requested=window, **options)
    loader = (
        Loader(JsonLinesCopy(collection), request.max_rejected)
        if file_format == "jsonl"
        else Loader(ParquetCopy(collection, Table(entry)), request.max_rejected)
    )
    summary = SyncJob(client, request, loader).run()
    assert summary is not None
    return Path(summary["path"])


def capture(sandbox: Sandbox, root: Path, name: str, start: datetime, *, history: bool = False, **options: Any) -> Path:
    """Bring a copy in Parquet up to date; its folder."""
    client, entry = client_of(sandbox), get_resource(name)
    collection = collection_folder(root, client.session.environment.name, entry)
    table = Table(entry)
    copy = ParquetCopy(collection, table, unsettled=Unsettled(table, unsettled_file(collection)), keeps_versions=history)
    watermark = file_watermark(collection)
    known = watermark.get()
    window = RequestedWindow(datetime.fromisoformat(known) if known else start, None, "watermark")
    CaptureJob(client, SyncRequest(resource=entry, requested=window, **options), copy, watermark=watermark).run()
    client.session.close()
    return Path(collection)


def with_field(resource: Resource, name: str, **changes: Any) -> Resource:
    """A resource with another understanding of one of its fields.

    :param name: dotted wire name
    """

    def changed(fields: tuple[Field, ...], path: list[str]) -> tuple[Field, ...]:
        return tuple(
            field
            if field.name != path[0]
            else dataclasses.replace(field, **changes)
            if len(path) == 1
            else dataclasses.replace(field, children=changed(field.children, path[1:]))
            for field in fields
        )

    schema = dataclasses.replace(resource.schema, fields=changed(resource.schema.fields, name.split(".")))
    return dataclasses.replace(resource, schema=schema)
