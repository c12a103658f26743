"""Nexus to files: local, S3, GCS, Azure or any other store that Airflow's ``ObjectStoragePath`` knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version
from airflow.sdk import Asset, ObjectStoragePath

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.compat import AirflowSkipException
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators.base import NexusBaseOperator
from airflow_provider_nexus.sync.job import SETTLE_LAG, SyncJob, SyncRequest, collection_folder
from airflow_provider_nexus.sync.source import PAGE_SIZE
from airflow_provider_nexus.sync.watermark import FileWatermark, Watermark
from airflow_provider_nexus.sync.window import Moment, Wish, wish

if TYPE_CHECKING:
    from airflow.sdk import Context

FILE_FORMATS = ("jsonl",)


class NexusToObjectStorageOperator(NexusBaseOperator):
    """Brings a window of a Nexus collection, or a snapshot, into files and proves that nothing is missing.

    Files lie under ``path/environment/resource/window/`` with a ``manifest.json`` beside them, which is written last:
    a folder without one is no window. Each line of a file is a record with every digit as Nexus sent it. A rerun of a
    window writes the same paths, and when it brings the same bytes, changes nothing.

    The window is ``window_start`` and ``window_end`` if given, else the run's params of these names, else the data
    interval if it is not empty, else from the watermark up to now. A window that has just ended is waited for until
    ``settle_lag`` has passed; an end that is open or in the future is cut to the server's clock minus the lag.

    Resources that have no window (``prices``, ``balances``, ``payment_methods``, children such as ``customer_persons``)
    are read whole, and their folder carries the server's time.

    :param resource: name in the catalogue, such as ``transactions`` (templated)
    :param path: folder or URL that everything is published under (templated)
    :param file_format: ``jsonl``: gzip JSON lines
    :param window_start: start of the window, included (templated)
    :param window_end: end of the window, excluded (templated)
    :param parents: codes of the parents to read the children of; all by default (templated)
    :param strict: whether an unproved window fails the task and publishes nothing; else it is published with that verdict
    :param settle_lag: how old a record must be to be sure to be visible
    :param page_size: records asked for in one call
    :param storage_conn_id: connection of the object store (templated)
    :param nexus_conn_id: connection of Nexus (templated)
    """

    template_fields: Sequence[str] = (
        "resource",
        "path",
        "window_start",
        "window_end",
        "parents",
        "storage_conn_id",
        "nexus_conn_id",
    )
    ui_color = "#e3f2ee"
    operator_extra_links = ()  # a window is no one record

    def __init__(
        self,
        *,
        resource: str,
        path: str,
        file_format: str = "jsonl",
        window_start: Moment = None,
        window_end: Moment = None,
        parents: Sequence[str] | None = None,
        strict: bool = True,
        settle_lag: timedelta = SETTLE_LAG,
        page_size: int = PAGE_SIZE,
        storage_conn_id: str | None = None,
        nexus_conn_id: str = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if file_format not in FILE_FORMATS:
            raise NexusConfigurationError(f"unknown file_format {file_format!r}: use {' or '.join(FILE_FORMATS)}")
        if page_size < 1:
            raise NexusConfigurationError(f"page_size is {page_size}: ask for at least one record in a call")
        self.resource = resource
        self.path = path
        self.file_format = file_format
        self.window_start = window_start
        self.window_end = window_end
        self.parents = parents
        self.strict = strict
        self.settle_lag = settle_lag
        self.page_size = page_size
        self.storage_conn_id = storage_conn_id
        self.nexus_conn_id = nexus_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Sync.

        :return: a summary: resource, environment, window, verdict, records, calls, seconds, paths, digest
        :raises NexusUnprovedError: when the window can't be proved complete and ``strict`` is on
        :raises NexusWindowError: when there is no window
        :raises AirflowSkipException: when nothing is old enough to be read
        """
        hook = NexusHook(self.nexus_conn_id)
        resource, target = get_resource(self.resource), ObjectStoragePath(self.path, conn_id=self.storage_conn_id)
        watermark = self._watermark(context, hook, target, resource)
        request = SyncRequest(
            resource=resource,
            target=target,
            wish=self._wish(context, watermark, resource),
            parents=None if self.parents is None else tuple(self.parents),
            settle_lag=self.settle_lag,
            strict=self.strict,
            page_size=self.page_size,
            run=_run_of(context),
            airflow_version=airflow_version,
        )
        try:
            summary = SyncJob(hook.client, request, watermark=watermark, log=self.log).run()
        finally:
            hook.client.session.close()
        if summary is None:
            raise AirflowSkipException(f"nothing of {self.resource} is settled yet; the next run will bring it")
        self._tell(context, summary)
        return summary

    def _wish(self, context: Context, watermark: Watermark, resource: Resource) -> Wish | None:
        if not resource.is_windowed:
            if self.window_start or self.window_end:
                raise NexusConfigurationError(f"{resource.name} has no window: Nexus says only how it stands now. Leave it out")
            return None
        params = context.get("params") or {}
        return wish(
            arguments=(self.window_start, self.window_end),
            params=(params.get("window_start"), params.get("window_end")),
            interval=(context.get("data_interval_start"), context.get("data_interval_end")),
            watermark=watermark.get,
        )

    def _watermark(self, context: Context, hook: NexusHook, target: Any, resource: Resource) -> Watermark:
        """Airflow's asset state store where there is one and the task has an asset, else a file beside the data."""
        environment = hook.settings.environment.name
        stores = context.get("asset_state_store")
        if stores is not None:
            for outlet in self._assets():
                return AssetWatermark(stores[outlet], f"nexus.watermark.{environment}.{resource.name}")
        return FileWatermark(collection_folder(target, environment, resource))

    def _assets(self) -> list[Asset]:
        return [outlet for outlet in self.outlets or [] if isinstance(outlet, Asset)]

    def _tell(self, context: Context, summary: dict[str, Any]) -> None:
        events = context.get("outlet_events")
        if events is not None:
            for asset in self._assets():
                events[asset].extra = dict(summary)
        self.log.info(
            "%s: %s, %s records in %s calls, %s, in %s",
            summary["resource"],
            summary["verdict"],
            f"{summary['records']:,}",
            f"{summary['calls']:,}",
            "published" if summary["changed"] else "already published, unchanged",
            summary["path"],
        )


class AssetWatermark:
    """A watermark in the state store of an Airflow asset (3.3 on).

    :param store: of the asset
    :param key: name in it
    """

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key = store, key

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync."""
        found = self._store.get(self._key)
        return None if found is None else str(found)

    def set(self, moment: str) -> None:
        """Replace the stamp."""
        self._store.set(self._key, moment)


def _run_of(context: Context) -> dict[str, Any]:
    instance = context.get("ti")
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return {name: getattr(instance, name) for name in names if getattr(instance, name, None) is not None}
