"""Finds the manifests under a folder, in the books of Delta tables too, and follows their digests. No data file is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.exceptions import NexusError, NexusWindowError
from airflow_provider_nexus.extract.origin import Open
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.claims import contradictions
from airflow_provider_nexus.load.collection import ResourceFolder, below, tables_below
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.delta.books import MANIFESTS, StoredReading
from airflow_provider_nexus.load.delta.copy import DeltaCopy
from airflow_provider_nexus.load.manifest import NAME, READINGS, REJECTED, SUPERSEDED, Manifest, Previous
from airflow_provider_nexus.load.parquet.unsettled import NAME as UNSETTLED
from airflow_provider_nexus.report.collection import Chain, ResourceCopy, WindowEntry, Wording, read_manifest
from airflow_provider_nexus.verify.lake import OpenTable

_LEVELS = 4
_YEARS = range(1900, 2200)
"""Windows of other years are not drawn: no sync has made them."""
FILES = Wording(
    holder="Folder",
    no_open=(
        "Not stored beside the data: either this sync does not follow records, or it remembers them in Airflow's asset state "
        "store, which this report does not read."
    ),
    made_from="Made from manifests alone. Whether the data files still are as the manifests state was not looked at:",
)


def copies(root: Any, opened: OpenTable) -> list[ResourceCopy]:
    """The copies of resources at or below a folder, by path; those in Delta tables too, of which no row is read.

    :raises NexusConfigurationError: when a table can't be opened, or deltalake is not installed
    :raises NexusStorageError: when its books are missing or damaged
    """
    found = [_copy(each) for each in below(root, _LEVELS) if each.windows or each.snapshots or each.readings]
    tables = [_copy_of_table(path, opened(folder)) for path, folder in tables_below(root)]
    return sorted([*found, *tables], key=lambda each: each.path)


def _copy(found: ResourceFolder) -> ResourceCopy:
    spans: list[tuple[str, datetime, datetime | None]] = [
        *((name, window.start, window.end) for name, window in found.windows.items()),
        *((name, read_at, None) for name, read_at in found.snapshots.items()),
    ]
    spans = [each for each in spans if each[1].year in _YEARS and (each[2] or each[1]).year in _YEARS]
    spans.sort(key=lambda each: (each[1], each[2] or each[1], each[0]))
    entries = [(label, _entry(found, label, start, end)) for label, start, end in spans]
    published = [entry for _, entry in entries if entry]
    read = ((name, read_manifest(store.read(found.folder / READINGS / name / NAME) or b"")[0]) for name in found.readings)
    readings = sorted(((name, manifest) for name, manifest in read if manifest), key=lambda each: each[1].read_moment)
    chain = follow(published)
    for name, manifest in readings:
        chain.broken += [(name, flaw) for flaw in contradictions(manifest, manifest.put_aside, has_all=False)]
    empty = [label for label, entry in entries if not entry]
    return ResourceCopy(found.path, published, empty, readings, _unsettled(found.folder), chain)


def _entry(found: ResourceFolder, label: str, start: datetime, end: datetime | None) -> WindowEntry | None:
    folder = found.folder / label
    raw = store.read(folder / NAME)
    if raw is None:
        return None
    manifest, flaw = read_manifest(raw)
    entry = WindowEntry(label, f"{found.path}/{label}/{NAME}".lstrip("/"), start, end, manifest, manifests.digest_of(raw))
    if manifest is None:
        entry.flaws.append(flaw)
        return entry
    if end and manifest.span != found.windows[label]:
        entry.flaws.append("its manifest is of another window than its folder's name")
    entry.flaws += contradictions(manifest, manifest.put_aside)
    entry.replaces = manifest.replaces
    for name in store.names(folder / SUPERSEDED) if manifest.replaces or manifest.patches else ():
        raw = store.read(folder / SUPERSEDED / name) or b""
        digest = manifests.digest_of(raw)
        if name != f"{digest}.json":
            entry.flaws.append(f"{SUPERSEDED}/{name} is not what its name says: its SHA-256 is {digest}")
        replaced, _ = read_manifest(raw)
        entry.replaced[digest] = replaced.replaces if replaced else ""
    if manifest.rejected:
        entry.put_aside = Counter(_put_aside(folder / REJECTED))
    return entry


def _put_aside(path: Any) -> Iterator[tuple[str, str]]:
    """Field and reason of each record that was put aside and can be read."""
    for line in (store.read(path) or b"").splitlines():
        with suppress(msgspec.DecodeError, RecursionError):
            reject = msgspec.json.decode(line, type=Reject)
            yield reject.field, reject.reason


def _unsettled(folder: Any) -> dict[str, Open] | None:
    try:
        stored = msgspec.json.decode(store.read(folder / UNSETTLED) or b"", type=dict[str, str])
    except msgspec.DecodeError:  # what is missing is no JSON either
        return None
    found = {}
    for key, value in stored.items():
        created, _, status = value.partition(" ")
        with suppress(NexusWindowError):
            found[key] = Open(moment(created, "created"), status)
    return found


def follow(entries: Sequence[WindowEntry]) -> Chain:
    """Follow all digests of a resource: to the window before, and to the manifests that were replaced."""
    by_label = {entry.label: entry for entry in entries}
    chain = Chain()
    for entry in entries:
        chain.broken += [(entry.label, flaw) for flaw in entry.flaws]
        if entry.manifest and isinstance(entry.manifest.previous, Previous):
            previous, before = entry.manifest.previous, by_label.get(entry.manifest.previous.window)
            chain.links += 1
            if before is None:
                chain.broken.append((entry.label, f"the window before, {previous.window}, has no manifest any more"))
            elif previous.sha256 in before.replaced:
                chain.superseded += 1
            elif previous.sha256 != before.sha256:
                what = f"the manifest of {previous.window} is not the one that was published: no stored one is {previous.sha256}"
                chain.broken.append((entry.label, what))
        digest, seen = entry.replaces, set[str]()
        while digest and digest not in seen:
            seen.add(digest)
            chain.links += 1
            if digest not in entry.replaced:
                chain.broken.append((entry.label, f"the manifest that was replaced is not stored: {digest}"))
                break
            chain.superseded += 1
            digest = entry.replaced[digest]
    return chain


def _copy_of_table(path: str, copy: DeltaCopy) -> ResourceCopy:
    books, chain = copy.books(), Chain()
    loads = list[Manifest]()
    try:
        for _, manifest in copy.shelf.loads(books.last):
            loads.append(manifest)
    except NexusError as error:
        chain.broken.append(("the table", str(error)))
    loads.reverse()
    labels = [manifest.load.label if manifest.load else "" for manifest in loads]
    entries = [_entry_of_table(path, copy, label, reading, labels) for label, reading in books.readings.items()]
    entries.sort(key=lambda each: (each.start, each.end or each.start))
    chain.links = max(0, len(loads) - 1)
    chain.superseded = sum(label in books.readings and label in labels[place + 1 :] for place, label in enumerate(labels))
    chain.broken += [(entry.label, flaw) for entry in entries for flaw in entry.flaws]
    readings = [(label, manifest) for label, manifest in zip(labels, loads, strict=True) if label not in books.readings]
    return ResourceCopy(path, entries, [], readings, books.open if copy.resource.lifecycle else None, chain)


def _entry_of_table(path: str, copy: DeltaCopy, label: str, reading: StoredReading, labels: list[str]) -> WindowEntry:
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
