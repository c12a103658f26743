"""A copy of a resource in gzip JSON lines: a folder for each window, each record's text as it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.rows import Row, RowReader
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter
from airflow_provider_nexus.extract.origin import Origin
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.account import LineAccount
from airflow_provider_nexus.load.collection import fields_before, previous_of
from airflow_provider_nexus.load.copy import RejectedRecord, Sealed, Stored
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.publish import publish

FORMAT = "jsonl"


class JsonLinesCopy:
    """Publishes each window of a resource in a folder of its own."""

    takes_streams = True

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def converter(self, resource: Resource, *, keeps_untyped: bool) -> LineConverter:  # noqa: ARG002 - lines have no types
        """Records stay as they came."""
        return LineConverter(resource)

    def fields_before(self, window: Window | None) -> dict[str, Any] | None:
        """The fields of the window before."""
        return fields_before(self._collection, window)

    def apply(self, batches: Iterable[Sequence[Row]], scope: Window | None, seal: Callable[[], Sealed]) -> Stored:  # noqa: ARG002
        """Publish a reading; what was published of the same window before is replaced, so the scope does not matter."""
        writer = JsonLinesWriter()
        try:
            for rows in batches:
                writer.write(rows)
            sealed = seal()
            folder = self._collection / sealed.label
            previous = previous_of(self._collection, sealed.window) if sealed.window else None
            manifest = replace(sealed.manifest, format=FORMAT, previous=previous)
            published = publish(folder, writer.parts(), manifest, sealed.rejects)
        finally:
            writer.close()
        sha256, path = manifests.digest_of(published.raw), str(folder / NAME)
        return Stored(path=str(folder), manifest=path, changed=published.changed, sha256=sha256, damage=published.damage)


class LineConverter:
    """Leaves a resource's records as they came; one whose amounts can't be added up does not fit."""

    def __init__(self, resource: Resource) -> None:
        self.untyped: Counter[str] = Counter()
        self._reader = RowReader(resource)

    def account(self) -> LineAccount:
        """An account of the records."""
        return LineAccount(self._reader)

    def rows(self, records: Sequence[Row], origin: Origin) -> Sequence[Row | RejectedRecord]:  # noqa: ARG002 - lines have no origin
        """The records with their amounts, each in its place, or why one of them can't be read."""
        decoded = self._reader.decoded(records)
        if not any(row.flaw for row in decoded):
            return decoded
        return [RejectedRecord(row.flaw, self._reader.expected(row.flaw)) if row.flaw else row for row in decoded]
