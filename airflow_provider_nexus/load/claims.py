"""What a manifest says of its reading, held against itself: counts, verdict, window, server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from airflow_provider_nexus.api.environments import resolve
from airflow_provider_nexus.api.moments import moment
from airflow_provider_nexus.api.timestamps import to_wire
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusWindowError
from airflow_provider_nexus.extract.origin import Feed, label_of
from airflow_provider_nexus.extract.proof import Verdict, judge
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.manifest import VERSION

_STRATEGIES = ("seek", "bisect", "guarded", "whole answer", "lookup")
_TOTALS = ("none", "not offered", "matched", "differ")
_NUMBERED, _OF_PARENTS = re.compile(r"-\d+"), re.compile(r"-of-[0-9a-f]{12}")
_LOOSE = ("finished", "open")
"""Feeds that leave out what the copy does not go back to."""


def window_of(manifest: Mapping[str, Any]) -> Window | None:
    """The window that a manifest names; ``None`` when it has none, or none that can be."""
    told = manifest.get("window")
    if not isinstance(told, Mapping):
        return None
    try:
        window = Window(moment(told["start"], "start"), moment(told["end"], "end"))
    except (LookupError, NexusWindowError):
        return None
    return window if (to_wire(window.start), to_wire(window.end)) == (told["start"], told["end"]) else None


def put_aside(manifest: Mapping[str, Any]) -> int:
    """How many records a folder's manifest says were put aside."""
    return sum(int(file["records"]) for file in manifest["rejected"])


def contradictions(manifest: Mapping[str, Any], rejected: int, *, keeps_all: bool = True) -> Iterator[str]:
    """What can't all be true, one line each.

    What has no second witness in the manifest is not looked at: the server's clock, pages, calls and seconds.

    :param rejected: records that were put aside
    :param keeps_all: whether ``records`` are all that are stored of the reading; a reading of a copy may leave some out
    :raises LookupError: when a member is missing
    :raises TypeError: when one is of another kind
    """
    if manifest["manifest_version"] != VERSION:
        yield f"it is of version {manifest['manifest_version']!r}, and this provider writes and reads version {VERSION}"
    yield from _of_the_window(manifest)
    yield from _of_the_server(manifest)
    flaws = list(_of_the_proof(manifest["proof"]))
    yield from flaws or _of_the_count(manifest, rejected, exact=keeps_all and manifest["feed"] not in _LOOSE)


def _of_the_window(manifest: Mapping[str, Any]) -> Iterator[str]:
    feed, told, window = manifest["feed"], manifest.get("window"), window_of(manifest)
    if feed not in get_args(Feed):
        yield f"its feed is {feed!r}, which is none"
        return
    is_needed = feed not in ("open", "whole")
    if told is not None and not window:
        yield f"its window is {told!r}, which is none"
    elif is_needed and not window:
        yield f"it names no window, and its feed is {feed!r}, which has one"
    elif window and not is_needed:
        yield f"it names a window, and its feed is {feed!r}, which has none"
    by = f"{feed} {window.label}" if window else feed
    if (window is not None) is is_needed and manifest["read_by"] != by:
        yield f"it was read by {manifest['read_by']!r}, and its feed and window make that {by!r}"


def _of_the_server(manifest: Mapping[str, Any]) -> Iterator[str]:
    try:
        name = resolve(host=str(manifest["base_url"])).name
    except NexusConfigurationError:
        yield f"its base_url is {manifest['base_url']!r}, and no sync reads there"
        return
    if manifest["environment"] != name:
        yield f"its environment is {manifest['environment']!r}, and its base_url is that of {name!r}"


def _of_the_proof(proof: Mapping[str, Any]) -> Iterator[str]:
    verdict, unique, totals = proof["verdict"], proof["unique"], proof["totals"]
    for name, known in (("verdict", [str(each) for each in Verdict]), ("strategy", _STRATEGIES), ("totals", _TOTALS)):
        if proof[name] not in known:
            yield f"its proof's {name} is {proof[name]!r}, which is none: there are {', '.join(known)}"
    counts = {name: proof[name] for name in ("unique", "outside", "readings", "agreeing")}
    counts |= {name: proof[name] for name in ("total_first", "total_last") if proof[name] is not None}
    wrong = [name for name, count in counts.items() if type(count) is not int or count < 0]
    if wrong:
        yield f"its proof's {wrong[0]} is {counts[wrong[0]]!r}, which is no count"
        return
    if not 1 <= proof["agreeing"] <= proof["readings"]:
        yield f"its proof says that {proof['agreeing']} of {proof['readings']} readings agreed"
    if verdict in (Verdict.PROVED, Verdict.PROVED_SHRUNK):
        judged = judge(unique, proof["total_first"], proof["total_last"])
        # Of children some may be proved and some have shrunk.
        if judged not in (verdict, Verdict.PROVED):
            said = f"{proof['total_first']} at first and {proof['total_last']} at the end"
            yield f"its verdict is {str(verdict)!r}, and {unique} unique records with totals of {said} make that {str(judged)!r}"
        if totals == "differ":
            yield f"its verdict is {str(verdict)!r}, and its proof says that the totals differ"


def _of_the_count(manifest: Mapping[str, Any], rejected: int, *, exact: bool) -> Iterator[str]:
    """What was read is stored or put aside, unless it lay around the edges; what later readings changed is no part of that."""
    proof, patches = manifest["proof"], manifest.get("patches", ())
    if proof["verdict"] == Verdict.UNPROVED:
        return
    read, brought = proof["unique"] - proof["outside"], sum(patch["inserted"] for patch in patches)
    kept = manifest["records"] + rejected - brought + sum(patch["deleted"] for patch in patches)
    # A record that did not fit may be held as it was read before, or have been brought by a later reading.
    if kept > read + rejected or (exact and kept < read - brought):
        what = f"{proof['unique']} records, {proof['outside']} of them around the edges"
        yield f"its proof is of {what}, and it has {kept} of them, {rejected} put aside: one of these numbers is wrong"


def other_name(name: str, manifest: Mapping[str, Any], *, is_reading: bool) -> str:
    """The name that the folder of a manifest should have, if it has another one; else nothing.

    :param is_reading: whether it lies among the readings of a copy, where one that was done again is numbered
    """
    window, feed = window_of(manifest), manifest["feed"]
    label = window.label if window and not is_reading else label_of(feed, window, moment(manifest["read_at"], "read_at"))
    rest = name.removeprefix(label)
    marks = _NUMBERED if is_reading else _OF_PARENTS if feed == "whole" else None
    is_marked = marks is not None and name != rest and marks.fullmatch(rest) is not None
    return "" if name == label or is_marked else label
