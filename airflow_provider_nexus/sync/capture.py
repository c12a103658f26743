"""Incremental capture: updates a copy of records that change long after they were made, though Nexus has no "updated since".

Each run reads three feeds: what ended in the window where Nexus can be asked for that, what was created in it, and what was
not settled when it was last read. What changes behind their backs is found by totals where there are any, and else by
reading old windows again, the one with the oldest proof first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from airflow_provider_nexus.api.lifecycles import Phase
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resource import DateFilter
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.client.log import Log, number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusWindowError
from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.extractor import Extractor
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.source import PAGE_SIZE
from airflow_provider_nexus.extract.window import Window, joined
from airflow_provider_nexus.load.columns import Table
from airflow_provider_nexus.load.copy import Copy
from airflow_provider_nexus.load.loader import Loader
from airflow_provider_nexus.sync.compare import Comparison
from airflow_provider_nexus.sync.job import store, summary_of, together
from airflow_provider_nexus.sync.watermark import Watermark, advance

PATIENCE = timedelta(days=90)
"""How long an unsettled record is read again at every run; after that, totals and old windows have to show it."""


class CaptureJob:
    """One run.

    :param request: its window begins where the run before ended
    :param copy: what is updated
    :param rereads: old windows to read again where there are no totals
    :param watermark: moved to the window's end when all of the run is stored
    :param staging: as ``sleep`` for the :class:`~airflow_provider_nexus.extract.extractor.Extractor`
    """

    def __init__(
        self,
        client: NexusClient,
        request: SyncRequest,
        copy: Copy,
        *,
        watermark: Watermark,
        rereads: int = 1,
        staging: Any = None,
        log: Log | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._request, self._copy = client, request, copy
        self._watermark, self._rereads = watermark, rereads
        self._log = log or logging.getLogger(__name__)
        self._extractor = Extractor(client, request, self._log, staging=staging, sleep=sleep)
        self._feeds: dict[str, int] = {}
        self._changes = {"inserted": 0, "updated": 0, "deleted": 0}
        self._repaired = 0

    def run(self) -> dict[str, Any] | None:
        """Bring the copy up to date.

        :return: a summary under two kilobytes, or ``None`` when nothing is old enough to be read
        :raises NexusConfigurationError: when the records have no window, or go by another key than in Nexus, or when more than
            one reading is asked for
        """
        if self._request.requested is None or self._extractor.protector.changes_key:
            raise NexusConfigurationError(
                f"{self._request.resource.name}: changes can be captured of records that have a window and go by their own key"
            )
        if self._request.readings > 1:
            raise NexusConfigurationError(
                f"readings is {self._request.readings}: changes are captured from single reads. Leave readings out"
            )
        began, calls = time.monotonic(), self._client.session.calls
        window = self._extractor.window(self._request.requested)
        if window is None:
            return None
        summary = self._bring(window)
        if any(stored.end == window.end for stored, _ in self._copy.windows()):
            advance(self._watermark, window, self._log)
        else:
            text = "%s is no proved window of the copy: the watermark stays, the next run reads it again"
            self._log.warning(text, window.label)
        cost = {"calls": self._client.session.calls - calls, "seconds": round(time.monotonic() - began, 3)}
        found = {"feeds": self._feeds, "changed": any(self._changes.values()) or self._repaired > 0, **self._changes}
        return summary | cost | found | ({"repaired": self._repaired} if self._repaired else {})

    def _bring(self, window: Window) -> dict[str, Any]:
        """All feeds. What was created comes after what ended: a table with the window counts as read up to its end."""
        torn = self._copy.torn(window)
        self._refuse_another_place(window, torn)
        parts = self._parts(window, torn)
        for again in torn:
            self._log.warning("%s to %s is not whole in the copy: it is read again", to_wire(again.start), to_wire(again.end))
            self._store(self._extractor.read(again, "reread"), None)
        since = min((stored.start for stored, _ in self._copy.windows()), default=window.start)
        if self._request.resource.finished and since < window.start:
            self._bring_ended(window, self._request.resource.finished, since)
        pieces = []
        for part in parts:
            created = self._extractor.read(part)
            pieces.append(self._store(created, None))
        self._read_unsettled(window)
        for again in self._to_read_again(created.origin.read_at):
            self._store(self._extractor.read(again, "reread"), min(since, window.start))
        return together(pieces)

    def _bring_ended(self, window: Window, ends: DateFilter, since: datetime) -> None:
        """Those that ended in the window, unless the server takes no notice of that: then each one that was open is looked up."""
        try:
            self._store(self._extractor.read(window, "finished"), since)
        except NexusDataError as error:
            if error.field != ends.stamp or error.value:
                raise
            text = (
                "%s: asked for those that ended in the window (%s), the server shows records without an end: each record that "
                "was open is looked up"
            )
            self._log.warning(text, self._request.resource.name, ends.since)

    def _refuse_another_place(self, window: Window, torn: list[Window]) -> None:
        """Refuse a copy that is not the one that the last run has left: the watermark is the end of a window in it.

        A window that begins where the copy ends brings what is missing. One that begins before a copy without any window may be
        the first one of a new copy, unless it is a data interval, which is no more than that of one run.
        """
        if (text := self._watermark.get()) is None:
            return
        stored = [*(each for each, _ in self._copy.windows()), *torn]
        known, end = moment(text, "watermark"), max((each.end for each in stored), default=None)
        if end is None and (window.start >= known or window.how == "data interval"):
            what, begin = "no window at all", "window_start, from where the copy is to begin"
        elif end is not None and end < known and window.start > end:
            what, begin = f"none after {to_wire(end)}", f"window_start={to_wire(end)}"
        else:
            return
        raise NexusWindowError(
            f"the last sync of {self._request.resource.name} ended at {text}, and the copy has {what}: it was written somewhere "
            "else, as on the disk of another worker, or was deleted since. Have all workers write to one place, or if what is "
            f"missing is to be read again into this one, run once with {begin}"
        )

    def _parts(self, window: Window, torn: list[Window]) -> list[Window]:
        """The window, parted where the copy's own begin and end: a run that was not finished has left such ones."""
        windows = [stored for stored, _ in self._copy.windows()] + torn
        for stored in windows:
            if stored.meets(window) and not (window.start <= stored.start and stored.end <= window.end):
                asked, other = (f"{to_wire(each.start)} to {to_wire(each.end)}" for each in (window, stored))
                hint = "windows of a copy touch. Leave the window out to go on from the last"
                raise NexusWindowError(f"the window {asked} meets {other}, which is in the copy: {hint}")
        edges = {edge for stored in windows for edge in (stored.start, stored.end) if window.start < edge < window.end}
        return [Window(*ends, window.how) for ends in pairwise(sorted(edges | {window.start, window.end}))]

    def _read_unsettled(self, window: Window) -> None:
        """Those that were made before this run's window, which has just been read."""
        known = {key: each for key, each in self._copy.unsettled().items() if each.created < window.start}
        wanted = {key: each for key, each in known.items() if window.end - each.created <= PATIENCE}
        resource = self._request.resource
        if resource.totals_path and resource.lifecycle:
            # One with a status that no source explains may well have ended. The totals show when it changes.
            phase = resource.lifecycle.phase
            wanted = {key: each for key, each in wanted.items() if phase(each.status) is not Phase.UNKNOWN}
        if left := len(known) - len(wanted):
            left_out = number_of(left, "old unsettled record")
            self._log.info("not read: %s, as totals or old windows show their changes", left_out)
        if wanted:
            self._store(self._extractor.read_unsettled(wanted, window.start), None)

    def _to_read_again(self, now: datetime) -> Iterator[Window]:
        windows = self._copy.windows()
        page_size = self._request.page_size or PAGE_SIZE
        comparison = Comparison(self._client, self._request.resource, self._copy, max(1, page_size // 2))
        stored = joined(window for window, _ in windows)
        found = [comparison.differences(window) for window in stored] if self._request.resource.totals_path else [None]
        if None not in found:
            differing = [window for each in found for window in each or ()]
            many = number_of(len(differing), "window")
            self._log.info("differing from the totals: %s, found in %s", many, number_of(comparison.calls, "call"))
            if comparison.is_cut:
                self._log.warning("more calls are not made to find what differs from the totals: larger windows are read again")
            yield from (replace(window, how="totals") for window in differing)
            return
        due = [window for window, read_at in windows if read_at < now]
        yield from (replace(window, how="oldest proof") for window in due[: self._rereads])

    def _store(self, extracted: Extracted, since: datetime | None) -> dict[str, Any]:
        """Store a reading, without the records created before a time that nothing was read of."""
        asked, table = self._request, Table(self._request.resource)
        created = table.place(table.created)
        wanted = None if since is None else lambda row: row[created] >= since
        loader = Loader(self._copy, asked.max_rejected, contract=asked.contract, wanted=wanted)
        stored = store(extracted, loader, asked, self._log)
        self._feeds[extracted.feed] = self._feeds.get(extracted.feed, 0) + stored.records
        for word in self._changes:
            self._changes[word] += getattr(stored, word) or 0
        self._repaired += stored.repaired + len(stored.damage)
        self._log.info("%s: %s, %s", extracted.feed, number_of(stored.records, "record"), stored.path)
        return summary_of(extracted, stored)
