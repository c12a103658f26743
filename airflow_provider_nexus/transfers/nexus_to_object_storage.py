"""Nexus to files: local, S3, GCS, Azure or any other store that Airflow's ``ObjectStoragePath`` knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.sync import staging
from airflow_provider_nexus.sync.job import SyncJob, collection_folder
from airflow_provider_nexus.sync.outlets.lines import LinesOutlet
from airflow_provider_nexus.sync.watermark import FileWatermark, Watermark
from airflow_provider_nexus.transfers.base import AssetWatermark, NexusTransferOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

FILE_FORMATS = ("jsonl",)


class NexusToObjectStorageOperator(NexusTransferOperator):
    """Brings a window of a Nexus collection, or a snapshot, into files and proves that nothing is missing.

    Files lie under ``path/environment/resource/window/`` with a ``manifest.json`` beside them, which is written last:
    a folder without one is no window. Each line of a file is a record with every digit as Nexus sent it. A rerun of a
    window writes the same paths, and when it brings the same bytes, changes nothing.

    The window is ``window_start`` and ``window_end`` if given, else the run's params of these names, else the data
    interval if it is not empty, else from the watermark up to now. A window that has just ended is waited for until
    ``settle_lag`` has passed; an end that is open or in the future is cut to the server's clock minus the lag.

    Resources that have no window (``prices``, ``balances``, ``payment_methods``, children such as ``customer_persons``)
    are read whole, and their folder carries the server's time.

    A try that fails in a large window keeps its full parts under ``_staging/``, and the next one goes on from there.

    Further arguments: :class:`~airflow_provider_nexus.transfers.base.NexusTransferOperator`.

    :param path: folder or URL that everything is published under (templated)
    :param file_format: ``jsonl``: gzip JSON lines
    :param storage_conn_id: connection of the object store (templated)
    """

    template_fields: Sequence[str] = (*NexusTransferOperator.template_fields, "path", "storage_conn_id")

    def __init__(self, *, path: str, file_format: str = "jsonl", storage_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if file_format not in FILE_FORMATS:
            raise NexusConfigurationError(f"unknown file_format {file_format!r}: use {' or '.join(FILE_FORMATS)}")
        self.path = path
        self.file_format = file_format
        self.storage_conn_id = storage_conn_id

    def transfer(self, context: Context, hook: NexusHook, resource: Resource) -> dict[str, Any] | None:
        """Read and publish."""
        target = ObjectStoragePath(self.path, conn_id=self.storage_conn_id)
        collection = collection_folder(target, hook.settings.environment.name, resource)
        watermark = self._watermark(context, hook, collection, resource)
        job = SyncJob(
            hook.client,
            self.request(context, hook, resource, watermark),
            LinesOutlet(collection, self.max_rejected),
            watermark=watermark,
            staging=collection / staging.FOLDER,
            log=self.log,
        )
        return job.run()

    def _watermark(self, context: Context, hook: NexusHook, collection: Any, resource: Resource) -> Watermark:
        """Airflow's asset state store where there is one and the task has an asset, else a file beside the data."""
        store = self.asset_store(context)
        if store is None:
            return FileWatermark(collection)
        return AssetWatermark(store, f"nexus.watermark.{hook.settings.environment.name}.{resource.name}")
