"""The chain of manifests: each names the digest of the window before, and of the manifest that it replaced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_provider_nexus.report.collection import Chain, Collection, Entry
from airflow_provider_nexus.report.values import mapping, text


def follow(entries: Sequence[Entry]) -> Chain:
    """Follow all digests of a resource."""
    by_label = {entry.label: entry for entry in entries}
    chain = Chain(0, 0, [])
    for entry in entries:
        chain.broken += [(entry.label, flaw) for flaw in entry.flaws]
        _follow_previous(entry, by_label, chain)
        _follow_replaced(entry, chain)
    return chain


def _follow_previous(entry: Entry, by_label: dict[str, Entry], chain: Chain) -> None:
    link = mapping(entry.facts.get("previous"))
    if not link:
        return
    label, digest = text(link.get("window")), text(link.get("sha256"))
    before = by_label.get(label)
    chain.links += 1
    if before is None:
        chain.broken.append((entry.label, f"the window before, {label}, has no manifest any more"))
    elif digest in before.replaced:
        chain.superseded += 1
    elif digest != before.sha256:
        chain.broken.append((entry.label, f"the manifest of {label} is not the one that was published: no kept one is {digest}"))


def _follow_replaced(entry: Entry, chain: Chain) -> None:
    digest, seen = text(entry.facts.get("replaces")), set[str]()
    while digest and digest not in seen:
        seen.add(digest)
        chain.links += 1
        if digest not in entry.replaced:
            chain.broken.append((entry.label, f"the manifest that was replaced is not kept: {digest}"))
            return
        chain.superseded += 1
        digest = entry.replaced[digest]


def gaps(collection: Collection) -> list[tuple[datetime, datetime]]:
    """The spans between the first and the last window that no window covers."""
    found, reached = list[tuple[datetime, datetime]](), None
    for entry in collection.entries:
        if entry.end is None:
            continue
        if reached and entry.start > reached:
            found.append((reached, entry.start))
        reached = max(reached or entry.end, entry.end)
    return found
