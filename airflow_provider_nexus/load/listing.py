"""The data files of proved windows, for loaders: what is no window, or not as its manifest states, is never among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusStorageError,
    NexusUnprovedError,
    NexusWindowError,
)
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.window import ALL_TIME, RequestedWindow, Window, joined
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.claims import contradictions, other_name, refuse_damaged
from airflow_provider_nexus.load.collection import ResourceFolder, collections, tables_below
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED, Manifest

_OF_PARENTS = "-of-"
ANY_TIME = RequestedWindow(None, None, "arguments")


@dataclass(frozen=True)
class ListedWindow:
    """A window, or a snapshot, in the folder where its files lie as its manifest states."""

    folder: Any
    manifest: Manifest


@dataclass(frozen=True)
class Listing:
    """What a loader may take.

    :param root: that was searched
    :param windows: oldest first; one without records has no files
    :param notes: what is true and yet to be known, such as a gap, one line each
    :param copies: the folders of all resources and Delta tables at or below the root
    """

    root: Any
    windows: tuple[ListedWindow, ...]
    notes: tuple[str, ...]
    copies: tuple[Any, ...]

    @property
    def text(self) -> str:
        """What it comes to, for a log."""
        files = [file for window in self.windows for file in window.manifest.files]
        counts = {"window": len(self.windows), "file": len(files), "record": sum(file.records for file in files)}
        return ", ".join(number_of(number, noun) for noun, number in counts.items())


@dataclass(frozen=True)
class Wanted:
    """Which windows are wanted.

    :param resource: name in the catalogue; empty where the root has only one
    :param span: windows in it; a snapshot is in the span in which its reading began, and the latest one is taken
    :param changed_since: windows whose manifest was written at or after this moment, by the clock of the store
    :param strict: whether an unproved window is refused
    """

    resource: str = ""
    span: RequestedWindow = ANY_TIME
    changed_since: datetime | None = None
    strict: bool = True


def listing(root: Any, wanted: Wanted, follow: Follow = unheard) -> Listing:
    """The data files of windows. Each is read to its end, as only its digest shows that it is the one that was proved.

    :param root: path of a sync, or the folder of an environment, a resource or one window
    :param follow: called with the number of windows checked
    :raises NexusConfigurationError: when there is no sync, there are windows of several resources or formats, or some overlap,
        as a load would take their records twice
    :raises NexusWindowError: when a window lies only partly in the span, or windows do not cover it
    :raises NexusUnprovedError: when a window is not proved, and that is not allowed
    :raises NexusStorageError: when a manifest or a file is not as it was published, or is missing
    """
    every, tables = collections(root), [folder for _, folder in tables_below(root)]
    collection = _one(root, wanted.resource, every, tables)
    names = _windows(collection, wanted.span) if collection.windows else _snapshot(collection, wanted.span)
    published = [(name, raw) for name in names if (raw := _published(collection.folder / name)) is not None]
    notes = list(_around(collection, [name for name, _ in published], wanted.span))
    _refuse_holes(collection, notes, wanted.span, is_empty=not published)
    steps, found = Steps(len(published), follow), list[ListedWindow]()
    for name, raw in published:
        if wanted.changed_since is None or store.modified(collection.folder / name / NAME) >= wanted.changed_since:
            found.append(_listed(collection, name, raw, wanted))
        steps.add()
    formats = {each.manifest.format for each in found if each.manifest.files}
    if len(formats) > 1:
        raise NexusConfigurationError(
            f"{collection.folder} has windows in {' and '.join(sorted(formats))}, and a load takes one format: name a span that "
            "has one, or sync the others again to a path of their own"
        )
    for each in found:
        if each.manifest.put_aside:
            notes.append(f"{each.folder.name} lacks {number_of(each.manifest.put_aside, 'record')} that did not fit")
        if each.manifest.proof.verdict == Verdict.UNPROVED:
            notes.append(f"{each.folder.name} was never proved complete")
    return Listing(root, tuple(found), tuple(notes), (*(each.folder for each in every), *tables))


def _refuse_holes(collection: ResourceFolder, gaps: list[str], span: RequestedWindow, *, is_empty: bool) -> None:
    """Refuse a span that is asked for and has gaps, or is not covered at all: a load that replaces it would delete the rest."""
    if span.start is None and span.end is None:
        return
    if gaps or is_empty:
        what = gaps[0] if gaps else "nothing in the span that is asked for"
        raise NexusWindowError(
            f"{collection.folder} has {what}: sync what is missing, or let the span begin and end where windows do"
        )


def _one(root: Any, resource: str, every: list[ResourceFolder], tables: list[Any]) -> ResourceFolder:
    """The one folder of a resource at or below a root."""
    if table := next((folder for folder in tables if resource in ("", folder.name)), None):
        raise NexusConfigurationError(
            f"{table} is a Delta table, whose files are no list of its rows: let the warehouse read it as a table"
        )
    found = [each for each in every if (each.windows or each.snapshots) and resource in ("", each.folder.name)]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(each.path or each.folder.name for each in found)
        raise NexusConfigurationError(f"{root} has {places}, and a load takes one of them: give its folder, or name its resource")
    what = f" of {resource}" if resource else ""
    there = f": there are {', '.join(sorted({each.folder.name for each in every}))}" if resource else ""
    raise NexusConfigurationError(f"{root} has no windows{what}{there}; give the path that a sync writes to")


def _windows(collection: ResourceFolder, span: RequestedWindow) -> list[str]:
    """The windows in a span; one that lies only partly in it is refused."""
    found, asked = [], _bounded(span)
    for name, window in collection.windows.items():
        if asked.start <= window.start and window.end <= asked.end:
            found.append(name)
        elif window.meets(asked):
            raise NexusWindowError(
                f"the window {name} lies only partly in the span that is asked for, and its files can't be parted: let the span "
                f"begin and end where windows do, as at {to_wire(window.start)} or {to_wire(window.end)}"
            )
    return found


def _bounded(span: RequestedWindow) -> Window:
    return Window(span.start or ALL_TIME.start, span.end or ALL_TIME.end)


def _snapshot(collection: ResourceFolder, span: RequestedWindow) -> list[str]:
    """The latest snapshot in a span that has a manifest: each is the whole of a resource.

    Some that are of the children of a few parents only are refused: none of them is the whole.
    """
    asked = _bounded(span)
    names = [name for name, read_at in collection.snapshots.items() if asked.start <= read_at < asked.end]
    if collection.is_whole and (parts := [name for name in names if _OF_PARENTS in name]):
        raise NexusConfigurationError(
            f"{collection.folder / parts[-1]} was read for some parents only, so the latest reading is not the whole of "
            f"{collection.folder.name}: give the folder of one reading"
        )
    latest = next((name for name in reversed(names) if store.size(collection.folder / name / NAME) is not None), None)
    # Where none has a manifest, the last one is looked at as a window without one is.
    return [latest] if latest else names[-1:]


def _published(folder: Any) -> bytes | None:
    """The manifest of a window, as it is stored; ``None`` where none was ever published. One that was withdrawn is refused."""
    raw = store.read(folder / NAME)
    if raw is None and store.names(folder / SUPERSEDED):
        raise NexusStorageError(
            f"{folder} has no {NAME} any more: a run that replaces the window is at work, or was cut off. Sync the window again"
        )
    if raw is None and (there := store.names(folder)):
        raise NexusStorageError(
            f"{folder} has {there[0]} and no {NAME}: a run is at work or was cut off, or the manifest was lost. Sync the window "
            "again, or remove the folder"
        )
    return raw


def _listed(collection: ResourceFolder, name: str, raw: bytes, wanted: Wanted) -> ListedWindow:
    """A window, once all that its manifest states was checked."""
    folder = collection.folder / name
    manifest = manifests.parse(raw, str(folder))
    flaws = list(contradictions(manifest, manifest.put_aside))
    if not flaws and (label := other_name(name, manifest, is_reading=False)):
        flaws.append(f"it is that of {label}")
    if not flaws and wanted.resource and manifest.resource != wanted.resource:
        flaws.append(f"it is of {manifest.resource!r}")
    if flaws:
        raise NexusStorageError(
            f"{folder / NAME} was edited or moved, {flaws[0]}: take it back from a backup, or sync the window again"
        )
    if wanted.strict and manifest.proof.verdict == Verdict.UNPROVED:
        raise NexusUnprovedError(
            f"{folder} was never proved complete: sync the window again, or allow what is unproved", tuple(manifest.proof.reasons)
        )
    refuse_damaged(folder, manifest)
    return ListedWindow(folder, manifest)


def _around(collection: ResourceFolder, names: list[str], span: RequestedWindow) -> Iterator[str]:
    """The gaps between windows, and at the ends of a span, one line each; windows that overlap are refused."""
    windows = [(collection.windows[name], name) for name in names if name in collection.windows]
    for (before, first), (after, second) in pairwise(windows):
        if after.start < before.end:
            raise NexusConfigurationError(
                f"{collection.folder} has {first} and {second}, which overlap, so a load would take records twice: name a span "
                "that has one of them, or move one away"
            )
    if not collection.windows:
        return
    until = span.start
    for each in joined(window for window, _ in windows):
        if until and until < each.start:
            yield f"no window from {to_wire(until)} to {to_wire(each.start)}"
        until = each.end
    if until and span.end and until < span.end:
        yield f"no window from {to_wire(until)} to {to_wire(span.end)}"
