"""Reads one window, or one whole collection, and proves it: the part of a sync that talks to Nexus."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusNotFoundError, NexusUnprovedError, NexusWindowError
from airflow_provider_nexus.extract.checkpoint import PartKeeper, Staging
from airflow_provider_nexus.extract.children import Family
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.origin import Facts, Feed, Open, Origin, Scope, label_of
from airflow_provider_nexus.extract.progress import Follow, Progress, unheard
from airflow_provider_nexus.extract.proof import Proof
from airflow_provider_nexus.extract.protect import Protector
from airflow_provider_nexus.extract.proved_read import Reading
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.source import Page, Source, Span, widened
from airflow_provider_nexus.extract.spool import WindowSink
from airflow_provider_nexus.extract.unsettled import UnsettledReading
from airflow_provider_nexus.extract.window import RequestedWindow, Window, settle


class Extractor:
    """Reads for one request.

    :param client: makes the calls
    :param request: what is to be synced
    :param staging: folder that unfinished readings are kept under; ``None`` when a failed try is to leave nothing
    :param follow: told how many records were read
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

    def server_now(self) -> datetime:
        """The time by the server's clock. The worker's own is never asked: it decides which records are owed.

        :raises NexusWindowError: when the server does not tell
        """
        if self.client.session.server_now is None:
            asked = get_resource(self.resource.parent) if self.resource.parent else self.resource
            self.client.fetch(asked, params={"page": 1, "limit": 1} if asked.is_windowed else None)
        now = self.client.session.server_now
        if now is None:
            raise NexusWindowError("the server sends no Date header, so it is not known which records are settled")
        return now.astimezone(UTC).replace(microsecond=0)

    def window(self, requested: RequestedWindow) -> Window | None:
        """The window to read now, waited for until it is settled; ``None`` when nothing is settled yet."""
        window, wait = settle(requested, self.server_now(), self.request.settle_lag)
        if window is None:
            self.log.info("%s: nothing is settled yet (lag %s)", self.resource.name, self.request.settle_lag)
            return None
        if wait:
            self.log.info("%s: waiting %.0f s until the window is settled", self.resource.name, wait)
            self._sleep(wait)
        self.log.info("%s: window %s to %s (%s)", self.resource.name, to_wire(window.start), to_wire(window.end), window.how)
        return window

    def read(self, window: Window, feed: Feed = "created") -> Extracted:
        """Read a window by the stamp that the feed goes by.

        :raises NexusUnprovedError: when it can't be proved complete and the request is strict
        """
        resource = self.resource if feed != "finished" else _by_finish(self.resource)
        count = _Pages()
        sink = self._sink(count)
        source = Source(self.client, resource, page_size=self.request.page_size, on_page=count)
        totals = self._ask_totals if feed != "finished" else None
        keeper = self._keeper(sink, window, feed)
        reading = Reading(source, Span(window.start, window.end), sink, totals, keeper, readings=self.request.readings)
        return self._extracted(feed, window, sink, count, reading.read, keeper)

    def read_unsettled(self, wanted: Mapping[str, Open], since: datetime) -> Extracted:
        """Read records again whose end has not been seen.

        :param wanted: by key
        :param since: they were unsettled then
        """
        count = _Pages()
        sink = self._sink(count)
        reading = UnsettledReading(self.client, self.resource, self.request.page_size, since, count)
        return self._extracted("open", None, sink, count, lambda: reading.read(wanted, sink))

    def read_whole(self) -> Extracted:
        """Read all that there is: a resource without windows, or the children of all parents or of those asked for."""
        count = _Pages()
        sink = self._sink(count)
        if self.resource.parent:
            family = Family(self.client, self.resource, self.request.page_size, self.log, count, readings=self.request.readings)
            asked = self.request.parents
            parents = asked if asked is not None else family.parents(self.server_now())
            return self._extracted("whole", None, sink, count, lambda: family.read(parents, sink, are_named=asked is not None))
        source = Source(self.client, self.resource, page_size=self.request.page_size, on_page=count)
        return self._extracted("whole", None, sink, count, Reading(source, None, sink, readings=self.request.readings).read)

    def _sink(self, count: _Pages) -> WindowSink:
        count.progress = Progress(self.resource.name, self.log, follow=self._follow)
        return WindowSink(self.resource, count.progress, self.protector)

    def _keeper(self, sink: WindowSink, window: Window, feed: Feed) -> PartKeeper | None:
        """Nothing is kept of a reading that must agree with another: what an earlier try brought is of another time."""
        if self._staging is None or feed == "finished" or self.request.readings > 1:
            return None
        identity = {
            "base_url": self.client.session.environment.base_url,
            "resource": self.resource.name,
            "feed": feed,
            "window": window.label,
            "protected": self.protector.told,
            "secret": hmac.digest(self.request.protection.secret.encode(), b"staging", "sha256").hex()[:16],
        }
        return PartKeeper(sink, Staging(self._staging / window.label, identity, self.log), self.server_now(), self.log)

    def _extracted(
        self,
        feed: Feed,
        window: Window | None,
        sink: WindowSink,
        count: _Pages,
        read: Callable[[], Proof],
        keeper: PartKeeper | None = None,
    ) -> Extracted:
        began, calls, read_at = time.monotonic(), self.client.session.calls, self.server_now()
        try:
            proof = read()
            self._refuse_unproved(proof, window)
        except BaseException:
            sink.writer.close()
            raise
        read_at = keeper.read_at if keeper else read_at
        cost = count.pages, self.client.session.calls - calls, round(time.monotonic() - began, 3)
        origin = Origin(read_at, f"{feed} {window.label}" if window else feed)
        label = _label(feed, window, read_at, self.request.parents)
        partial = not proof.is_complete or feed in ("finished", "open") or self.request.parents is not None
        scope = None if partial else Scope(window.start, window.end) if window else Scope()
        return Extracted(self.resource, feed, window, label, origin, proof, sink, scope, self._facts(feed, cost), keeper)

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
            protected=self.protector.told,
            airflow_version=self.request.airflow_version,
            run=dict(self.request.run),
        )

    def _ask_totals(self, span: Span) -> list[dict[str, Any]] | None:
        return ask_totals(self.client, self.resource, *widened(span))

    def _refuse_unproved(self, proof: Proof, window: Window | None) -> None:
        if proof.is_complete:
            return
        span = f" from {to_wire(window.start)} to {to_wire(window.end)}" if window else ""
        text = f"{self.resource.name}{span} can't be proved complete: {'; '.join(proof.reasons)}"
        if self.request.strict:
            raise NexusUnprovedError(f"{text}. Nothing was published; run it again", proof.reasons)
        self.log.warning("%s. It is published as unproved", text)


class _Pages:
    """Counts pages, and tells the progress what the server counts.

    :ivar progress: of the reading
    """

    progress: Progress

    def __init__(self) -> None:
        self.pages = 0

    def __call__(self, page: Page) -> None:
        self.pages += 1
        self.progress.total = max(self.progress.total or 0, page.total or 0)


def ask_totals(
    client: NexusClient, resource: Resource, since: datetime, until: datetime, flag: bool | None = None
) -> list[dict[str, Any]] | None:
    """What the totals endpoint says of the records between two bounds; ``None`` where it is not offered.

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


def _label(feed: Feed, window: Window | None, read_at: datetime, parents: tuple[str, ...] | None) -> str:
    """Children of some parents are no snapshot of all, and tasks that each read some may do so in the same second."""
    label = label_of(feed, window, read_at)
    if feed == "whole" and parents is not None:
        return f"{label}-of-{hashlib.sha256(repr(sorted(parents)).encode()).hexdigest()[:12]}"
    return label


def _by_finish(resource: Resource) -> Resource:
    """The resource with its records in order of their end instead of their creation."""
    return dataclasses.replace(resource, created=resource.finished)
