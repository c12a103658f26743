"""Check of the chain of manifests: each names the one before it, and the one that it replaced."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError, NexusStorageError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED, Manifest, Previous
from airflow_provider_nexus.verify.findings import Findings

_REPLACED = re.compile(r"([0-9a-f]{64})\.json")


def check_replaced(folder: Any, manifest: Manifest | None, findings: Findings) -> None:
    """Check the manifests that a folder has replaced: each is there, under its own digest.

    :param manifest: the folder's own
    """
    names = {match[1] for name in store.names(folder / SUPERSEDED) if (match := _REPLACED.fullmatch(name))}
    wanted = {NAME: manifest.replaces} if manifest else {}
    for digest in sorted(names):
        path = folder / SUPERSEDED / f"{digest}.json"
        raw = _read(path, findings) or b""
        if manifests.digest_of(raw) != digest:
            findings.problem(path, "was edited: its SHA-256 is not its name; take it back from a backup")
            continue
        try:
            wanted[f"{SUPERSEDED}/{digest}.json"] = manifests.parse(raw, SUPERSEDED).replaces
        except NexusDataError:
            continue  # a manifest of another version is only known by its digest
    for name, digest in wanted.items():
        if digest and digest not in names:
            path = folder / SUPERSEDED / f"{digest}.json"
            findings.problem(path, f"is missing, and {name} says that it replaced it; take it back from a backup")


def check_previous(collection: Any, name: str, manifest: Manifest, findings: Findings) -> None:
    """Check that the manifest of the window before is the one that this one was written after.

    :param collection: folder of the resource
    :param name: folder of the window
    """
    previous = manifest.previous
    if not previous:
        return
    if not isinstance(previous, Previous):
        findings.problem(collection / name / NAME, "does not name the window before; it was edited, take it back from a backup")
        return
    before = collection / previous.window
    raw = _read(before / NAME, findings)
    if raw is not None and manifests.digest_of(raw) == previous.sha256:
        return
    if store.size(before / SUPERSEDED / f"{previous.sha256}.json") is None:
        state = "is not the one" if raw is not None else "is missing: it is the one"
        findings.problem(before / NAME, f"{state} that {name} was written after; it was edited, take it back from a backup")


def note_gaps(collection: Any, found: list[tuple[Window, str]], findings: Findings) -> None:
    """Note gaps between windows, and windows that overlap.

    :param found: the windows that have a manifest, with their folders' names
    """
    ordered = sorted(found, key=lambda each: (each[0].start, each[0].end))
    until = ordered[0][0].end if ordered else None
    for (_, before), (window, name) in pairwise(ordered):
        if until is not None and window.start > until:
            findings.note(collection, f"a gap: {to_wire(until)} to {to_wire(window.start)} is in no window")
        elif until is not None and window.start < until:
            findings.note(collection, f"an overlap: {name} begins before {before} ends, so some records lie in both")
        until = max(until, window.end) if until else window.end


def _read(path: Any, findings: Findings) -> bytes | None:
    try:
        return store.read(path)
    except NexusStorageError as error:
        findings.problem(path, str(error))
        return None
