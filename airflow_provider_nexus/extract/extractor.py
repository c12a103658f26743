"""Reads one window, or one whole collection, and proves it: the part of a sync that talks to Nexus."""

from __future__ import annotations

import dataclasses
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusNotFoundError
from airflow_provider_nexus.extract.checkpoint import CheckpointFolder, Checkpoints
from airflow_provider_nexus.extract.children import ChildrenReading
from airflow_provider_nexus.extract.extracted import Extracted, Intake
from airflow_provider_nexus.extract.origin import Facts, Feed, Open
from airflow_provider_nexus.extract.progress import Follow, Progress, unheard
from airflow_provider_nexus.extract.proof import ProvedReading
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.extract.proved_read import Reading
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.source import PAGE_SIZE, Source
from airflow_provider_nexus.extract.unsettled import UnsettledReading
from airflow_provider_nexus.extract.window import RequestedWindow, Window, server_now, settled_window


class Extractor:
    """Reads for one request.

    :param staging: folder that checkpoints are saved under; ``None`` when a failed try stores nothing
    :param follow: called with the number of records read
    :param sleep: waits until a window is settled
    """

    def __init__(
        self,
        client: NexusClient,
        request: SyncRequest,
        log: Log | None = None,
        *,
        staging: Any = None,
        follow: Follow = unheard,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client, self.request, self._sleep, self._staging = client, request, sleep, staging
        self._follow = follow
        self.log = log or logging.getLogger(__name__)
        self.resource = request.resource
        self.protector = Protector(request.resource, request.protection)
        self._small_page = request.page_size or PAGE_SIZE  # where few records are looked up in one call

    def window(self, requested: RequestedWindow) -> Window | None:
        """The window to read now, waited for until it is settled; ``None`` when nothing is settled yet."""
        lag = self.request.settle_lag
        window = settled_window(self.client, self.resource, requested, lag, self.log, self._sleep)
        if window:
            start, end = to_wire(window.start), to_wire(window.end)
            self.log.info("%s: window %s to %s (%s)", self.resource.name, start, end, window.how)
        return window

    def read(self, window: Window, feed: Feed = "created") -> Extracted:
        """Read a window by the stamp that the feed goes by."""
        by_end = feed == "finished"
        # records come in order of their end, then
        resource = dataclasses.replace(self.resource, created=self.resource.finished) if by_end else self.resource
        intake = self._intake()
        source, totals = self._source(intake, resource), None if by_end else partial(ask_totals, self.client, self.resource)
        checkpoints = None if by_end else self._checkpoints(source, intake, window, feed)
        readings, parallel = self.request.readings, self.request.parallel
        reading = Reading(source, window, totals, checkpoints, readings=readings, parallel=parallel)
        return self._extracted(feed, window, reading, intake, checkpoints)

    def read_unsettled(self, wanted: Mapping[str, Open], since: datetime) -> Extracted:
        """Read records again, given by key, that were unsettled at a time."""
        intake = self._intake()
        reading = UnsettledReading(self.client, self.resource, self._small_page, wanted, since, intake.progress.page)
        return self._extracted("open", None, reading, intake)

    def read_whole(self) -> Extracted:
        """Read all that there is: a resource without windows, or the children of all parents or of those asked for."""
        intake = self._intake()
        if self.resource.parent:
            records: ProvedReading = ChildrenReading(self.client, self.request, self.log, intake.progress.page)
        else:
            records = Reading(self._source(intake, self.resource), None, readings=self.request.readings)
        return self._extracted("whole", None, records, intake)

    def _intake(self) -> Intake:
        progress = Progress(self.resource.name, self.log, follow=self._follow)
        return Intake(self.resource, progress, self.protector, looks_at_all=self.request.contract == "freeze")

    def _source(self, intake: Intake, resource: Resource) -> Source:
        return Source(self.client, resource, page_size=self.request.page_size, on_page=intake.progress.page)

    def _checkpoints(self, source: Source, intake: Intake, window: Window, feed: Feed) -> Checkpoints | None:
        """None are saved of a reading that must agree with another: what an earlier try brought is of another time."""
        if self._staging is None or self.request.readings > 1:
            return None
        identity = {
            "base_url": self.client.session.environment.base_url,
            "resource": self.resource.name,
            "feed": feed,
            "window": window.label,
            "protected": self.protector.treatments,
            "secret": hmac.digest(self.request.protection.secret.encode(), b"staging", "sha256").hex()[:16],
        }
        staging, now = CheckpointFolder(self._staging / window.label, identity, self.log), server_now(self.client, self.resource)
        return Checkpoints(source.reader, intake, staging, now, self.log)

    def _extracted(
        self, feed: Feed, window: Window | None, records: ProvedReading, intake: Intake, checkpoints: Checkpoints | None = None
    ) -> Extracted:
        describe = partial(self._facts, feed, intake.progress, time.monotonic(), self.client.session.calls)
        began_at = server_now(self.client, self.resource)
        return Extracted(self.resource, feed, window, self.request, began_at, records, intake, describe, self.log, checkpoints)

    def _facts(self, feed: Feed, progress: Progress, began: float, calls: int) -> Facts:
        session, server_date = self.client.session, self.client.session.server_now
        dates = (self.resource.finished if feed == "finished" else self.resource.created) if self.request.requested else None
        is_small = feed == "open" or bool(self.resource.parent)
        asked = {
            "path": self.resource.path,
            "api_version": self.resource.api_version,
            "date_filter": [dates.since, dates.until] if dates else [],
            "page_size": self._small_page if is_small else self.request.page_size or self.client.page_size,
        }
        return Facts(
            environment=session.environment.name,
            base_url=session.environment.base_url,
            server_date=to_wire(server_date) if server_date else "",
            request=asked,
            pages=progress.pages,
            calls=session.calls - calls,
            seconds=round(time.monotonic() - began, 3),
            protected=self.protector.treatments,
            airflow_version=self.request.airflow_version,
            run=dict(self.request.run),
        )


def ask_totals(
    client: NexusClient, resource: Resource, since: datetime, until: datetime, flag: bool | None = None
) -> list[dict[str, Any]] | None:
    """The answer of the totals endpoint for the records between two bounds; ``None`` where it is not offered.

    :param flag: value of the resource's ``totals_flag`` that counts alone; ``None`` for all
    """
    dates = resource.created
    if not dates or not resource.totals_path:
        return None
    query: dict[str, Any] = {dates.since: to_wire(since), dates.until: to_wire(until)}
    if flag is not None:
        query[resource.totals_flag] = str(flag).lower()
    try:
        values = client.run("GET", resource.totals_path, params=query)
    except NexusNotFoundError:
        return None
    return list(values.get("totals") or [])
