"""The manifest of a window: what was read, how it was proved, which files hold it. It is the commit point.

Readers list manifests, not files: a folder without a manifest is no window. Each manifest names the digest of the one of
the window before, so that a change to published history shows.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.sync import store
from airflow_provider_nexus.sync.proof import Proof

VERSION = 1
NAME = "manifest.json"
_WINDOW_FOLDER = re.compile(r"\d{8}T\d{6}Z-(?P<end>\d{8}T\d{6}Z)")


@dataclass(frozen=True)
class File:
    """One data file beside the manifest."""

    name: str
    bytes: int
    records: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a manifest says; the names are those of the JSON.

    :param window: start, end and how it was resolved; ``None`` for a snapshot
    :param server_date: the server's clock at the end of the reading
    :param request: path, api_version, the names of the date filter and page size asked with
    :param proof: how completeness was checked
    :param pages: answers read
    :param calls: calls made, retries included
    :param seconds: how long it took
    :param first: key and stamp of the first record
    :param last: key and stamp of the last record
    :param key_digest: digest of the set of keys, whatever their order
    :param sums: exact sums by field and currency, as digits
    :param schema: fingerprint of the fields seen, and those that the catalogue does not know
    :param previous: window and digest of the manifest before, if there is one
    :param run: the Airflow run that wrote it
    """

    environment: str
    base_url: str
    resource: str
    window: dict[str, str] | None
    server_date: str
    request: dict[str, Any]
    proof: Proof
    pages: int
    calls: int
    seconds: float
    records: int
    first: dict[str, str] | None
    last: dict[str, str] | None
    key_digest: str
    sums: dict[str, dict[str, str]]
    schema: dict[str, Any]
    files: list[File]
    previous: dict[str, str] | None
    provider_version: str
    airflow_version: str
    run: dict[str, Any] = field(default_factory=dict)
    manifest_version: int = VERSION

    def to_json(self) -> bytes:
        """The manifest as it is stored: sorted names, two blanks, a line break at the end."""
        return msgspec.json.format(msgspec.json.encode(asdict(self), order="sorted"), indent=2) + b"\n"


def load(folder: Any) -> dict[str, Any] | None:
    """The manifest in a folder; ``None`` when there is none.

    :raises NexusDataError: when it is no manifest
    """
    raw = store.read(folder / NAME)
    if raw is None:
        return None
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict) or "manifest_version" not in found:
        raise NexusDataError("manifest", str(folder), NAME, "what is stored there", "a manifest; move it away and sync again")
    return found


def previous_of(collection: Any, start: str) -> dict[str, str] | None:
    """The latest published window that ends at or before a start.

    :param collection: folder of the resource's windows
    :param start: compact stamp as in folder names
    :return: its folder and the SHA-256 of its manifest
    """
    ends = {name: match["end"] for name in store.names(collection) if (match := _WINDOW_FOLDER.fullmatch(name))}
    for name in sorted((n for n, end in ends.items() if end <= start), key=lambda n: (ends[n], n), reverse=True):
        raw = store.read(collection / name / NAME)
        if raw is not None:
            return {"window": name, "sha256": hashlib.sha256(raw).hexdigest()}
    return None
