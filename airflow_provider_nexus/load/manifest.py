"""The manifest of a reading: what was read, how it was proved, what holds it. It is the commit point.

Readers list manifests, not files: a folder without a manifest is no window. Each manifest names the digest of the one of
the window before, so that a change to published history shows. One that replaces another names that too, and the replaced
one is kept, so that it can be told what was known when.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_nexus import __version__
from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.extract.window import Window

if TYPE_CHECKING:
    from airflow_provider_nexus.extract.extracted import Extracted
from airflow_provider_nexus.extract.jsonl import PART

VERSION = 1
NAME = "_manifest.json"
SUPERSEDED = "_superseded"
REJECTED = "_rejected/records.jsonl"
"""Where a folder keeps the records that were put aside."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WINDOW_FOLDER = re.compile(r"(?P<start>\d{8}T\d{6}Z)-(?P<end>\d{8}T\d{6}Z)")


@dataclass(frozen=True)
class File:
    """One data file beside the manifest."""

    name: str
    bytes: int
    records: int
    sha256: str


def describe(extracted: Extracted, file_format: str, untyped: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The members of a manifest that tell of the reading; what stores it adds those of the files or the table.

    ``window`` is null for what has none; ``records`` are those stored, ``rejected`` those put aside; ``first`` and ``last``
    are key and stamp; ``key_digest`` is of the set of keys, whatever their order; ``sums`` are exact, by field and currency,
    as digits; ``schema`` is the fingerprint of the fields seen, and those that the catalogue does not know; ``untyped`` how many
    values of each field were of another kind than declared, and kept as they came.
    """
    tally, window = extracted.sink.tally, extracted.window
    return {
        **asdict(extracted.facts),
        "manifest_version": VERSION,
        "provider_version": __version__,
        "resource": extracted.resource.name,
        "feed": extracted.feed,
        "format": file_format,
        "read_at": to_wire(extracted.origin.read_at),
        "read_by": extracted.origin.read_by,
        "window": {"start": to_wire(window.start), "end": to_wire(window.end), "how": window.how} if window else None,
        "proof": asdict(extracted.proof),
        "records": tally.records,
        "rejected": [],
        "first": {"key": tally.first.key, "stamp": tally.first.stamp} if tally.first else None,
        "last": {"key": tally.last.key, "stamp": tally.last.stamp} if tally.last else None,
        "key_digest": tally.key_digest,
        "sums": tally.sums_by_field,
        "schema": extracted.sink.fields.summary(),
        **({"untyped": dict(untyped)} if untyped else {}),
    }


def to_json(manifest: dict[str, Any]) -> bytes:
    """A manifest as it is stored: sorted names, two blanks, a line break at the end."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def digest_of(raw: bytes) -> str:
    """SHA-256 of a manifest as it is stored."""
    return hashlib.sha256(raw).hexdigest()


def load(folder: Any) -> dict[str, Any] | None:
    """The manifest in a folder; ``None`` when there is none.

    :raises NexusDataError: when it is no manifest
    """
    raw = store.read(folder / NAME)
    return None if raw is None else parse(raw, str(folder))


def parse(raw: bytes, where: str) -> dict[str, Any]:
    """A manifest from its text.

    :raises NexusDataError: when it is none
    """
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):  # it may be nested deeper than any manifest
        found = None
    if not isinstance(found, dict) or "manifest_version" not in found:
        raise NexusDataError("manifest", where, NAME, "what is stored there", "a manifest; move it away and sync again")
    for member, value, expected in _leading_astray(found):
        raise NexusDataError("manifest", where, member, value, f"{expected}; move it away and sync again")
    return found


def _leading_astray(found: dict[str, Any]) -> Iterator[tuple[str, object, str]]:
    """The members that name what lies elsewhere: as a part of a path they would lead out of the folder."""
    previous = found.get("previous") or {}
    if isinstance(previous, dict) and previous:
        if not _is(_WINDOW_FOLDER, previous.get("window")):
            yield "previous", previous.get("window"), "the name of a window's folder"
        if not _is(_SHA256, previous.get("sha256")):
            yield "previous", previous.get("sha256"), "a SHA-256"
    elif previous and not _is(_SHA256, previous):  # a table's is the digest alone
        yield "previous", previous, "the window before"
    if found.get("replaces") and not _is(_SHA256, found["replaces"]):
        yield "replaces", found["replaces"], "a SHA-256"
    for member, pattern in (("files", PART), ("rejected", re.compile(re.escape(REJECTED)))):
        named = found.get(member)
        for file in named if isinstance(named, list) else ():
            name = file.get("name") if isinstance(file, dict) else file
            if not _is(pattern, name):
                yield member, name, "a name that a sync gives to a file"


def _is(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def windows_of(collection: Any) -> list[tuple[str, Window]]:
    """The folders of a resource that are named as windows are, oldest first, whether they hold a manifest or not."""
    found = [(name, match) for name in store.names(collection) if (match := _WINDOW_FOLDER.fullmatch(name))]
    return sorted(((name, Window(_moment(match["start"]), _moment(match["end"]))) for name, match in found), key=_by_time)


def previous_of(collection: Any, window: Window) -> dict[str, str] | None:
    """The latest published window that ends at or before the start of another.

    :param collection: folder of the resource's windows
    :return: its folder and the SHA-256 of its manifest
    """
    earlier = [(name, other) for name, other in windows_of(collection) if other.end <= window.start]
    for name, _ in sorted(earlier, key=lambda each: (each[1].end, each[0]), reverse=True):
        raw = store.read(collection / name / NAME)
        if raw is not None:
            return {"window": name, "sha256": digest_of(raw)}
    return None


def _by_time(each: tuple[str, Window]) -> tuple[datetime, datetime]:
    return each[1].start, each[1].end


def _moment(compact: str) -> datetime:
    return datetime.strptime(compact, "%Y%m%dT%H%M%S%z")
