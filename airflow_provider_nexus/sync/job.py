"""A sync from beginning to end: window, reading, proof, files, manifest, watermark."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_nexus import __version__
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusUnprovedError, NexusWindowError
from airflow_provider_nexus.sync.children import Family
from airflow_provider_nexus.sync.manifest import NAME, Manifest, previous_of
from airflow_provider_nexus.sync.progress import Progress
from airflow_provider_nexus.sync.proof import Proof
from airflow_provider_nexus.sync.publish import files_of, publish
from airflow_provider_nexus.sync.reading import Reading
from airflow_provider_nexus.sync.sink import WindowSink
from airflow_provider_nexus.sync.source import PAGE_SIZE, Page, Source, Span, widened
from airflow_provider_nexus.sync.watermark import Watermark, advance
from airflow_provider_nexus.sync.window import Window, Wish, settle

SETTLE_LAG = timedelta(minutes=5)
"""How long after its own stamp a record may appear. Not documented; other payment APIs need five to ten minutes."""


@dataclass(frozen=True, kw_only=True)
class SyncRequest:
    """What is to be synced.

    :param resource: entry of the catalogue
    :param target: folder that everything is published under
    :param wish: the window asked for; ``None`` for resources without windows
    :param parents: codes of the parents, for a child; all by default
    :param settle_lag: how old a record must be to be sure to be visible
    :param strict: whether an unproved window fails and publishes nothing
    :param page_size: records asked for in one call
    :param run: the Airflow run, for the manifest
    :param airflow_version: for the manifest
    """

    resource: Resource
    target: Any
    wish: Wish | None = None
    parents: tuple[str, ...] | None = None
    settle_lag: timedelta = SETTLE_LAG
    strict: bool = True
    page_size: int = PAGE_SIZE
    run: Mapping[str, Any] = field(default_factory=dict)
    airflow_version: str = ""


class SyncJob:
    """Carries out one request.

    :param client: makes the calls
    :param request: what is to be synced
    :param watermark: moved to the window's end when it is published
    :param sleep: waits until a window is settled
    """

    def __init__(
        self,
        client: NexusClient,
        request: SyncRequest,
        *,
        watermark: Watermark | None = None,
        log: Log | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._request, self._watermark, self._sleep = client, request, watermark, sleep
        self._log = log or logging.getLogger(__name__)
        self._resource = request.resource
        self._progress = Progress(self._resource.name, self._log)
        self._pages = 0

    def run(self) -> dict[str, Any] | None:
        """Sync.

        :return: a summary under two kilobytes, or ``None`` when nothing is old enough to be read
        :raises NexusUnprovedError: when it can't be proved complete and the request is strict
        :raises NexusApiError: one class per cause
        """
        began, calls = time.monotonic(), self._client.session.calls
        window = self._window()
        if self._request.wish and window is None:
            return None
        sink = WindowSink(self._resource, self._progress)
        try:
            proof = self._read(window, sink)
            self._refuse_unproved(proof, window)
            folder = self._folder(window)
            manifest = self._manifest(window, proof, sink, (self._client.session.calls - calls, time.monotonic() - began))
            changed = publish(folder, sink.writer.parts(), manifest)
        finally:
            sink.writer.close()
        if self._watermark and window:
            advance(self._watermark, window, self._log)
        return _summary(manifest, folder, changed)

    @property
    def _collection(self) -> Any:
        return collection_folder(self._request.target, self._client.session.environment.name, self._resource)

    def _folder(self, window: Window | None) -> Any:
        return self._collection / (window.label if window else f"{self._server_now():%Y%m%dT%H%M%SZ}")

    def _server_now(self) -> datetime:
        """The time by the server's clock. The worker's own is never asked: it decides which records are owed."""
        if self._client.session.server_now is None:
            asked = get_resource(self._resource.parent) if self._resource.parent else self._resource
            self._client.fetch(asked, params={"page": 1, "limit": 1} if asked.is_windowed else None)
        now = self._client.session.server_now
        if now is None:
            raise NexusWindowError("the server sends no Date header, so it is not known which records are settled")
        return now.astimezone(UTC).replace(microsecond=0)

    def _window(self) -> Window | None:
        if self._request.wish is None:
            return None
        window, wait = settle(self._request.wish, self._server_now(), self._request.settle_lag)
        if window is None:
            self._log.info("%s: nothing is settled yet (lag %s)", self._resource.name, self._request.settle_lag)
            return None
        if wait:
            self._log.info("%s: waiting %.0f s until the window is settled", self._resource.name, wait)
            self._sleep(wait)
        self._log.info("%s: window %s to %s (%s)", self._resource.name, to_wire(window.start), to_wire(window.end), window.how)
        return window

    def _read(self, window: Window | None, sink: WindowSink) -> Proof:
        if self._resource.parent:
            family = Family(self._client, self._resource, self._request.page_size, self._log, self._count_page)
            parents = self._request.parents if self._request.parents is not None else family.parents(self._server_now())
            return family.read(parents, sink)
        source = Source(self._client, self._resource, page_size=self._request.page_size, on_page=self._on_page)
        span = Span(window.start, window.end) if window else None
        return Reading(source, span, sink, self._ask_totals).read()

    def _count_page(self, _: Page) -> None:
        self._pages += 1

    def _on_page(self, page: Page) -> None:
        self._count_page(page)
        self._progress.total = max(self._progress.total or 0, page.total or 0)

    def _ask_totals(self, span: Span) -> list[dict[str, Any]] | None:
        dates = self._resource.created
        if not dates:
            return None
        since, until = widened(span)
        try:
            values = self._client.run(
                "GET", self._resource.totals_path, params={dates.since: to_wire(since), dates.until: to_wire(until)}
            )
        except NexusNotFoundError:
            return None
        return list(values.get("totals") or [])

    def _refuse_unproved(self, proof: Proof, window: Window | None) -> None:
        if proof.is_complete:
            return
        span = f" from {to_wire(window.start)} to {to_wire(window.end)}" if window else ""
        text = f"{self._resource.name}{span} can't be proved complete: {'; '.join(proof.reasons)}"
        if self._request.strict:
            raise NexusUnprovedError(f"{text}. Nothing was published; run it again", proof.reasons)
        self._log.warning("%s. It is published as unproved", text)

    def _manifest(self, window: Window | None, proof: Proof, sink: WindowSink, cost: tuple[int, float]) -> Manifest:
        tally, server_date = sink.tally, self._client.session.server_now
        return Manifest(
            environment=self._client.session.environment.name,
            base_url=self._client.session.environment.base_url,
            resource=self._resource.name,
            window={"start": to_wire(window.start), "end": to_wire(window.end), "how": window.how} if window else None,
            server_date=to_wire(server_date) if server_date else "",
            request=self._asked(),
            proof=proof,
            pages=self._pages,
            calls=cost[0],
            seconds=round(cost[1], 3),
            records=tally.records,
            first={"key": tally.first.key, "stamp": tally.first.stamp} if tally.first else None,
            last={"key": tally.last.key, "stamp": tally.last.stamp} if tally.last else None,
            key_digest=tally.key_digest,
            sums=tally.sums_by_field,
            schema=sink.fields.summary(),
            files=files_of(sink.writer.parts()),
            previous=previous_of(self._collection, f"{window.start:%Y%m%dT%H%M%SZ}") if window else None,
            provider_version=__version__,
            airflow_version=self._request.airflow_version,
            run=dict(self._request.run),
        )

    def _asked(self) -> dict[str, Any]:
        dates = self._resource.created if self._request.wish else None
        return {
            "path": self._resource.path,
            "api_version": self._resource.api_version,
            "date_filter": [dates.since, dates.until] if dates else [],
            "page_size": self._request.page_size,
        }


def collection_folder(target: Any, environment: str, resource: Resource) -> Any:
    """The folder of all windows of a resource."""
    return target / environment / resource.name


def _summary(manifest: Manifest, folder: Any, changed: bool) -> dict[str, Any]:
    return {
        "resource": manifest.resource,
        "environment": manifest.environment,
        "window_start": manifest.window["start"] if manifest.window else None,
        "window_end": manifest.window["end"] if manifest.window else None,
        "verdict": str(manifest.proof.verdict),
        "records": manifest.records,
        "calls": manifest.calls,
        "seconds": manifest.seconds,
        "path": str(folder),
        "manifest": str(folder / NAME),
        "key_digest": manifest.key_digest,
        "changed": changed,
    }
