"""Nexus to files: local, S3, GCS, Azure or any other store that Airflow's ``ObjectStoragePath`` knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.lineage.facets import file_target
from airflow_provider_nexus.links.nexus import REPORT_KEY, NexusReportLink
from airflow_provider_nexus.report import put_report
from airflow_provider_nexus.report.place import address
from airflow_provider_nexus.sync import staging
from airflow_provider_nexus.sync.files.unsettled import FileMemory, Memory
from airflow_provider_nexus.sync.job import collection_folder
from airflow_provider_nexus.sync.outlets.lines import LinesOutlet
from airflow_provider_nexus.sync.outlets.outlet import Outlet
from airflow_provider_nexus.sync.outlets.table import TableOutlet
from airflow_provider_nexus.sync.table.columns import Table
from airflow_provider_nexus.sync.watermark import FileWatermark, Watermark
from airflow_provider_nexus.transfers.base import NexusSyncBaseOperator
from airflow_provider_nexus.transfers.memory import AssetMemory, AssetWatermark
from airflow_provider_nexus.transfers.report import check_address, opened, page_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_nexus.sync.files.copy import ParquetCopy

FILE_FORMATS = ("jsonl", "parquet")


class NexusToObjectStorageOperator(NexusSyncBaseOperator):
    """Brings a window of a Nexus collection, or a snapshot, into files and proves that nothing is missing.

    Files lie under ``path/environment/resource/window/`` with a ``manifest.json`` beside them, which is written last:
    a folder without one is no window. Each line of a ``jsonl`` file is a record with every digit as Nexus sent it; a
    ``parquet`` file has typed columns with the same digits. A rerun of a window writes the same paths, and when it brings
    the same records, changes nothing.

    The window is ``window_start`` and ``window_end`` if given, else the run's params of these names, else the data
    interval if it is not empty, else from the watermark up to now. A window that has just ended is waited for until
    ``settle_lag`` has passed; an end that is open or in the future is cut to the server's clock minus the lag.

    Resources that have no window (``prices``, ``balances``, ``payment_methods``, children such as ``customer_persons``)
    are read whole, and their folder carries the server's time.

    With ``capture="changes"`` the folders of earlier windows are kept true: see :doc:`/capture`.

    A try that fails in a large window keeps its full parts under ``_staging/``, and the next one goes on from there.

    With ``report_path`` each run that stores something, or finds it stored, then writes :doc:`the report </report>` on all
    windows of its resource. A report that can't be written does not fail the task, as the data is stored and proved by then:
    it is an error in the log, and ``report`` is null in the summary.

    Further arguments: :class:`~airflow_provider_nexus.transfers.base.NexusSyncBaseOperator`.

    .. seealso:: :doc:`sync`, :doc:`report`

    :param path: folder or URL that everything is published under (templated)
    :param file_format: ``jsonl``: gzip JSON lines; ``parquet``: typed columns, needs the extra ``parquet``
    :param storage_conn_id: connection of the object store (templated)
    :param report_path: path or URL of an HTML file to write the report into; each task needs one of its own (templated)
    :param report_url: http or https address at which people read that file: the button *Proof report* leads there (templated)
    """

    template_fields: Sequence[str] = (
        *NexusSyncBaseOperator.template_fields,
        *("path", "storage_conn_id", "report_path", "report_url"),
    )
    operator_extra_links = (NexusReportLink(),)

    def __init__(
        self,
        *,
        path: str,
        file_format: str = "jsonl",
        storage_conn_id: str | None = None,
        report_path: str | None = None,
        report_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if report_url is not None and report_path is None:
            raise NexusConfigurationError("report_url is where people read the report: give report_path, where to write it, too")
        if file_format not in FILE_FORMATS:
            raise NexusConfigurationError(f"unknown file_format {file_format!r}: use {' or '.join(FILE_FORMATS)}")
        if self.capture == "changes" and file_format != "parquet":
            raise NexusConfigurationError("changes are captured in typed rows: use file_format='parquet' (or a SQL table)")
        if self.history and file_format != "parquet":
            raise NexusConfigurationError("a history is kept in typed rows: use file_format='parquet' (or a SQL table)")
        self.path = path
        self.file_format = file_format
        self.storage_conn_id = storage_conn_id
        self.report_path = report_path
        self.report_url = report_url

    def transfer(self, context: Context, hook: NexusHook, resource: Resource) -> dict[str, Any] | None:
        """Read and publish, then report."""
        if self.report_url:
            check_address(self.report_url)
        page = page_of(self.report_path, self.path, self.storage_conn_id) if self.report_path else None
        target = opened(self.path, self.storage_conn_id)
        collection = collection_folder(target, hook.settings.environment.name, resource)
        summary = self._publish(context, hook, resource, collection)
        if summary is None or page is None:
            return summary
        return summary | {"report": self._report(context, collection, page)}

    def _publish(self, context: Context, hook: NexusHook, resource: Resource, collection: Any) -> dict[str, Any] | None:
        watermark = self._watermark(context, hook, collection, resource)
        staged = collection / staging.FOLDER
        if self.capture == "changes":
            copy = self._copy(collection, resource, self._memory(context, hook, collection, resource))
            return self.capture_changes(context, hook, resource, copy, watermark, staged)
        return self.sync_window(context, hook, resource, self._outlet(collection, resource), watermark, staged)

    def _report(self, context: Context, collection: Any, page: Any) -> str | None:
        """Where the report was written; ``None`` when it could not be.

        That does not fail the task: the watermark has moved, so another try would bring another window, or none and skip.
        """
        where = address(page)
        try:
            size = put_report(collection, page)
        except NexusError as error:
            self.log.error("%s. The data is stored; what is there is no report on it", error)  # noqa: TRY400
            return None
        if self.report_url:
            context["ti"].xcom_push(key=REPORT_KEY, value=self.report_url)
        self.log.info("report: %s bytes, in %s", f"{size:,}", where)
        return where

    def data_set(self, summary: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
        """The folder of the window."""
        return file_target(str(summary["path"])), self.file_format == "parquet"

    def _outlet(self, collection: Any, resource: Resource) -> Outlet:
        if self.file_format == "jsonl":
            return LinesOutlet(collection, self.max_rejected)
        return TableOutlet(self._copy(collection, resource), self.max_rejected)

    def _copy(self, collection: Any, resource: Resource, memory: Memory | None = None) -> ParquetCopy:
        from airflow_provider_nexus.sync.files.copy import ParquetCopy
        from airflow_provider_nexus.sync.files.unsettled import Unsettled

        table = Table(resource)
        unsettled = Unsettled(table, memory) if memory else None
        return ParquetCopy(collection, table, unsettled=unsettled, keeps_versions=self.history)

    def _watermark(self, context: Context, hook: NexusHook, collection: Any, resource: Resource) -> Watermark:
        """Airflow's asset state store where there is one and the task has an asset, else a file beside the data."""
        store = self.asset_store(context)
        if store is None:
            return FileWatermark(collection)
        return AssetWatermark(store, f"nexus.watermark.{hook.settings.environment.name}.{resource.name}")

    def _memory(self, context: Context, hook: NexusHook, collection: Any, resource: Resource) -> Memory:
        """The same for the records that are not settled."""
        store, beside = self.asset_store(context), FileMemory(collection)
        if store is None:
            return beside
        return AssetMemory(store, f"nexus.unsettled.{hook.settings.environment.name}.{resource.name}", beside)
