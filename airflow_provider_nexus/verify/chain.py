"""The manifests of a resource against each other: each names the one before it, and the one that it replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError, NexusStorageError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED
from airflow_provider_nexus.verify.findings import Findings

_KEPT = re.compile(r"([0-9a-f]{64})\.json")


def check_kept(folder: Any, manifest: Mapping[str, Any] | None, findings: Findings) -> None:
    """The manifests that a folder has replaced: each is there, under its own digest.

    :param manifest: the folder's own
    """
    kept = folder / SUPERSEDED
    names = {match[1] for name in store.names(kept) if (match := _KEPT.fullmatch(name))}
    wanted = {NAME: manifest.get("replaces")} if manifest else {}
    for digest in sorted(names):
        raw = _read(kept / f"{digest}.json", findings) or b""
        if manifests.digest_of(raw) != digest:
            findings.problem(kept / f"{digest}.json", "was edited: its SHA-256 is not its name; take it back from a backup")
            continue
        wanted[f"{SUPERSEDED}/{digest}.json"] = _replaces(raw)
    for name, digest in wanted.items():
        if digest and digest not in names:
            findings.problem(
                kept / f"{digest}.json", f"is missing, and {name} says that it replaced it; take it back from a backup"
            )


def check_previous(collection: Any, name: str, manifest: Mapping[str, Any], findings: Findings) -> None:
    """The manifest of the window before is one that this one was written after.

    :param collection: folder of the resource
    :param name: folder of the window
    """
    previous = manifest.get("previous")
    if not previous:
        return
    if not isinstance(previous, dict):
        findings.problem(collection / name / NAME, "does not name the window before; it was edited, take it back from a backup")
        return
    before = collection / previous["window"]
    raw = _read(before / NAME, findings)
    if raw is not None and manifests.digest_of(raw) == previous["sha256"]:
        return
    if store.size(before / SUPERSEDED / f"{previous['sha256']}.json") is None:
        state = "is not the one" if raw is not None else "is gone: it is"
        findings.problem(before / NAME, f"{state} that {name} was written after; it was edited, take it back from a backup")


def note_spans(collection: Any, found: list[tuple[Window, str]], findings: Findings) -> None:
    """Gaps between windows, and windows that meet.

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


def _replaces(raw: bytes) -> str | None:
    try:
        found = manifests.parse(raw, SUPERSEDED).get("replaces")
    except NexusDataError:
        return None
    return found if isinstance(found, str) else None
