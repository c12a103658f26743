"""Finds the manifests under a folder. No data file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load import rejects
from airflow_provider_nexus.load.manifest import NAME, SUPERSEDED
from airflow_provider_nexus.load.server import READINGS
from airflow_provider_nexus.report.chain import follow
from airflow_provider_nexus.report.collection import Collection, Entry, Keeping
from airflow_provider_nexus.report.values import items, mapping, moment, text

UNSETTLED = "_unsettled.json"
_LABEL = re.compile(r"((?:19|20|21)\d{6}T\d{6}Z)(?:-((?:19|20|21)\d{6}T\d{6}Z)|-of-[0-9a-f]{12})?")
_DEEP = 4


FOLDERS = Keeping(
    holder="Folder",
    no_open=(
        "Not kept beside the data: either this sync does not follow records, or it remembers them in Airflow's asset state "
        "store, which this report does not read."
    ),
    made_from="Made from manifests alone. Whether the data files still are what the manifests say was not looked at:",
)


def collections(root: Any) -> list[Collection]:
    """The folders of resources at or below a folder, by path."""
    return list(_collections(root, "", _DEEP))


def _collections(folder: Any, path: str, deep: int) -> Iterator[Collection]:
    names = [name for name in store.names(folder) if not name.startswith((".", "_"))]
    if any(_LABEL.fullmatch(name) for name in names) or READINGS in names:
        yield _collection(folder, path, names)
    elif deep:
        for name in names:
            if (folder / name).is_dir():
                yield from _collections(folder / name, f"{path}/{name}".lstrip("/"), deep - 1)


def _collection(folder: Any, path: str, names: list[str]) -> Collection:
    found = [entry for name in names if (entry := _entry(folder / name, f"{path}/{name}".lstrip("/"), name))]
    found.sort(key=lambda each: (each.start, each.end or each.start, each.label))
    readings = [(name, _manifest(store.read(folder / READINGS / name / NAME))) for name in store.names(folder / READINGS)]
    entries = [each for each in found if each.sha256]
    return Collection(
        path,
        entries,
        [each.label for each in found if not each.sha256],
        sorted(((name, facts) for name, facts in readings if facts), key=lambda each: text(each[1].get("read_at"))),
        _unsettled(folder),
        follow(entries),
    )


def _entry(folder: Any, path: str, name: str) -> Entry | None:
    match = _LABEL.fullmatch(name)
    start, end = (moment(match[1]), moment(match[2])) if match else (None, None)
    if not start or (end and end <= start):
        return None
    entry = Entry(name, f"{path}/{NAME}", start, end)
    raw = store.read(folder / NAME)
    if raw is None:
        return entry
    entry.sha256, entry.facts = manifests.digest_of(raw), _manifest(raw)
    if not entry.facts:
        entry.flaws.append("its manifest can't be read")
    elif _says_another(entry):
        entry.flaws.append("its manifest tells of another window than its folder's name")
    if text(entry.facts.get("replaces")) or entry.patches:
        _read_replaced(entry, folder / SUPERSEDED)
    if entry.rejected:
        entry.put_aside = _put_aside(entry, folder / rejects.FOLDER)
    return entry


def _manifest(raw: bytes | None) -> dict[str, Any]:
    try:
        return manifests.parse(raw, "") if raw else {}
    except NexusDataError:
        return {}


def _says_another(entry: Entry) -> bool:
    window = mapping(entry.facts.get("window"))
    if entry.end is None:
        return False
    return (moment(window.get("start")), moment(window.get("end"))) != (entry.start, entry.end)


def _read_replaced(entry: Entry, folder: Any) -> None:
    for name in store.names(folder):
        raw = store.read(folder / name) or b""
        digest = manifests.digest_of(raw)
        if name != f"{digest}.json":
            entry.flaws.append(f"{SUPERSEDED}/{name} is not what its name says: its SHA-256 is {digest}")
        entry.replaced[digest] = text(_manifest(raw).get("replaces"))


def _put_aside(entry: Entry, folder: Any) -> dict[tuple[str, str], int]:
    named = {text(mapping(each).get("name")) for each in items(entry.facts.get("rejected"))}
    files = [name for name in store.names(folder) if f"{rejects.FOLDER}/{name}" in named]
    found: dict[tuple[str, str], int] = {}
    for line in (line for name in files for line in (store.read(folder / name) or b"").splitlines()):
        try:
            each = mapping(msgspec.json.decode(line))
        except (msgspec.DecodeError, RecursionError):
            continue
        where = text(each.get("field")), text(each.get("reason"))
        found[where] = found.get(where, 0) + 1
    return found


def _unsettled(folder: Any) -> dict[str, str] | None:
    raw = store.read(folder / UNSETTLED)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=dict[str, str])
    except msgspec.DecodeError:
        return None
