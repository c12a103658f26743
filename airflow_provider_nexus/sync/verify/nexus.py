"""Files against what Nexus says now: totals where it has them, else the count of each window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.client import NexusClient
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError, NexusUnknownResourceError
from airflow_provider_nexus.sync import manifest as manifests
from airflow_provider_nexus.sync.claims import contradictions, put_aside, window_of
from airflow_provider_nexus.sync.manifest import windows_of
from airflow_provider_nexus.sync.progress import Follow, Steps, unheard
from airflow_provider_nexus.sync.server import is_same
from airflow_provider_nexus.sync.verify.asked import Asked, Stored
from airflow_provider_nexus.sync.verify.held import Held, Kept
from airflow_provider_nexus.sync.verify.report import Findings, Report
from airflow_provider_nexus.sync.verify.tree import Collection, collections


def files_against_nexus(root: Any, client: NexusClient, follow: Follow = unheard) -> Report:
    """Compare the windows below a root with Nexus; what was read whole, without a window, can't be compared.

    :param root: as for :func:`~airflow_provider_nexus.sync.verify.files.verify`
    :param follow: told how many windows were compared
    :raises NexusConfigurationError: when none of it was read where the client calls
    :raises NexusApiError: one class per cause
    """
    findings, before = Findings(), client.session.calls
    found = collections(root)
    steps = Steps(sum(len(each.windows) for each in found), follow)
    compared = [_Comparing(collection, client, findings, steps).run() for collection in found]
    if not any(compared):
        where = client.session.environment.base_url
        raise NexusConfigurationError(f"nothing in {root} was read from {where}: give the connection that it was read with")
    findings.calls = client.session.calls - before
    return findings.report()


@dataclass
class _Comparing:
    """The windows of one resource.

    :param findings: told of what differs
    :param steps: told of each window
    """

    collection: Collection
    client: NexusClient
    findings: Findings
    steps: Steps

    def run(self) -> bool:
        """Compare.

        :return: whether anything was read from where the client calls, or may have been: the check of the files tells of the rest
        """
        kept = list(self._kept())
        where = self.client.session.environment.base_url
        here = [each for each in kept if is_same(each.manifest["base_url"], where)]
        if len(here) < len(kept):
            self.findings.note(self.collection.folder, f"{len(kept) - len(here)} windows were read elsewhere, so not compared")
        if self.collection.snapshots:
            text = f"{len(self.collection.snapshots)} snapshots are not compared: Nexus says only how it stands now"
            self.findings.note(self.collection.folder, text)
        resource = self._resource(here)
        if resource is not None:
            self._compare(resource, here)
        return bool(here or self.collection.snapshots) or len(kept) < len(self.collection.windows)

    def _kept(self) -> Iterator[Kept]:
        """The windows; those whose manifest can't be read or be true are told of by the check of the files."""
        for name, window in windows_of(self.collection.folder):
            if name not in self.collection.windows:
                continue
            try:
                manifest = manifests.load(self.collection.folder / name)
                is_sound = manifest is not None and not list(contradictions(manifest, put_aside(manifest)))
            except (NexusDataError, LookupError, TypeError, ValueError, AttributeError):
                continue
            if manifest is not None and is_sound and window_of(manifest) == window:
                yield Kept(self.collection.folder / name, window, manifest)

    @staticmethod
    def _resource(kept: list[Kept]) -> Resource | None:
        try:
            return get_resource(kept[0].manifest["resource"]) if kept else None
        except NexusUnknownResourceError:
            return None

    def _compare(self, resource: Resource, kept: list[Kept]) -> None:
        asked = Asked(self.client, resource, self.findings)
        whole = [each for each in kept if not each.rejected]
        for run in runs(whole) if resource.totals_path else ():
            held = Held(run, resource, self.client)
            if not asked.totals(held, run[0].window.start, run[-1].window.end, [_stored(each) for each in run]):
                whole = []
                break
            self.steps.add(len(run))
            for flaw in held.flaws:
                self.findings.note(flaw, "holds records that can't be counted as typed rows; their window may seem to differ")
        counted = [each for each in kept if each.rejected or not whole] if resource.totals_path else kept
        for each in counted:
            asked.count(_stored(each))
            self.steps.add()


def _stored(kept: Kept) -> Stored:
    proof = kept.manifest["proof"]
    return Stored(str(kept.folder), kept.window, kept.manifest["records"], kept.rejected, proof["outside"])


def runs(kept: Iterable[Kept]) -> list[list[Kept]]:
    """Windows that touch, together; one that meets another begins anew, as its records would count twice."""
    found: list[list[Kept]] = []
    for each in sorted(kept, key=lambda one: (one.window.start, one.window.end)):
        if found and found[-1][-1].window.end == each.window.start:
            found[-1].append(each)
        else:
            found.append([each])
    return found
