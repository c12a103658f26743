"""Puts the parts of a proved reading where readers find them, the manifest last.

Paths are made of environment, resource and window alone, so a rerun writes the same ones. A rerun that brings the same
records changes nothing, the manifest included, once the stored files were found to be those of the manifest. One that brings
others, or finds the files damaged, withdraws the manifest first: between two states there is no manifest, never a wrong one. A
manifest that is replaced is stored under ``_superseded/``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusUnprovedError
from airflow_provider_nexus.extract.jsonl import Part
from airflow_provider_nexus.extract.proof import Verdict
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.claims import amounts_of, contradictions, damage, unnamed
from airflow_provider_nexus.load.collection import refuse_another, refuse_other_format, windows_of
from airflow_provider_nexus.load.copy import Reject
from airflow_provider_nexus.load.manifest import NAME, READINGS, REJECTED, SUPERSEDED, File, Manifest, Previous

_LEFT = re.compile(rf"\.part-\d{{5}}\..+|{store.TEMPORARY.format(re.escape(NAME))}")
"""What a process that died while it wrote left of a part or of a manifest."""


class Published(NamedTuple):
    """What became of a window.

    :param changed: whether anything was written
    :param raw: the manifest as it is stored
    :param damage: what was wrong with the files that were replaced, the manifest included, by name; looked at only where the
        data is the same
    """

    changed: bool
    raw: bytes
    damage: Mapping[str, str] = {}


def publish(
    folder: Any,
    parts: list[Part],
    manifest: Manifest,
    put_aside: Sequence[Reject] = (),
    *,
    keep_rejected: bool = False,
    found: Mapping[str, str] | None = None,
) -> Published:
    """Publish a window.

    :param folder: of the window
    :param manifest: its manifest, without the members of the files
    :param put_aside: records that are not in the parts
    :param keep_rejected: whether those that were put aside before stay as they are
    :param found: what is wrong with the files that lie there, by name; ``None`` when that is not known
    :raises NexusConfigurationError: when what lies there is of another server, or in another format
    :raises NexusDataError: when its manifest can't be read
    :raises NexusUnprovedError: when what lies there is proved, and what is to replace it is not
    :raises NexusStorageError: when the files are not there afterwards, as when another run writes the same window at once
    """
    is_reading = folder.parent.name == READINGS
    collection = folder.parent.parent if is_reading else folder.parent
    refuse_another(collection, manifest.base_url, first=f"{READINGS}/{folder.name}" if is_reading else folder.name)
    aside = rejects.dump(put_aside)
    files = [File(name=each.name, bytes=each.size, records=each.records, sha256=each.sha256) for each in parts]
    manifest = replace(manifest, files=files)
    if not keep_rejected:
        manifest = replace(manifest, rejected=rejects.described(aside, len(put_aside)))
    former, wrong = store.read(folder / NAME), dict(found or {})
    if former is not None:
        published = manifests.parse(former, str(folder))
        refuse_other_format(folder, published, manifest.format)
        refuse_unproved(folder, published.proof.verdict, manifest.proof.verdict, manifest.proof.reasons)
        if _is_same(published, manifest):
            wrong = damage(folder, published) if found is None else wrong
            wrong |= _misstated(published, manifest, has_all=not is_reading) or _orphaned(collection, published)
            if not wrong:
                _clear_unpublished(folder, published)
                return Published(changed=False, raw=former)
        manifest = replace(manifest, replaces=manifests.digest_of(former))
    _withdraw(folder, former, manifest)
    raw = _put(folder, parts, aside, manifest)
    _clear_unpublished(folder, manifest)
    return Published(changed=True, raw=raw, damage=wrong)


def _put(folder: Any, parts: list[Part], aside: bytes, manifest: Manifest) -> bytes:
    """Put all files in place, the manifest last, which is given back as it is stored.

    :param aside: the file of the records that were put aside; empty for none
    :raises NexusStorageError: when the other files are not there then
    """
    for part in parts:
        part.spool.seek(0)
        store.put(folder / part.name, part.spool)
    if aside:
        store.put(folder / REJECTED, io.BytesIO(aside))
    for each in (*manifest.files, *manifest.rejected):
        if store.size(folder / each.name) != each.bytes:
            raise store.another_run(f"{each.name} is not in {folder} as it was written")
    store.put(folder / NAME, io.BytesIO(raw := manifests.to_json(manifest)))
    return raw


def refuse_unproved(where: object, former: str, verdict: str, reasons: Sequence[str]) -> None:
    """Refuse to replace what is proved by what is not, for some reasons.

    :raises NexusUnprovedError: when the verdicts say so
    """
    if verdict == Verdict.UNPROVED != former:
        text = f"{where} is proved, and what was read this time is not: it stays as it is. Run it again"
        raise NexusUnprovedError(text, tuple(reasons))


def _withdraw(folder: Any, former: bytes | None, manifest: Manifest) -> None:
    """Take away the manifest that is replaced, then the files that its successor does not name."""
    if former is not None:
        store.put(folder / SUPERSEDED / f"{manifest.replaces}.json", io.BytesIO(former))
    store.remove(folder / NAME)
    _remove_unnamed(folder, manifest)


def _remove_unnamed(folder: Any, manifest: Manifest | None) -> None:
    for name in (*filter(_LEFT.fullmatch, store.names(folder)), *unnamed(folder, manifest)):
        store.remove(folder / name)
    if manifest is None or not manifest.rejected:
        store.remove_folder(folder / rejects.FOLDER)


def _clear_unpublished(folder: Any, manifest: Manifest) -> None:
    """Remove the files of tries that were cut off before their manifest, of windows within this one, which is proved.

    The end of a window that is open moves from one try to the next, and who reads all files would find their records twice.
    """
    span = manifest.span
    if folder.parent.name == READINGS or span is None or manifest.proof.verdict == Verdict.UNPROVED:
        return
    for name, window in windows_of(folder.parent).items():
        is_within = name != folder.name and span.start <= window.start and window.end <= span.end
        if is_within and store.size(folder.parent / name / NAME) is None:
            _remove_unnamed(folder.parent / name, None)


def _is_same(published: Manifest, manifest: Manifest) -> bool:
    """Whether both are of the same data; who wrote it and when may differ."""
    names = ["manifest_version", "format", "rejected", "content" if manifest.content else "files"]
    if manifest.feed == "reread":
        names.append("read_at")  # that it was read again and is still the same is news
    same = all(getattr(published, name) == getattr(manifest, name) for name in names)
    return same and published.proof.verdict == manifest.proof.verdict


def _orphaned(collection: Any, published: Manifest) -> dict[str, str]:
    """Whether a manifest was written after one of the window before that is nowhere any more, and another one is in its place.

    Without any in its place the window is lost, and this manifest is the only sign of it.
    """
    previous = published.previous
    if not isinstance(previous, Previous):
        return {}
    before = collection / previous.window
    raw = store.read(before / NAME)
    is_known = raw is None or manifests.digest_of(raw) == previous.sha256
    if is_known or store.size(before / SUPERSEDED / f"{previous.sha256}.json") is not None:
        return {}
    return {NAME: f"was written after a manifest of {previous.window} that is not there any more"}


def _misstated(published: Manifest, manifest: Manifest, *, has_all: bool) -> dict[str, str]:
    """What a manifest states that can't be true, or otherwise than another one of the same data, by its name."""
    names = ["resource", "span", "records", "key_digest", "protected", *(() if manifest.content else ("first", "last"))]
    differing = [name for name in names if getattr(published, name) != getattr(manifest, name)]
    differing += [] if amounts_of(published.sums) == amounts_of(manifest.sums) else ["sums"]
    differing += [] if published.day_totals.same_as(manifest.day_totals) else ["days"]
    differing += [] if published.group_totals.same_as(manifest.group_totals) else ["totals"]
    if differing:
        return {NAME: f"states something else than the records in {', '.join(differing)}"}
    flaw = next(contradictions(published, published.put_aside, has_all=has_all), "")
    return {NAME: flaw} if flaw else {}
