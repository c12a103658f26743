"""One folder against its manifest: the files that it names, the rows in them, and what they add up to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusDataError,
    NexusError,
    NexusStorageError,
    NexusUnknownResourceError,
)
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.claims import contradictions, other_name, put_aside, window_of
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED
from airflow_provider_nexus.load.parquet import readings
from airflow_provider_nexus.verify.findings import Findings
from airflow_provider_nexus.verify.lines import LineRows
from airflow_provider_nexus.verify.rows import Rows
from airflow_provider_nexus.verify.treated import Treated, treatments

_READ = 1 << 20
_DATA = re.compile(r"part-\d{5}\..+|.+\.(?:parquet|jsonl|jsonl\.gz)")
_EDITED = "the manifest was edited or moved; take it back from a backup, or sync this window again"
_AGAIN = "sync this window again, or take the file back from a backup"


class Folder:
    """Checks one folder.

    :param path: of the folder
    :param findings: told of all that is found
    """

    def __init__(self, path: Any, findings: Findings) -> None:
        self._path, self._findings = path, findings

    def check(self) -> dict[str, Any] | None:
        """Look at everything in it.

        :return: its manifest; ``None`` when it has none that can be read
        :raises NexusConfigurationError: when pyarrow is needed and not installed
        """
        try:
            manifest = self._manifest()
            if manifest is not None:
                self._files(manifest)
        except NexusConfigurationError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            self._findings.problem(
                self._path / NAME, f"is no whole manifest ({type(error).__name__}): move it away and sync again"
            )
            return None
        return manifest

    def _manifest(self) -> dict[str, Any] | None:
        try:
            raw = store.read(self._path / NAME)
        except NexusStorageError as error:
            self._findings.problem(self._path / NAME, str(error))
            return None
        if raw is None:
            if store.names(self._path):
                self._findings.problem(
                    self._path, f"has no {NAME}: it was removed, or a run was cut off here; sync this window again"
                )
            return None
        self._findings.windows += 1
        try:
            manifest = manifests.parse(raw, str(self._path))
        except NexusDataError as error:
            self._findings.problem(self._path / NAME, str(error))
            return None
        self._claims(manifest)
        if manifest["proof"]["verdict"] == "unproved":
            reasons = "; ".join(manifest["proof"]["reasons"]) or "no reason is given"
            self._findings.note(self._path, f"warning: its reading was never proved complete ({reasons})")
        return manifest

    def _claims(self, manifest: dict[str, Any]) -> None:
        """What the manifest says of itself and of its folder."""
        is_reading = self._path.parent.name == readings.FOLDER
        flaws = list(contradictions(manifest, put_aside(manifest), keeps_all=not is_reading))
        if not flaws and (label := other_name(self._path.name, manifest, is_reading=is_reading)):
            flaws.append(f"it is that of {label}, and its folder is called {self._path.name!r}")
        for flaw in flaws:
            self._findings.problem(self._path / NAME, f"{flaw}: {_EDITED}")

    def _files(self, manifest: dict[str, Any]) -> None:
        self._strangers(manifest)
        whole = [file for file in manifest["files"] if self._is_whole(file)]
        for file in manifest["rejected"]:
            if self._is_whole(file):
                self._rejected(file)
        rows = self._rows(manifest)
        if rows is None:
            return
        for file in whole:
            self._read(rows, file)
        self._findings.records += rows.records
        if len(whole) == len(manifest["files"]) and self._path.parent.name != readings.FOLDER:
            for line in rows.differences(manifest):
                self._findings.problem(self._path / NAME, f"{line}: it, or the data, was edited; sync this window again")

    def _strangers(self, manifest: Mapping[str, Any]) -> None:
        known = {file["name"] for file in (*manifest["files"], *manifest["rejected"])}
        for name in store.names(self._path):
            if name in known or name in (NAME, SUPERSEDED, rejects.FOLDER):
                continue
            if _DATA.fullmatch(name):
                self._findings.problem(self._path / name, f"is not named by {NAME}: remove it, or sync this window again")
            else:
                self._findings.note(self._path / name, "is no file of a sync")
        for name in store.names(self._path / rejects.FOLDER):
            if f"{rejects.FOLDER}/{name}" not in known:
                self._findings.problem(self._path / rejects.FOLDER / name, f"is not named by {NAME}: remove it")

    def _is_whole(self, file: Mapping[str, Any]) -> bool:
        """Whether a file is there to be read; its size and digest are held against the manifest."""
        path = self._path / file["name"]
        try:
            return self._holds(path, file)
        except NexusStorageError as error:
            self._findings.problem(path, str(error))
            return False

    def _holds(self, path: Any, file: Mapping[str, Any]) -> bool:
        size = store.size(path)
        if size is None:
            self._findings.problem(path, f"is missing: {_AGAIN}")
            return False
        self._findings.bytes += size
        if size != file["bytes"]:
            self._findings.problem(path, f"has {size} bytes instead of {file['bytes']}: {_AGAIN}")
        elif _sha256(path) != file["sha256"]:
            self._findings.problem(path, f"was changed, its SHA-256 is not the one that {NAME} names: {_AGAIN}")
        return True

    def _rejected(self, file: Mapping[str, Any]) -> None:
        path = self._path / file["name"]
        try:
            found = len(rejects.load(store.read(path) or b""))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._findings.problem(path, f"can't be read as records that were put aside: {_AGAIN}")
            return
        if found != file["records"]:
            self._findings.problem(path, f"holds {found} records instead of {file['records']}: {_AGAIN}")

    def _rows(self, manifest: Mapping[str, Any]) -> Rows | None:
        try:
            resource = get_resource(manifest["resource"])
        except NexusUnknownResourceError as error:
            self._findings.problem(self._path / NAME, str(error))
            return None
        flaws = list(treatments(resource, manifest))
        for flaw in flaws:
            self._findings.problem(self._path / NAME, f"{flaw}: {_EDITED}")
        # Other rows may be of another reading, which did something else with personal data.
        is_one_reading = manifest["format"] == "jsonl" or not (manifest.get("patches") or manifest["rejected"])
        treated = Treated(resource, manifest) if is_one_reading and not flaws else None
        is_window = self._path.parent.name != readings.FOLDER and resource.is_windowed
        return rows_for(manifest["format"], resource, window_of(manifest) if is_window else None, treated)

    def _read(self, rows: Rows, file: Mapping[str, Any]) -> None:
        path, before = self._path / file["name"], rows.records
        try:
            for line in rows.read(path):
                self._findings.problem(path, f"{line}: {_AGAIN}")
        except NexusConfigurationError:
            raise
        except NexusDataError as error:
            self._findings.problem(path, f"holds a record that can't be read, field {error.field!r}: {_AGAIN}")
        except NexusError as error:
            self._findings.problem(path, str(error))
        except (OSError, ValueError, RecursionError) as error:
            self._findings.problem(path, f"can't be read to its end ({type(error).__name__}): {_AGAIN}")
        if rows.records - before != file["records"]:
            self._findings.problem(path, f"holds {rows.records - before} records instead of {file['records']}: {_AGAIN}")


def rows_for(file_format: str, resource: Resource, window: Window | None = None, treated: Treated | None = None) -> Rows:
    """What reads the rows of a folder and counts them.

    :param window: that all of them were created in, if there is one
    :param treated: looks at what was done with personal data

    :raises NexusDataError: when the format is none that this version knows
    """
    if file_format == "jsonl":
        return LineRows(resource, window, treated)
    if file_format == "parquet":
        from airflow_provider_nexus.verify.typed import TypedRows

        return TypedRows(resource, window, treated)
    raise NexusDataError("manifest", resource.name, "format", file_format, "jsonl or parquet")


def _sha256(path: Any) -> str:
    digest = hashlib.sha256()
    with store.opened(path) as source:
        while piece := source.read(_READ):
            digest.update(piece)
    return digest.hexdigest()
