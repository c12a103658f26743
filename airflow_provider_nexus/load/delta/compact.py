"""Compaction of a Delta table: few large files in place of many small ones, and the removal of what nothing needs any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.delta.books import BOOKS, MANIFESTS, REJECTS
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.delta.library import lake_errors, load_library

RETENTION = timedelta(days=7)
"""How long a reader may take, and a load: what is younger is never removed."""
_TRIES = 5


@dataclass(frozen=True)
class Compacted:
    """What a compaction did.

    :param merged: files that were made fewer
    :param made: files in their place
    :param removed: files of rows that no version within the retention needs
    :param orphans: files of books that nothing names
    """

    merged: int
    made: int
    removed: int
    orphans: int


def compact(copy: DeltaCopy, retention: timedelta = RETENTION) -> Compacted:
    """Compact the files of each partition, then remove those that no version needs which is younger than the retention.

    Readers and loads may go on: a load that this outruns is merged anew. Rows, books and proofs stay as they are. Time travel to
    versions before the retention ends, and with it what they alone have of personal data.

    :raises NexusConfigurationError: when there is no table, or the retention is shorter than seven days
    :raises NexusStorageError: when the store fails, or loads outrun this at each try
    """
    if retention < RETENTION:
        raise NexusConfigurationError(
            f"retention is {retention}: at least seven days, as a load or a reader that still runs may need what is removed"
        )
    library = load_library()
    with lake_errors(copy.folder, "compacted"):
        for left in reversed(range(_TRIES)):
            try:
                counts = _handle(copy).optimize.compact()
                break
            except library.exceptions.CommitFailedError:
                if not left:
                    raise
        hours = int(retention / timedelta(hours=1))
        removed = _handle(copy).vacuum(retention_hours=hours, dry_run=False, full=True)
    orphans = list(_orphans(copy, time.time() - retention.total_seconds()))
    for path in orphans:
        store.remove(path)
    return Compacted(counts["numFilesRemoved"], counts["numFilesAdded"], len(removed), len(orphans))


def _handle(copy: DeltaCopy) -> Any:
    found = copy.snapshot()
    if found is None:
        raise NexusConfigurationError(f"{copy.folder} contains no Delta table: give the path that a sync writes to")
    return found.handle


def _orphans(copy: DeltaCopy, before: float) -> Iterator[Any]:
    """Files of books that no load names, and those of earlier states, from before a time."""
    # What is there is listed before the books are read: what comes later is not among it.
    there = [(folder, name) for folder in (BOOKS, MANIFESTS, REJECTS) for name in store.names(copy.folder / folder)]
    snapshot = copy.snapshot()
    books = copy.shelf.books(snapshot.books if snapshot else None)
    manifests = dict(copy.shelf.loads(books.last))
    named = {each.sha256 for each in books.readings.values()}
    manifests |= {sha256: copy.shelf.manifest(sha256) for sha256 in named - manifests.keys()}
    needed = {BOOKS: {f"{snapshot.books}.json" if snapshot else ""}, MANIFESTS: {f"{sha256}.json" for sha256 in manifests}}
    needed[REJECTS] = {f"{file.sha256}.jsonl" for manifest in manifests.values() for file in manifest.rejected}
    for folder, name in there:
        path = copy.folder / folder / name
        if name not in needed[folder] and path.stat().st_mtime < before:
            yield path
