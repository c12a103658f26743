"""Whether a tree of files is what its manifests say, record by record and digit by digit."""

from __future__ import annotations

from typing import Any

from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.extract.progress import Follow, Steps, unheard
from airflow_provider_nexus.load.collection import Collection, collections
from airflow_provider_nexus.load.manifest import NAME, windows_of
from airflow_provider_nexus.load.parquet import readings
from airflow_provider_nexus.verify.chain import check_kept, check_previous, note_spans
from airflow_provider_nexus.verify.findings import Findings, Report
from airflow_provider_nexus.verify.folder import Folder


def verify(root: Any, follow: Follow = unheard) -> Report:
    """Check every folder below a root. Nexus is not asked.

    Files are read to their ends: size, SHA-256, records, the digest of their keys, exact sums, and in Parquet every row
    against its own digest. Manifests are checked against each other. What lies under ``_staging/`` is of no window yet.

    :param root: path of a sync, or the folder of an environment, a resource or one window; ``pathlib.Path`` or any other
        that behaves like it, as Airflow's ``ObjectStoragePath``
    :param follow: told how many folders were checked
    :raises NexusConfigurationError: when nothing is there to be checked, or pyarrow is needed and not installed
    """
    findings, found = Findings(), collections(root)
    steps = Steps(sum(each.size for each in found), follow)
    for collection in found:
        _check(collection, findings, steps)
    return findings.report()


def _one_server(collection: Collection, manifests: dict[str, dict[str, Any]], findings: Findings) -> None:
    """All windows of a resource are of one server."""
    told = {normal_form(str(each["base_url"])) for each in manifests.values() if each.get("base_url")}
    if len(told) > 1:
        text = f"holds windows of more than one server, {', '.join(sorted(told))}: sync each of them to a path of its own"
        findings.problem(collection.folder, text)


def _one_resource(collection: Collection, manifests: dict[str, dict[str, Any]], findings: Findings) -> None:
    """All of them are of one resource: that of the folder's name where it is one of a resource."""
    told = {name: str(each["resource"]) for name, each in manifests.items()}
    own = collection.folder.name if collection.folder.name in RESOURCES else ""
    for name, resource in told.items() if own else ():
        if resource != own:
            text = f"its resource is {resource!r}, and it lies among those of {own!r}: it was edited or moved here"
            findings.problem(collection.folder / name / NAME, f"{text}; take it back from a backup")
    if not own and len({*told.values()}) > 1:
        findings.problem(collection.folder, f"holds windows of {', '.join(sorted({*told.values()}))}: some were edited or moved")


def _check(collection: Collection, findings: Findings, steps: Steps) -> None:
    manifests = {}
    for folder in collection.folders:
        manifest = Folder(folder, findings).check()
        check_kept(folder, manifest, findings)
        if manifest is not None and folder.parent.name != readings.FOLDER:
            manifests[folder.name] = manifest
        steps.add()
    _one_server(collection, manifests, findings)
    _one_resource(collection, manifests, findings)
    for name in collection.windows:
        if name in manifests:
            check_previous(collection.folder, name, manifests[name], findings)
    if collection.is_whole:
        spans = [(window, name) for name, window in windows_of(collection.folder) if name in manifests]
        note_spans(collection.folder, spans, findings)
