"""Transfer to files: local, S3, GCS, Azure or any other store that Airflow's ``ObjectStoragePath`` knows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.protect import Treatment
from airflow_provider_nexus.extract.request import SETTLE_LAG, Contract
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.lineage.syncs import file_target
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.operators._machines import look_at_place
from airflow_provider_nexus.transfers._base import Capture, NexusSyncBaseOperator, shared
from airflow_provider_nexus.transfers._memory import AssetMemory
from airflow_provider_nexus.transfers._report import page_of

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_nexus.load.copy import Target
    from airflow_provider_nexus.load.memory import Memory
    from airflow_provider_nexus.sync.watermark import Watermark


class NexusToObjectStorageOperator(NexusSyncBaseOperator):
    """Brings a window of a Nexus collection, or a snapshot, into files and proves that nothing is missing.

    Files lie under ``path/environment/resource/window/`` with a ``_manifest.json`` beside them, which is written last:
    a folder without one is no window. Each line of a ``jsonl`` file is a record with every digit as Nexus sent it; a
    ``parquet`` file has typed columns with the same digits. A rerun of a window writes the same paths, and when it brings
    the same records, changes nothing.

    The window is ``window_start`` and ``window_end`` if given, else the run's params of these names, else the data
    interval if it is not empty, else from the watermark up to now. A window that has just ended is waited for until
    ``settle_lag`` has passed; an end that is open or in the future is cut to the server's clock minus the lag.

    Resources that have no window (``prices``, ``balances``, ``payment_methods``, children such as ``customer_persons``)
    are read whole, and their folder carries the server's time.

    With ``capture="changes"`` the folders of earlier windows are updated: see :doc:`/capture`.

    With ``file_format="delta"`` all windows lie in one Delta table at ``path/environment/resource``, and each load is one commit:
    see :doc:`/lakehouse`.

    A try that fails in a large window leaves its full parts under ``_staging/``, and the next one goes on from there.

    .. seealso:: :doc:`sync`, :doc:`report`

    :param path: folder, from ``/`` on, or URL that everything is published under; a bucket has to be there (templated)
    :param file_format: ``jsonl``: gzip JSON lines; ``parquet``: typed columns, needs the extra ``parquet``;
        ``delta``: one table for all windows, needs the extra ``lakehouse``
    :param partition_by: ``month`` or ``day`` of creation, for a Delta table that is made; by default by month
    :param storage_conn_id: connection of the object store (templated)
    """

    template_fields: Sequence[str] = (*NexusSyncBaseOperator.template_fields, "path", "storage_conn_id")
    text_fields: ClassVar[Collection[str]] = (*NexusSyncBaseOperator.text_fields, "path", "storage_conn_id")

    def __init__(
        self,
        *,
        resource: str | XComArg,
        path: str | PathLike[str] | XComArg,
        file_format: Literal["jsonl", "parquet", "delta"] = "jsonl",
        partition_by: Literal["month", "day"] | None = None,
        storage_conn_id: str | XComArg | None = None,
        window_start: Moment | XComArg = None,
        window_end: Moment | XComArg = None,
        parent: str | Sequence[str] | XComArg | None = None,
        strict: bool = True,
        settle_lag: timedelta | float = SETTLE_LAG,
        readings: int = 1,
        parallel: int | None = None,
        page_size: int | None = None,
        contract: Contract = "report",
        max_rejected: int = 0,
        capture: Capture = "window",
        history: bool = False,
        rereads: int = 1,
        personal: Treatment = "keep",
        protect: Mapping[str, Treatment] | None = None,
        report_path: str | XComArg | None = None,
        report_url: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**shared(locals()), **kwargs)
        self.path, self.storage_conn_id = rendered(path), rendered(storage_conn_id)
        self.file_format, self.partition_by = file_format, partition_by
        self.check(NexusToObjectStorageOperator)
        if partition_by is not None and file_format != "delta":
            text = f"partition_by is {partition_by!r}, and only a Delta table has partitions"
            raise NexusConfigurationError(f"{text}: use file_format='delta', or leave it out")
        if file_format == "jsonl" and (capture == "changes" or history):
            what = "changes are captured" if capture == "changes" else "a history is stored"
            raise NexusConfigurationError(f"{what} in typed rows: use file_format='parquet' or 'delta' (or a SQL table)")

    def transfer(self, context: Context, hook: NexusHook, resource: Resource) -> dict[str, Any] | None:
        """Read and publish."""
        from airflow_provider_nexus.extract.checkpoint import FOLDER

        collection = self._collection(hook, resource)
        look_at_place(self, "path", collection, needed=self.needed_by_others(context))
        store.refuse_unfit("path", collection)
        if self.file_format == "delta":
            copy, watermark = self._table(hook, resource, collection)
        else:
            copy, watermark = self._folders(context, hook, resource, collection)
        return self.sync(context, hook, resource, copy, watermark, collection / FOLDER)

    def _folders(self, context: Context, hook: NexusHook, resource: Resource, collection: Any) -> tuple[Target[Any], Watermark]:
        """The copy with a folder for each window, and the watermark beside it."""
        from airflow_provider_nexus.load.collection import refuse_another, refuse_table
        from airflow_provider_nexus.load.columns import Table
        from airflow_provider_nexus.load.jsonl.copy import JsonLinesCopy
        from airflow_provider_nexus.load.parquet.copy import ParquetCopy
        from airflow_provider_nexus.load.parquet.unsettled import Unsettled, unsettled_file
        from airflow_provider_nexus.sync.watermark import file_watermark

        refuse_table(collection)
        refuse_another(collection, hook.settings.environment.base_url)
        watermark: Watermark = file_watermark(collection)
        memory: Memory[dict[str, str]] = unsettled_file(collection)
        if (state := self.asset_store(context)) is not None:
            # several tasks that write elsewhere can have the same asset
            where = hashlib.sha256(str(collection).encode()).hexdigest()[:16]
            key = f"{hook.settings.environment.name}.{resource.name}.{where}"
            watermark, memory = AssetMemory(state, f"nexus.watermark.{key}"), AssetMemory(state, f"nexus.unsettled.{key}", memory)
        if self.file_format == "jsonl":
            return JsonLinesCopy(collection), watermark
        table = Table(resource)
        unsettled = Unsettled(table, memory) if self.capture == "changes" else None
        return ParquetCopy(collection, table, unsettled=unsettled, keeps_versions=self.history), watermark

    def _table(self, hook: NexusHook, resource: Resource, collection: Any) -> tuple[Target[Any], Watermark]:
        """The Delta table at the folder of the resource, which itself says up to where it goes."""
        from airflow_provider_nexus.hooks._stores import delta_options
        from airflow_provider_nexus.load.columns import Table
        from airflow_provider_nexus.load.delta.copy import DeltaCopy
        from airflow_provider_nexus.sync.watermark import CopyWatermark

        environment = hook.settings.environment
        copy = DeltaCopy(
            collection,
            Table(resource),
            environment=environment.name,
            base_url=environment.base_url,
            output="history" if self.history else "current",
            partition_by=self.partition_by,
            storage_options=delta_options(collection),
        )
        return copy, CopyWatermark(copy)

    def report(self, hook: NexusHook, resource: Resource, page: Any) -> str:
        """On all windows of the resource, with links to their manifests."""
        from airflow_provider_nexus.hooks._stores import delta_table
        from airflow_provider_nexus.report.page import way, write_report

        collection = self._collection(hook, resource)
        return write_report(collection, links_from=way(page, collection), opened=delta_table)

    def report_page(self) -> Any:
        """The file of the report, opened by the connection of the data where both are of one kind."""
        return page_of(self.report_path, self.path, self.storage_conn_id)

    def _collection(self, hook: NexusHook, resource: Resource) -> Any:
        from airflow_provider_nexus.sync.job import collection_folder

        return collection_folder(opened("path", self.path, self.storage_conn_id), hook.settings.environment.name, resource)

    def data_set(self, summary: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
        """The folder of the window, or of the table."""
        return file_target(str(summary["path"])), self.file_format != "jsonl"
