"""Check of files: whether a tree of folders is what its manifests say, record by record and digit by digit."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import accumulate
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.resources import RESOURCES, get_resource
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusDataError,
    NexusError,
    NexusStorageError,
    NexusUnknownResourceError,
    NexusWindowError,
)
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.claims import MISSING, contradictions, flaw_of, other_name, unnamed
from airflow_provider_nexus.load.collection import ResourceFolder, collections, content_of, windows_named
from airflow_provider_nexus.load.manifest import NAME, READINGS, SUPERSEDED, File, Manifest, Previous
from airflow_provider_nexus.load.parquet.index import flaws_of as index_flaws
from airflow_provider_nexus.verify.findings import Findings, Report
from airflow_provider_nexus.verify.readers import (
    FolderReader,
    PersonalData,
    folder_reader,
    impossible_request,
    impossible_treatments,
)

_DATA = re.compile(r".+\.(?:parquet|jsonl|jsonl\.gz)")
_EDITED = "the manifest was edited or moved; take it back from a backup, or sync this window again"
_AGAIN = "sync this window again, or take the file back from a backup"
_STORED_WITHIN = timedelta(hours=1)
"""Longer than it takes to store a window once it was read: whatever was read so long before another window was there then."""


def verify(root: Any, follow: Follow = unheard) -> Report:
    """Check every folder below a root. Nexus is not asked.

    Files are read to their ends: size, SHA-256, records, the digest of their keys, exact sums, and in Parquet every row
    against its own digest. Manifests are checked against each other. What lies under ``_staging/`` is of no window yet.

    :param root: path of a sync, or the folder of an environment, a resource or one window; ``pathlib.Path`` or any other
        that behaves like it, as Airflow's ``ObjectStoragePath``
    :param follow: called with the number of folders checked
    :raises NexusConfigurationError: when nothing is there to be checked, or pyarrow is needed and not installed
    """
    findings, found = Findings(), collections(root)
    steps = Steps(sum(len(each.folders) for each in found), follow)
    for collection in found:
        _check_collection(collection, findings, steps)
    return findings.report()


def _check_collection(collection: ResourceFolder, findings: Findings, steps: Steps) -> None:
    """Check each folder of a resource, then all of them against each other."""
    found, base_urls = {}, set() if collection.is_whole else {_sibling_server(collection)}
    for folder in collection.folders:
        manifest = FolderCheck(folder, findings).run()
        check_replaced(folder, manifest, findings)
        if manifest is not None:
            base_urls.add(manifest.base_url)
            if folder.parent.name != READINGS:
                found[folder.name] = manifest
        steps.add()
    servers = {normal_form(each) for each in base_urls if each}
    if len(servers) > 1:
        text = f"contains windows of more than one server, {', '.join(sorted(servers))}: sync each of them to a path of its own"
        findings.problem(collection.folder, text)
    own = collection.folder.name
    resources = {name: each.resource for name, each in found.items()}
    for name, resource in resources.items() if own in RESOURCES else ():
        if resource != own:
            text = f"its resource is {resource!r}, and it lies among those of {own!r}: it was edited or moved here"
            findings.problem(collection.folder / name / NAME, f"{text}; take it back from a backup")
    if own not in RESOURCES and len({*resources.values()}) > 1:
        text = f"contains windows of {', '.join(sorted({*resources.values()}))}: some were edited or moved"
        findings.problem(collection.folder, text)
    windows = {name: window for name, window in collection.windows.items() if name in found}
    for name in windows:
        check_previous(collection.folder, name, found[name], findings)
    check_order(collection.folder, windows, found, findings)
    if collection.is_whole:
        for path, flaw in index_flaws(collection.folder, found):
            findings.problem(path, f"{flaw}: remove the file, and the next run makes it anew")
        findings.note_gaps(collection.folder, windows.values())
        note_overlaps(collection.folder, windows, findings)


def _sibling_server(collection: ResourceFolder) -> str:
    """The server of another folder of the same resource; empty when there is none."""
    own = {folder.name for folder in collection.folders}
    for folder in content_of(collection.folder).folders:
        with suppress(NexusDataError, NexusStorageError):
            if folder.name not in own and (manifest := manifests.load(folder)):
                return manifest.base_url
    return ""


class FolderCheck:
    """Check of one folder against its manifest: the files that it names, the rows in them, and what they add up to."""

    def __init__(self, path: Any, findings: Findings) -> None:
        self._path, self._findings = path, findings
        self._is_reading = path.parent.name == READINGS

    def run(self) -> Manifest | None:
        """Look at everything in it.

        :return: its manifest; ``None`` when it has none that can be read
        :raises NexusConfigurationError: when pyarrow is needed and not installed
        """
        manifest = self._manifest()
        if manifest is not None:
            self._files(manifest)
        return manifest

    def _manifest(self) -> Manifest | None:
        """The manifest, once it was checked whether it can be true."""
        path, findings = self._path / NAME, self._findings
        try:
            raw = store.read(path)
            if raw is None:
                if store.names(self._path):
                    text = f"has no {NAME}: it was removed, or a run was cut off here; sync this window again"
                    findings.problem(self._path, text)
                return None
            findings.windows += 1
            manifest = manifests.parse(raw, str(self._path))
        except (NexusStorageError, NexusDataError) as error:
            findings.problem(path, str(error))
            return None
        flaws = list(contradictions(manifest, manifest.put_aside, has_all=not self._is_reading))
        if not flaws and (label := other_name(self._path.name, manifest, is_reading=self._is_reading)):
            flaws.append(f"it is that of {label}, and its folder is called {self._path.name!r}")
        for flaw in flaws:
            findings.problem(path, f"{flaw}: {_EDITED}")
        if manifest.proof.verdict == Verdict.UNPROVED:
            reasons = "; ".join(manifest.proof.reasons) or "no reason is given"
            findings.unproved += 1
            findings.note(self._path, f"warning: its reading was never proved complete ({reasons})")
        return manifest

    def _files(self, manifest: Manifest) -> None:
        """Check the files and the rows in them."""
        self._unnamed_files(manifest)
        whole = [file for file in manifest.files if self._is_there(file)]
        for rejected in manifest.rejected:
            path = self._path / rejected.name
            try:
                count = len(rejects.load(store.read(path) or b"")) if self._is_there(rejected) else rejected.records
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._findings.problem(path, f"can't be read as rejected records: {_AGAIN}")
                continue
            if count != rejected.records:
                self._findings.problem(path, f"contains {number_of(count, 'record')} instead of {rejected.records}: {_AGAIN}")
        reader = self._reader(manifest)
        if reader is None:
            return
        for file in whole:
            self._rows(reader, file)
        self._findings.records += reader.records
        if len(whole) == len(manifest.files) and not self._is_reading:
            for line in reader.differences(manifest):
                self._findings.problem(self._path / NAME, f"{line}: it, or the data, was edited; sync this window again")

    def _unnamed_files(self, manifest: Manifest) -> None:
        of_syncs = unnamed(self._path, manifest)
        for name in of_syncs:
            self._findings.problem(self._path / name, f"is not named by {NAME}: remove it, or sync this window again")
        known = {NAME, SUPERSEDED, rejects.FOLDER, *of_syncs, *(file.name for file in manifest.files)}
        for name in store.names(self._path):
            if name in known:
                continue
            if _DATA.fullmatch(name):
                self._findings.problem(self._path / name, f"is not named by {NAME}, and no sync gives such a name: remove it")
            else:
                self._findings.note(self._path / name, "is no file of a sync")

    def _is_there(self, file: File) -> bool:
        """Whether a file can be read; its size and digest are compared with the manifest."""
        path = self._path / file.name
        try:
            flaw = flaw_of(path, file)
            self._findings.bytes += store.size(path) or 0
        except NexusStorageError as error:
            self._findings.problem(path, str(error))
            return False
        if flaw:
            self._findings.problem(path, f"{flaw}: {_AGAIN}")
        return flaw != MISSING

    def _reader(self, manifest: Manifest) -> FolderReader | None:
        try:
            resource = get_resource(manifest.resource)
        except NexusUnknownResourceError as error:
            self._findings.problem(self._path / NAME, str(error))
            return None
        flaws = list(impossible_treatments(resource, manifest))
        for flaw in (*flaws, *impossible_request(resource, manifest)):
            self._findings.problem(self._path / NAME, f"{flaw}: {_EDITED}")
        # Other rows may be of another reading, which did something else with personal data.
        is_one_reading = manifest.format == "jsonl" or not (manifest.patches or manifest.rejected)
        personal = PersonalData(resource, manifest) if is_one_reading and not flaws else None
        window = manifest.span if resource.is_windowed and not self._is_reading else None
        try:
            return folder_reader(manifest.format, resource, window, personal)
        except NexusDataError as error:
            self._findings.problem(self._path / NAME, str(error))
            return None

    def _rows(self, reader: FolderReader, file: File) -> None:
        path, before = self._path / file.name, reader.records
        try:
            for line in reader.read(path):
                self._findings.problem(path, f"{line}: {_AGAIN}")
        except NexusConfigurationError:
            raise
        except NexusDataError as error:
            self._findings.problem(path, f"contains a record that can't be read, field {error.field!r}: {_AGAIN}")
        except NexusError as error:
            self._findings.problem(path, str(error))
        except (OSError, ValueError, RecursionError) as error:
            self._findings.problem(path, f"can't be read to its end ({type(error).__name__}): {_AGAIN}")
        count = reader.records - before
        if count != file.records:
            self._findings.problem(path, f"contains {number_of(count, 'record')} instead of {file.records}: {_AGAIN}")


_REPLACED = re.compile(r"([0-9a-f]{64})\.json")


def check_replaced(folder: Any, manifest: Manifest | None, findings: Findings) -> None:
    """Check the manifests that a folder, by its own one, has replaced: each is there, under its own digest."""
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
    """Check that the manifest of the window before is the one that that of the window of this name was written after."""
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
        hint = f", or sync the window {name} again to go on from what is there" if raw is not None else ""
        findings.problem(before / NAME, f"{state} that {name} was written after; it was edited, take it back from a backup{hint}")


def check_order(collection: Any, windows: Mapping[str, Window], found: Mapping[str, Manifest], findings: Findings) -> None:
    """Check that no window was stored already between a window and the one that its manifest names as the one before.

    Windows that were read at about the same time may have been stored in any order, as by mapped tasks.
    """
    ends = sorted((window.end, name) for name, window in windows.items())
    for name, window in windows.items():
        previous = found[name].previous
        named = windows_named([previous.window]) if isinstance(previous, Previous) else {}
        after = next(((each.end, label) for label, each in named.items()), None)
        for _, other in ends[bisect(ends, after) if after else 0 : bisect(ends, (window.start, "~"))]:
            try:
                was_read = moment(found[other].server_date, "server_date")
            except NexusWindowError:
                continue
            if was_read + _STORED_WITHIN < found[name].read_moment:
                text = f"names {next(iter(named), 'no window')} as the one before it, though {other} was stored already"
                findings.problem(collection / name / NAME, f"{text}; it was edited, take it back from a backup")
                break


def note_overlaps(collection: Any, windows: Mapping[str, Window], findings: Findings) -> None:
    """Note which of some windows, oldest first, overlap."""
    latest = accumulate((window.end for window in windows.values()), max)
    for until, before, (name, window) in zip(latest, windows, list(windows.items())[1:], strict=False):
        if window.start < until:
            findings.overlaps += 1
            findings.note(collection, f"an overlap: {name} begins before {before} ends, so some records lie in both")


def _read(path: Any, findings: Findings) -> bytes | None:
    try:
        return store.read(path)
    except NexusStorageError as error:
        findings.problem(path, str(error))
        return None
