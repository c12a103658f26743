"""Finds the manifests of Delta tables, in their books and below them. No row is read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.load.collection import tables_below
from airflow_provider_nexus.load.delta.books import MANIFESTS, Reading
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.manifest import Manifest
from airflow_provider_nexus.report.collection import Chain, ResourceCopy, WindowEntry
from airflow_provider_nexus.verify.lake import OpenTable


def tables(root: Any, opened: OpenTable) -> list[ResourceCopy]:
    """The copies in Delta tables at or below a folder.

    :raises NexusConfigurationError: when a table can't be opened, or deltalake is not installed
    :raises NexusStorageError: when its books are missing or damaged
    """
    return [_copy(path, opened(folder)) for path, folder in tables_below(root)]


def _copy(path: str, copy: DeltaCopy) -> ResourceCopy:
    books, chain = copy.books(), Chain()
    loads = list[tuple[str, Manifest]]()
    try:
        for sha256, manifest in copy.shelf.loads(books.last):
            loads.append((sha256, manifest))
    except NexusError as error:
        chain.broken.append(("the table", str(error)))
    loads.reverse()
    labels = [manifest.load.label if manifest.load else "" for _, manifest in loads]
    entries = [_entry(path, copy, label, reading, labels) for label, reading in books.readings.items()]
    entries.sort(key=lambda each: (each.start, each.end or each.start))
    chain.links = max(0, len(loads) - 1)
    chain.superseded = sum(label in books.readings and label in labels[place + 1 :] for place, label in enumerate(labels))
    chain.broken += [(entry.label, flaw) for entry in entries for flaw in entry.flaws]
    readings = [(label, manifest) for label, (_, manifest) in zip(labels, loads, strict=True) if label not in books.readings]
    follows = copy.resource.lifecycle is not None
    return ResourceCopy(path, entries, [], readings, books.open if follows else None, chain)


def _entry(path: str, copy: DeltaCopy, label: str, reading: Reading, labels: list[str]) -> WindowEntry:
    place = f"{path}/{MANIFESTS}/{reading.sha256}.json".lstrip("/")
    entry = WindowEntry(label, place, reading.start or reading.read_at, reading.end, None, reading.sha256)
    try:
        entry.manifest = copy.shelf.manifest(reading.sha256)
        entry.put_aside = Counter((each.field, each.reason) for each in copy.shelf.rejects(entry.manifest))
    except NexusError as error:
        entry.flaws.append(str(error))
    if labels.count(label) > 1 and entry.manifest and isinstance(entry.manifest.previous, str):
        entry.replaces = entry.manifest.previous
    return entry
