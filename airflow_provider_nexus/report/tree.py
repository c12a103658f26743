"""Finds the manifests under a folder. No data file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.report.values import count, items, mapping, moment, text
from airflow_provider_nexus.sync import manifest as manifests
from airflow_provider_nexus.sync import rejects, store
from airflow_provider_nexus.sync.manifest import NAME, SUPERSEDED

READINGS = "readings"
UNSETTLED = "_unsettled.json"
_LABEL = re.compile(r"((?:19|20|21)\d{6}T\d{6}Z)(?:-((?:19|20|21)\d{6}T\d{6}Z))?")
_DEEP = 4
VERDICTS = ("proved", "proved_shrunk", "unproved")


@dataclass
class Entry:
    """One folder that is named as a window, or as the moment of a reading of what has no windows.

    :param label: name of the folder
    :param path: of its manifest, relative to the root of the report
    :param start: of the window, or the moment of the reading
    :param end: of the window; ``None`` for what has no windows
    :param facts: its manifest; empty when there is none or it can't be read
    :param sha256: digest of the manifest as it is stored; empty when there is none
    :param replaced: SHA-256 of each manifest kept under ``superseded/``, as computed, with the one that it replaced
    :param flaws: what is wrong with what is kept
    :param put_aside: records that don't fit by field and reason
    """

    label: str
    path: str
    start: datetime
    end: datetime | None
    facts: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    replaced: dict[str, str] = field(default_factory=dict)
    flaws: list[str] = field(default_factory=list)
    put_aside: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """As the manifest says; what is not known is not proved."""
        found = text(mapping(self.facts.get("proof")).get("verdict"))
        return found if found in VERDICTS else "unproved"

    @property
    def records(self) -> int:
        """Records stored."""
        return count(self.facts.get("records"))

    @property
    def rejected(self) -> int:
        """Records put aside."""
        return sum(count(mapping(each).get("records")) for each in items(self.facts.get("rejected")))

    @property
    def patches(self) -> list[Any]:
        """Later readings that changed it."""
        return items(self.facts.get("patches"))

    @property
    def was_read_again(self) -> bool:
        """Whether its rows are not as they were first read."""
        return bool(self.patches) or self.facts.get("feed") == "reread" or bool(text(self.facts.get("replaces")))


@dataclass
class Collection:
    """The folder of one resource.

    :param path: relative to the root of the report
    :param entries: with a manifest, oldest first
    :param empty: names of folders of windows that hold no manifest
    :param readings: manifests of readings that are no window, with their labels, oldest first
    :param unsettled: key -> creation stamp and status; ``None`` when it is not kept beside the data
    """

    path: str
    entries: list[Entry]
    empty: list[str]
    readings: list[tuple[str, dict[str, Any]]]
    unsettled: dict[str, str] | None

    def first(self, name: str) -> str:
        """A member of the latest manifest that has it."""
        found = (text(entry.facts.get(name)) for entry in reversed(self.entries))
        return next((each for each in found if each), "")

    @property
    def resource(self) -> str:
        """Its name."""
        return self.first("resource") or self.path.rpartition("/")[2] or "unnamed"

    @property
    def environment(self) -> str:
        """Its name."""
        return self.first("environment") or "unnamed"


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
    return Collection(
        path,
        [each for each in found if each.sha256],
        [each.label for each in found if not each.sha256],
        sorted(((name, facts) for name, facts in readings if facts), key=lambda each: text(each[1].get("read_at"))),
        _unsettled(folder),
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
        except msgspec.DecodeError:
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
