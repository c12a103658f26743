"""Reads one window, or one whole collection, and proves it: the part of a sync that talks to Nexus."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusUnprovedError
from airflow_provider_nexus.extract.checkpoint import Checkpoints, Staging
from airflow_provider_nexus.extract.children import ChildrenReading
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.origin import Facts, Feed, Open, Origin, label_of
from airflow_provider_nexus.extract.progress import Follow, Progress, unheard
from airflow_provider_nexus.extract.proof import Proof
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.extract.proved_read import Reading
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.source import Source, widened
from airflow_provider_nexus.extract.spool import RecordSpool
from airflow_provider_nexus.extract.unsettled import UnsettledReading
from airflow_provider_nexus.extract.window import ALL_TIME, RequestedWindow, Window, server_now, settled_window


class Extractor:
    """Reads for one request.

    :param client: makes the calls
    :param request: what is to be synced
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

    def window(self, requested: RequestedWindow) -> Window | None:
        """The window to read now, waited for until it is settled; ``None`` when nothing is settled yet."""
        lag = self.request.settle_lag
        window = settled_window(self.client, self.resource, requested, lag, self.log, self._sleep)
        if window:
            start, end = to_wire(window.start), to_wire(window.end)
            self.log.info("%s: window %s to %s (%s)", self.resource.name, start, end, window.how)
        return window

    def read(self, window: Window, feed: Feed = "created") -> Extracted:
        """Read a window by the stamp that the feed goes by.

        :raises NexusUnprovedError: when it can't be proved complete and the request is strict
        """
        by_end = feed == "finished"
        # records come in order of their end, then
        resource = dataclasses.replace(self.resource, created=self.resource.finished) if by_end else self.resource
        spool = self._spool()
        checkpoints = None if by_end else self._checkpoints(spool, window, feed)
        totals, readings = None if by_end else self._ask_totals, self.request.readings
        reading = Reading(self._source(spool, resource), window, spool, totals, checkpoints, readings=readings)
        return self._extracted(feed, window, spool, reading.read, checkpoints)

    def read_unsettled(self, wanted: Mapping[str, Open], since: datetime) -> Extracted:
        """Read records again whose end has not been seen.

        :param wanted: by key
        :param since: they were unsettled then
        """
        spool = self._spool()
        reading = UnsettledReading(self.client, self.resource, self.request.page_size, since, spool.progress.page)
        return self._extracted("open", None, spool, lambda: reading.read(wanted, spool))

    def read_whole(self) -> Extracted:
        """Read all that there is: a resource without windows, or the children of all parents or of those asked for."""
        spool, asked, readings = self._spool(), self.request.parents, self.request.readings
        if not self.resource.parent:
            reading = Reading(self._source(spool, self.resource), None, spool, readings=readings)
            return self._extracted("whole", None, spool, reading.read)
        page_size, on_page = self.request.page_size, spool.progress.page
        children = ChildrenReading(self.client, self.resource, page_size, self.log, on_page, readings=readings)
        parents = asked if asked is not None else children.parents()
        return self._extracted("whole", None, spool, lambda: children.read(parents, spool, are_named=asked is not None))

    def _spool(self) -> RecordSpool:
        progress = Progress(self.resource.name, self.log, follow=self._follow)
        return RecordSpool(self.resource, progress, self.protector, looks_at_all=self.request.contract == "freeze")

    def _source(self, spool: RecordSpool, resource: Resource) -> Source:
        return Source(self.client, resource, page_size=self.request.page_size, on_page=spool.progress.page)

    def _checkpoints(self, spool: RecordSpool, window: Window, feed: Feed) -> Checkpoints | None:
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
        staging, now = Staging(self._staging / window.label, identity, self.log), server_now(self.client, self.resource)
        return Checkpoints(spool, staging, now, self.log)

    def _extracted(
        self,
        feed: Feed,
        window: Window | None,
        spool: RecordSpool,
        read: Callable[[], Proof],
        checkpoints: Checkpoints | None = None,
    ) -> Extracted:
        began, calls, read_at = time.monotonic(), self.client.session.calls, server_now(self.client, self.resource)
        try:
            proof = read()
            if not proof.is_complete:
                self._refuse_unproved(proof, window)
        except BaseException:
            spool.close()
            raise
        read_at = checkpoints.read_at if checkpoints else read_at
        cost = spool.progress.pages, self.client.session.calls - calls, round(time.monotonic() - began, 3)
        origin = Origin(read_at, f"{feed} {window.label}" if window else feed)
        label = label_of(feed, window, read_at)
        if self.request.parents is not None:  # no snapshot of all, and tasks that each read some may do so in one second
            label += f"-of-{hashlib.sha256(repr(sorted(self.request.parents)).encode()).hexdigest()[:12]}"
        partial = not proof.is_complete or feed in ("finished", "open") or self.request.parents is not None
        scope = None if partial else window or ALL_TIME
        return Extracted(self.resource, feed, window, label, origin, proof, spool, scope, self._facts(feed, cost), checkpoints)

    def _facts(self, feed: Feed, cost: tuple[int, int, float]) -> Facts:
        session, server_date = self.client.session, self.client.session.server_now
        dates = (self.resource.finished if feed == "finished" else self.resource.created) if self.request.requested else None
        asked = {
            "path": self.resource.path,
            "api_version": self.resource.api_version,
            "date_filter": [dates.since, dates.until] if dates else [],
            "page_size": self.request.page_size,
        }
        return Facts(
            environment=session.environment.name,
            base_url=session.environment.base_url,
            server_date=to_wire(server_date) if server_date else "",
            request=asked,
            pages=cost[0],
            calls=cost[1],
            seconds=cost[2],
            protected=self.protector.treatments,
            airflow_version=self.request.airflow_version,
            run=dict(self.request.run),
        )

    def _ask_totals(self, window: Window) -> list[dict[str, Any]] | None:
        return ask_totals(self.client, self.resource, *widened(window))

    def _refuse_unproved(self, proof: Proof, window: Window | None) -> None:
        span = f" from {to_wire(window.start)} to {to_wire(window.end)}" if window else ""
        text = f"{self.resource.name}{span} can't be proved complete: {'; '.join(proof.reasons)}"
        if self.request.strict:
            raise NexusUnprovedError(f"{text}. Nothing was published; run it again", proof.reasons)
        self.log.warning("%s. It is published as unproved", text)


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
