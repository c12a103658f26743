"""Tries the records again that lie beside the files of a copy. Nexus is not asked."""

from __future__ import annotations

from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.collection import Collection, collections
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.parquet import readings
from airflow_provider_nexus.replay.lines import replay_lines
from airflow_provider_nexus.replay.outcome import Replayed
from airflow_provider_nexus.verify.findings import Findings
from airflow_provider_nexus.verify.folder import Folder


def replay(root: Any, follow: Follow = unheard) -> list[Replayed]:
    """Bring records that were put aside into their windows, as far as they fit by now.

    Each folder is changed whole or not at all, its former manifest is kept, and a second time changes nothing. What still
    does not fit stays, with the reason of now. A folder that is not what its manifest says is not touched.

    :param root: path of a sync, or any folder below it
    :param follow: told how many folders were looked at
    :return: one for each folder that has records put aside
    :raises NexusConfigurationError: when there is nothing, or pyarrow is needed and not installed
    :raises NexusStorageError: when a folder was tampered with, or its files can't be brought into the columns of this version
    """
    found, done = collections(root), list[Replayed]()
    steps = Steps(sum(each.size for each in found), follow)
    for collection in found:
        for folder in collection.folders:
            done += _replay(collection, folder)
            steps.add()
    return done


def _replay(collection: Collection, folder: Any) -> list[Replayed]:
    manifest = manifests.load(folder)
    if manifest is None or not manifest["rejected"]:
        return []
    _refuse_tampered(folder)
    put_aside = _put_aside(folder, manifest)
    resource = get_resource(manifest["resource"])
    if manifest["format"] == "jsonl":
        return [replay_lines(folder, manifest, resource, put_aside)]
    from airflow_provider_nexus.replay.typed import replay_reading, replay_typed

    if folder.parent.name == readings.FOLDER:
        return [replay_reading(collection.folder, folder, manifest, resource, put_aside)]
    return [replay_typed(collection.folder, folder, manifest, resource, put_aside)]


def _put_aside(folder: Any, manifest: dict[str, Any]) -> list[Reject]:
    return [reject for file in manifest["rejected"] for reject in rejects.load(store.read(folder / file["name"]) or b"")]


def _refuse_tampered(folder: Any) -> None:
    findings = Findings()
    Folder(folder, findings).check()
    if findings.problems:
        first = findings.problems[0]
        raise NexusStorageError(f"{first.where} {first.what}. Nothing is replayed into a window that is not whole")
