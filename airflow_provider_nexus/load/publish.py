"""Puts the parts of a proved reading where readers find them, the manifest last.

Paths are made of environment, resource and window alone, so a rerun writes the same ones. A rerun that brings the same
records changes nothing, the manifest included. One that brings others withdraws the manifest first: between two states
there is no manifest, never a wrong one. A manifest that is replaced is stored under ``_superseded/``.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.jsonl import Part
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.collection import refuse_another, refuse_other_format
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.manifest import NAME, READINGS, REJECTED, SUPERSEDED, File, Manifest, RejectsFile

_PART = re.compile(rf"\.?part-\d{{5}}\..+|{store.TEMPORARY.format(re.escape(NAME))}")
"""Parts, and what a process that died while it wrote left of a part or of a manifest."""


def publish(
    folder: Any,
    parts: list[Part],
    manifest: Manifest,
    put_aside: Sequence[Reject] = (),
    *,
    keep_rejected: bool = False,
) -> tuple[bool, bytes]:
    """Publish a window.

    :param folder: of the window
    :param manifest: its manifest, without the members of the files
    :param put_aside: records that are not in the parts
    :param keep_rejected: whether those that were put aside before stay as they are
    :return: whether anything changed, and the manifest as it is stored
    :raises NexusConfigurationError: when what lies there is of another server, or in another format
    :raises NexusStorageError: when the files are not there afterwards, as when another run writes the same window at once
    """
    collection = folder.parent.parent if folder.parent.name == READINGS else folder.parent
    first = f"{READINGS}/{folder.name}" if folder.parent.name == READINGS else folder.name
    refuse_another(collection, manifest.base_url, first=first)
    aside = rejects.dump(put_aside)
    files = [File(name=each.name, bytes=each.size, records=each.records, sha256=each.sha256) for each in parts]
    manifest = replace(manifest, files=files)
    if not keep_rejected:
        digest = hashlib.sha256(aside).hexdigest()
        file = RejectsFile(name=REJECTED, bytes=len(aside), records=len(put_aside), sha256=digest)
        manifest = replace(manifest, rejected=[file] if put_aside else [])
    former = store.read(folder / NAME)
    if former is not None:
        published = manifests.parse(former, str(folder))
        refuse_other_format(folder, published, manifest.format)
        if _is_same(published, manifest) and not _missing(folder, manifest):
            return False, former
        manifest = replace(manifest, replaces=manifests.digest_of(former))
    _withdraw(folder, former, manifest)
    for part in parts:
        part.spool.seek(0)
        store.put(folder / part.name, part.spool)
    if put_aside:
        store.put(folder / rejects.FOLDER / rejects.NAME, io.BytesIO(aside))
    missing = _missing(folder, manifest)
    if missing:
        text = f"{missing[0]} is not in {folder} as it was written"
        raise NexusStorageError(f"{text}: is another run writing the same window? Run it again")
    raw = manifests.to_json(manifest)
    store.put(folder / NAME, io.BytesIO(raw))
    return True, raw


def _withdraw(folder: Any, former: bytes | None, manifest: Manifest) -> None:
    """Take away the manifest that is replaced, then the files that its successor does not name."""
    if former is not None:
        store.put(folder / SUPERSEDED / f"{manifest.replaces}.json", io.BytesIO(former))
    store.remove(folder / NAME)
    wanted = {file.name for file in manifest.files}
    for name in store.names(folder):
        if _PART.fullmatch(name) and name not in wanted:
            store.remove(folder / name)
    if not manifest.rejected:
        for name in store.names(folder / rejects.FOLDER):
            store.remove(folder / rejects.FOLDER / name)
        store.remove_folder(folder / rejects.FOLDER)


def _is_same(published: Manifest, manifest: Manifest) -> bool:
    """Whether both are of the same data; who wrote it and when may differ."""
    names = ["manifest_version", "format", "rejected", "content" if manifest.content else "files"]
    if manifest.feed == "reread":
        names.append("read_at")  # that it was read again and is still the same is news
    same = all(getattr(published, name) == getattr(manifest, name) for name in names)
    return same and published.proof.verdict == manifest.proof.verdict


def _missing(folder: Any, manifest: Manifest) -> list[str]:
    files = [*manifest.files, *manifest.rejected]
    return [file.name for file in files if store.size(folder / file.name) != file.bytes]
