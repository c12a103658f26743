"""Checks a manifest against itself: counts, verdict, window, server, and the name of its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from airflow_provider_nexus.api.environments import resolve
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.origin import Feed, label_of
from airflow_provider_nexus.extract.proof import Verdict, judge
from airflow_provider_nexus.load.manifest import VERSION, Manifest, NamedProof

_STRATEGIES = ("seek", "bisect", "guarded", "whole answer", "lookup")
_TOTALS = ("none", "not offered", "matched", "differ")
_NUMBERED, _OF_PARENTS = re.compile(r"-\d+"), re.compile(r"-of-[0-9a-f]{12}")
_LOOSE = ("finished", "open")
"""Feeds of which records are left out that are older than the copy."""


def contradictions(manifest: Manifest, rejected: int, *, has_all: bool = True) -> Iterator[str]:
    """What can't all be true, one line each.

    What has no second witness in the manifest is not looked at: the server's clock, pages, calls and seconds.

    :param rejected: records that were put aside
    :param has_all: whether ``records`` are all that are stored of the reading; a reading of a copy may leave some out
    """
    if manifest.manifest_version != VERSION:
        yield f"it is of version {manifest.manifest_version!r}, and this provider writes and reads version {VERSION}"
    yield from _of_the_window(manifest)
    yield from _of_the_server(manifest)
    flaws = list(_of_the_proof(manifest.proof))
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


def _of_the_proof(proof: NamedProof) -> Iterator[str]:
    for name, known in (("verdict", [str(each) for each in Verdict]), ("strategy", _STRATEGIES), ("totals", _TOTALS)):
        if getattr(proof, name) not in known:
            yield f"its proof's {name} is {getattr(proof, name)!r}, which is none: there are {', '.join(known)}"
    if not 1 <= proof.agreeing <= proof.readings:
        yield f"its proof says that {proof.agreeing} of {proof.readings} readings agreed"
    if proof.verdict in (Verdict.PROVED, Verdict.PROVED_SHRUNK):
        judged = judge(proof.unique, proof.total_first, proof.total_last)
        # Of children some may be proved and some have shrunk.
        if judged not in (proof.verdict, Verdict.PROVED):
            totals = f"totals of {proof.total_first} at first and {proof.total_last} at the end"
            yield f"its verdict is {proof.verdict!r}, and {proof.unique} unique records with {totals} make that {str(judged)!r}"
        if proof.totals == "differ":
            yield f"its verdict is {proof.verdict!r}, and its proof says that the totals differ"


def _of_the_count(manifest: Manifest, rejected: int, *, exact: bool) -> Iterator[str]:
    """What was read is stored or put aside, unless it lay around the edges; what later readings changed is no part of that."""
    proof, patches = manifest.proof, manifest.patches
    if proof.verdict == Verdict.UNPROVED:
        return
    read, inserted = proof.unique - proof.outside, sum(patch.inserted for patch in patches)
    stored = manifest.records + rejected - inserted + sum(patch.deleted for patch in patches)
    # A record that did not fit may be stored as it was read before, or have been inserted by a later reading.
    if stored > read + rejected or (exact and stored < read - inserted):
        what = f"{proof.unique} records, {proof.outside} of them around the edges"
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
