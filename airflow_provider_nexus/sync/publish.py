"""Puts the parts of a proved reading where readers find them, the manifest last.

Paths are made of environment, resource and window alone, so a rerun writes the same ones. A rerun that brings the same
bytes changes nothing, the manifest included. One that brings others withdraws the manifest first: between two states
there is no manifest, never one that lies.
"""

from __future__ import annotations

import io
import re
from dataclasses import asdict
from typing import Any

from airflow_provider_nexus.exceptions import NexusError
from airflow_provider_nexus.sync import manifest as manifests
from airflow_provider_nexus.sync import store
from airflow_provider_nexus.sync.manifest import File, Manifest
from airflow_provider_nexus.sync.writers.jsonl import Part

_PART = re.compile(r"\.?part-\d{5}\..+")


def files_of(parts: list[Part]) -> list[File]:
    """The parts as a manifest names them."""
    return [File(part.name, part.size, part.records, part.sha256) for part in parts]


def publish(folder: Any, parts: list[Part], manifest: Manifest) -> bool:
    """Publish a window.

    :param folder: of the window
    :return: whether anything changed
    :raises NexusError: when the files are not there afterwards, as when another run writes the same window at once
    """
    published = manifests.load(folder)
    if published and _same(published, manifest) and _missing(folder, manifest.files) == []:
        return False
    store.remove(folder / manifests.NAME)
    wanted = {file.name for file in manifest.files}
    for name in store.names(folder):
        if _PART.fullmatch(name) and name not in wanted:
            store.remove(folder / name)
    for part in parts:
        part.spool.seek(0)
        store.put(folder / part.name, part.spool)
    _refuse_missing(folder, manifest)
    store.put(folder / manifests.NAME, io.BytesIO(manifest.to_json()))
    return True


def _same(published: dict[str, Any], manifest: Manifest) -> bool:
    """Whether what is published says the same of the data; who wrote it and when may differ."""
    files = [asdict(file) for file in manifest.files]
    same_proof = published.get("proof", {}).get("verdict") == manifest.proof.verdict
    return same_proof and published.get("files") == files and published.get("manifest_version") == manifest.manifest_version


def _missing(folder: Any, files: list[File]) -> list[str]:
    there = set(store.names(folder))
    return [file.name for file in files if file.name not in there or (folder / file.name).stat().st_size != file.bytes]


def _refuse_missing(folder: Any, manifest: Manifest) -> None:
    missing = _missing(folder, manifest.files)
    if missing:
        text = f"{missing[0]} is not in {folder} as it was written"
        raise NexusError(f"{text}: is another run writing the same window? Run it again")
