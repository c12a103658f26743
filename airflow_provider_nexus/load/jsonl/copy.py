"""Folders of gzip JSON lines: each record's text as it came."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter
from airflow_provider_nexus.extract.tally import Tally
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.collection import previous_of
from airflow_provider_nexus.load.loader import Stored, fields_before
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.publish import publish
from airflow_provider_nexus.load.rejects import Rejects

FORMAT = "jsonl"


class JsonLinesLoader:
    """Publishes each window in a folder of its own.

    :param collection: folder of the resource's windows
    :param max_rejected: records that may be put aside
    """

    def __init__(self, collection: Any, max_rejected: int = 0) -> None:
        self._collection, self._max_rejected = collection, max_rejected

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """The fields of the window before."""
        return fields_before(self._collection, window)

    def store(self, extracted: Extracted) -> Stored:
        """Publish what was read.

        :raises NexusRejectedError: when more records don't fit than are allowed
        """
        rejects = Rejects(extracted.resource.name, self._max_rejected)
        writer = _without_flawed(extracted, rejects) if extracted.sink.flawed else extracted.sink.writer
        folder = self._collection / extracted.label
        try:
            rejects.refuse_too_many()
            manifest = manifests.describe(extracted, FORMAT)
            previous = previous_of(self._collection, extracted.window) if extracted.window else None
            manifest = replace(manifest, previous=previous)
            changed, _ = publish(folder, writer.parts(), manifest, rejects.found)
        finally:
            writer.close()
        return Stored(str(folder), str(folder / NAME), changed, rejects.count)


def _without_flawed(extracted: Extracted, rejects: Rejects) -> JsonLinesWriter:
    """The rows without those that can't be added up; the tally is then of what is left."""
    writer, tally = JsonLinesWriter(), Tally(extracted.sink.reader)
    for row in extracted.rows():
        if row.flaw:
            rejects.add(row, row.flaw, extracted.sink.reader.expected(row.flaw))
        else:
            tally.add(row)
            writer.write([row])
    extracted.sink.tally = tally
    return writer
