"""Checks a manifest: against itself, against the name of its folder, and against the files beside it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.environments import resolve
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.extract.fields import fingerprint_of
from airflow_provider_nexus.extract.origin import Feed, label_of
from airflow_provider_nexus.extract.proof import Verdict, judge
from airflow_provider_nexus.load.manifest import NAME, File, Manifest, NamedProof, load
from airflow_provider_nexus.load.rejects import FOLDER

_STRATEGIES = ("seek", "bisect", "guarded", "whole answer", "lookup")
_TOTALS = ("none", "not offered", "matched", "differ")
_NUMBERED, _OF_PARENTS = re.compile(r"-\d+"), re.compile(r"-of-[0-9a-f]{12}")
_LOOSE = ("finished", "open")
"""Feeds of which records are left out that are older than the copy."""
_PART = re.compile(r"part-\d{5}\..+")
MISSING = "is missing"


def contradictions(manifest: Manifest, rejected: int, *, has_all: bool = True) -> Iterator[str]:
    """What can't all be true, one line each.

    What has no second witness in the manifest is not looked at: the server's clock, pages, calls and seconds.

    :param rejected: records that were put aside
    :param has_all: whether ``records`` are all that are stored of the reading; a reading of a copy may leave some out
    """
    if manifest.schema.fingerprint != fingerprint_of(manifest.schema.fields):
        yield "its schema's fingerprint is not that of its fields"
    yield from _of_the_window(manifest)
    yield from _of_the_server(manifest)
    flaws = list(_of_the_proof(manifest.proof, is_of_one=manifest.feed != "whole"))
    yield from _of_the_days(manifest)
    yield from flaws or _of_the_count(manifest, rejected, exact=has_all and manifest.feed not in _LOOSE)


def _of_the_window(manifest: Manifest) -> Iterator[str]:
    feed, named, window = manifest.feed, manifest.window, manifest.span
    if feed not in get_args(Feed):
        yield f"its feed is {feed!r}, which is none"
        return
    is_needed = feed not in ("open", "whole")
    if named and not window:
        yield f"its window is from {named.start!r} to {named.end!r}, which is none"
    elif is_needed and not window:
        yield f"it names no window, and its feed is {feed!r}, which has one"
    elif window and not is_needed:
        yield f"it names a window, and its feed is {feed!r}, which has none"
    elif window and manifest.read_moment < window.end:
        yield f"it was read at {manifest.read_at}, before its window's end"
    by = f"{feed} {window.label}" if window else feed
    if (window is not None) is is_needed and manifest.read_by != by:
        yield f"it was read by {manifest.read_by!r}, and its feed and window make that {by!r}"


def _of_the_server(manifest: Manifest) -> Iterator[str]:
    try:
        name = resolve(host=manifest.base_url).name
    except NexusConfigurationError:
        yield f"its base_url is {manifest.base_url!r}, and no sync reads there"
        return
    if manifest.environment != name:
        yield f"its environment is {manifest.environment!r}, and its base_url is that of {name!r}"


def _of_the_proof(proof: NamedProof, *, is_of_one: bool) -> Iterator[str]:
    """What is wrong with a proof, be it of one collection or of the children of many parents."""
    for name, known in (("verdict", [str(each) for each in Verdict]), ("strategy", _STRATEGIES), ("totals", _TOTALS)):
        if getattr(proof, name) not in known:
            yield f"its proof's {name} is {getattr(proof, name)!r}, which is none: there are {', '.join(known)}"
    if not 1 <= proof.agreeing <= proof.readings:
        yield f"its proof says that {proof.agreeing} of {proof.readings} readings agreed"
    if proof.verdict in (Verdict.PROVED, Verdict.PROVED_SHRUNK):
        judged = judge(proof.unique, proof.total_first, proof.total_last)
        # Of children some may be proved and some have shrunk.
        if judged != proof.verdict and (is_of_one or judged != Verdict.PROVED):
            totals = f"totals of {proof.total_first} at first and {proof.total_last} at the end"
            yield f"its verdict is {proof.verdict!r}, and {proof.unique} unique records with {totals} make that {str(judged)!r}"
        if proof.totals == "differ":
            yield f"its verdict is {proof.verdict!r}, and its proof says that the totals differ"


def _of_the_days(manifest: Manifest) -> Iterator[str]:
    days = manifest.day_totals
    if sum(days.records.values()) != manifest.records or days.in_all() != amounts_of(manifest.sums):
        yield "its days don't add up to its records and sums"


def _of_the_count(manifest: Manifest, rejected: int, *, exact: bool) -> Iterator[str]:
    """What was read is stored or put aside, unless it lay around the edges; what later readings changed is no part of that."""
    proof, patches = manifest.proof, manifest.patches
    if proof.verdict == Verdict.UNPROVED:
        return
    read, inserted = proof.unique - proof.outside, sum(patch.inserted for patch in patches)
    stored = manifest.records + rejected - inserted + sum(patch.deleted for patch in patches)
    # A record that did not fit may be stored as it was read before, or have been inserted by a later reading.
    if stored > read + rejected or (exact and stored < read - inserted):
        what = f"{number_of(proof.unique, 'record')}, {proof.outside} of them around the edges"
        yield f"its proof is of {what}, and it has {stored} of them, {rejected} put aside: one of these numbers is wrong"


def other_name(name: str, manifest: Manifest, *, is_reading: bool) -> str:
    """The name that the folder of a manifest should have, if it has another one; else nothing.

    :param is_reading: whether it lies among the readings of a copy, where one that was done again is numbered
    """
    window, feed = manifest.span, manifest.feed
    label = window.label if window and not is_reading else label_of(feed, window, manifest.read_moment)
    rest = name.removeprefix(label)
    marks = _NUMBERED if is_reading else _OF_PARENTS if feed == "whole" else None
    is_marked = marks is not None and name != rest and marks.fullmatch(rest) is not None
    return "" if name == label or is_marked else label


def damage(folder: Any, manifest: Manifest) -> dict[str, str]:
    """What is wrong with the files beside a manifest, by name. Each is read to its end.

    :raises NexusStorageError: when one can't be read, or another run changes the folder
    """
    named = [*manifest.files, *manifest.rejected]
    flaws = {file.name: flaw_of(folder / file.name, file) for file in named}
    flaws |= dict.fromkeys(unnamed(folder, manifest), f"is not named by {NAME}")
    found = {name: flaw for name, flaw in flaws.items() if flaw}
    if found:
        refuse_changed(folder, manifest)
    return found


def flaw_of(path: Any, file: File) -> str:
    """What is wrong with a file: it is :data:`MISSING`, or has another size or digest than its manifest states; else nothing.

    :raises NexusStorageError: when it can't be read
    """
    size = store.size(path)
    if size is None:
        return MISSING
    if size != file.bytes:
        return f"has {number_of(size, 'byte')} instead of {file.bytes}"
    with store.storage_errors(path, "read"), store.opened(path) as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]
    return "" if digest == file.sha256 else f"was changed, its SHA-256 is not the one that {NAME} states"


def unnamed(folder: Any, manifest: Manifest | None) -> list[str]:
    """The files that a sync writes for readers, and that a manifest does not name; all of them where there is none."""
    found = [name for name in store.names(folder) if _PART.fullmatch(name)]
    found += [f"{FOLDER}/{name}" for name in store.names(folder / FOLDER)]
    named = {file.name for file in (*manifest.files, *manifest.rejected)} if manifest else set()
    return [name for name in found if name not in named]


def refuse_damaged(folder: Any, manifest: Manifest) -> None:
    """Refuse to go on from files that are not as their manifest states.

    :raises NexusStorageError: when so, and it names the window to be synced again; or when another run changes the folder
    """
    for file in (*manifest.files, *manifest.rejected):
        if flaw := flaw_of(folder / file.name, file):
            refuse_changed(folder, manifest)
            window = f" from {manifest.window.start} to {manifest.window.end}" if manifest.window else ""
            hint = f"sync the window{window} of {manifest.resource} again, or take the file back from a backup"
            raise NexusStorageError(f"{folder / file.name} {flaw}: {hint}")


def refuse_changed(folder: Any, manifest: Manifest) -> None:
    """Refuse what was read of a folder while another run changed it: that withdraws the manifest before anything else.

    :raises NexusStorageError: when there is another manifest now than before it was read, or none
    """
    if load(folder) != manifest:
        raise store.another_run(f"{folder} changed while it was read")


def amounts_of(sums: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, str], Decimal]:
    """Sums by field and currency, whose spelling does not matter; those of nothing are left out."""
    every = ((field, currency, digits) for field, of_field in sums.items() for currency, digits in of_field.items())
    return {(field, currency): number for field, currency, digits in every if (number := Decimal(digits))}
