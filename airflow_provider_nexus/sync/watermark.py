"""Watermarks: where the last contiguous sync of a resource ended."""

from __future__ import annotations

from typing import Any

from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.extract.window import Window, joined
from airflow_provider_nexus.load.copy import Copy
from airflow_provider_nexus.load.memory import FileMemory, Memory

NAME = "_watermark.json"
Watermark = Memory[str]
"""Stores the time, as text."""


def file_watermark(collection: Any) -> Watermark:
    """A watermark in a small JSON file beside the windows of a resource, in their folder."""
    return FileMemory(
        collection / NAME,
        read=lambda found: to_wire(moment(found["watermark"], "watermark")),
        write=lambda end: {"watermark": end},
        damage="where the last sync ended: write the end of the last window that lies there into it, as in "
        '{"watermark": "2026-01-31T00:00:00Z"}',
    )


class CopyWatermark:
    """The end of the windows that a copy contains without a gap, from the first on."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync."""
        whole = next(joined(window for window, _ in self._copy.windows()), None)
        return to_wire(whole.end) if whole else None

    def set(self, moment: str) -> None:
        """Nothing to do: the load has written it."""


def advance(watermark: Watermark, window: Window, log: Log) -> None:
    """Move the watermark to a published window's end, if nothing was left out before it."""
    text = watermark.get()
    known = moment(text, "watermark") if text else None
    if known and window.start > known:
        log.warning("%s to %s was never read: the watermark stays", to_wire(known), to_wire(window.start))
    elif known is None or window.end > known:
        watermark.set(to_wire(window.end))
