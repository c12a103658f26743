"""Where the last contiguous sync of a resource ended, kept beside the data."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any, Protocol

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.exceptions import NexusStorageError, NexusWindowError
from airflow_provider_nexus.extract.window import Window

NAME = "_watermark.json"


class Watermark(Protocol):
    """A stamp that outlives the run."""

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync."""

    def set(self, moment: str) -> None:
        """Replace the stamp."""


class FileWatermark:
    """A small JSON file in the folder of the resource's windows.

    :param collection: that folder
    """

    def __init__(self, collection: Any) -> None:
        self._path = collection / NAME

    def get(self) -> str | None:
        """The stamp; ``None`` before the first sync.

        :raises NexusStorageError: when the file is damaged
        """
        raw = store.read(self._path)
        if raw is None:
            return None
        try:
            return to_wire(moment(msgspec.json.decode(raw)["watermark"], "watermark"))
        except (msgspec.DecodeError, NexusWindowError, TypeError, KeyError, ValueError, RecursionError):
            raise NexusStorageError(
                f"{self._path} is damaged, so it is not known where the last sync ended: write the end of the last window "
                'that lies there into it, as in {"watermark": "2026-01-31T00:00:00Z"}'
            ) from None

    def set(self, moment: str) -> None:
        """Replace the stamp."""
        store.put(self._path, io.BytesIO(msgspec.json.encode({"watermark": moment}) + b"\n"))


def advance(watermark: Watermark, window: Window, log: Log) -> datetime | None:
    """Move the watermark to a published window's end, if no gap lies between.

    :return: where it stands now
    """
    known = watermark.get()
    stands = moment(known, "watermark") if known else None
    if stands and window.start > stands:
        log.warning("%s to %s was never read: the watermark stays", to_wire(stands), to_wire(window.start))
        return stands
    if stands is None or window.end > stands:
        watermark.set(to_wire(window.end))
        return window.end
    return stands
