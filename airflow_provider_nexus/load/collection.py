"""What a sync has written below a folder: resources, windows, snapshots and readings, of which server and in what format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.environments import normal_form
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusDataError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load import manifest as manifests
from airflow_provider_nexus.load.manifest import NAME, READINGS, SUPERSEDED, WINDOW_FOLDER, Manifest, Previous, digest_of

_SNAPSHOT = re.compile(r"(\d{8}T\d{6}Z)(-of-[0-9a-f]{12})?")
TABLE_LOG = "_delta_log"
"""Folder by which the root of a Delta table is known."""
_LEVELS = 2
"""Folders between the path of a sync and that of a resource."""


@dataclass(frozen=True)
class ResourceFolder:
    """The folder of one resource, or a part of it.

    :param folder: of the resource
    :param path: of that folder, relative to the root that was searched
    :param windows: the folders of windows, oldest first, whether they contain a manifest or not
    :param snapshots: the folders of what was read whole, with the time of the reading, oldest first
    :param readings: names of the folders of other readings, below ``_readings/``
    :param strangers: names of folders that no sync gives, and that contain a manifest
    :param is_whole: whether these are all that there are
    """

    folder: Any
    path: str = ""
    windows: Mapping[str, Window] = field(default_factory=dict)
    snapshots: Mapping[str, datetime] = field(default_factory=dict)
    readings: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def folders(self) -> list[Any]:
        """All of them."""
        own = [self.folder / name for name in (*self.windows, *self.snapshots, *self.strangers)]
        return own + [self.folder / READINGS / name for name in self.readings]


def collections(root: Any) -> list[ResourceFolder]:
    """The resources below a folder.

    :param root: path of a sync, or the folder of an environment, a resource or one window
    :return: none where there are Delta tables alone
    :raises NexusConfigurationError: when there is nothing
    """
    name, parent = root.name, root.parent
    windows, snapshots = windows_named([name]), _snapshots([name])
    if store.names(root) and (windows or snapshots or store.size(root / NAME) is not None):
        # The root is itself one window, snapshot or reading.
        if parent.name == READINGS:
            return [ResourceFolder(parent.parent, readings=(name,), is_whole=False)]
        strangers = () if windows or snapshots else (name,)
        return [ResourceFolder(parent, "", windows, snapshots, strangers=strangers, is_whole=False)]
    found = list(below(root, _LEVELS))
    if not (found or tables_below(root)):
        raise NexusConfigurationError(f"there is no sync in {root}: give the path of a sync, or a folder below it")
    return found


def below(folder: Any, levels: int, path: str = "") -> Iterator[ResourceFolder]:
    """The folders of resources at or below a folder, by path.

    :param levels: how deep they may lie
    """
    found = content_of(folder, path)
    if found.folders:
        yield found
    elif levels:
        for inner, place in _folders_in(folder, store.names(folder), path):
            yield from below(inner, levels - 1, place)


def tables_below(folder: Any, levels: int = _LEVELS, path: str = "") -> list[tuple[str, Any]]:
    """The roots of Delta tables at or below a folder, each with its path relative to the first one.

    :param levels: how deep they may lie
    """
    names = store.names(folder)
    if TABLE_LOG in names:
        return [(path, folder)]
    if not levels or windows_named(names) or _snapshots(names):
        return []
    within = _folders_in(folder, names, path)
    return [found for inner, place in within for found in tables_below(inner, levels - 1, place)]


def _folders_in(folder: Any, names: Iterable[str], path: str) -> Iterator[tuple[Any, str]]:
    for name in names:
        if name[:1] not in "._" and (folder / name).is_dir():
            yield folder / name, f"{path}/{name}".lstrip("/")


def content_of(folder: Any, path: str = "") -> ResourceFolder:
    """What lies in a folder, as far as it could be the folder of a resource."""
    names = store.names(folder)
    windows, snapshots = windows_named(names), _snapshots(names)
    readings = store.names(folder / READINGS) if READINGS in names else []
    others = [name for name in names if name[:1] not in "._" and name not in windows and name not in snapshots]
    strangers = [name for name in others if store.size(folder / name / NAME) is not None]
    return ResourceFolder(folder, path, windows, snapshots, tuple(readings), tuple(strangers))


def windows_of(folder: Any) -> dict[str, Window]:
    """The folders of a resource that are named as windows are, oldest first, whether they contain a manifest or not."""
    return windows_named(store.names(folder))


def snapshots_of(folder: Any) -> dict[str, datetime]:
    """The folders of a resource that are named as snapshots are, with the time of the reading, oldest first."""
    return _snapshots(store.names(folder))


def previous_of(folder: Any, window: Window) -> Previous | None:
    """The latest published window of a resource that ends at or before the start of another."""
    found = _before(folder, window)
    return Previous(window=found[0], sha256=digest_of(found[1])) if found else None


def _before(folder: Any, window: Window) -> tuple[str, bytes] | None:
    """The latest published window that ends at or before the start of another, with its manifest.

    Names of folders sort as their times do, so none has to be read as a time but those that are tried.
    """
    until = window.label.partition("-")[0]
    ends = ((match["end"], name) for name in store.names(folder) if (match := WINDOW_FOLDER.fullmatch(name)))
    for _, name in sorted((each for each in ends if each[0] <= until), reverse=True):
        raw = store.read(folder / name / NAME) if windows_named([name]) else None
        if raw is not None:
            return name, raw
    return None


def fields_before(collection: Any, window: Window | None) -> dict[str, Any] | None:
    """Member ``schema`` of the manifest of the window before, or of the latest snapshot where there are no windows."""
    if window:
        before = _before(collection, window)
        return manifests.parse(before[1], str(collection / before[0])).schema.dump() if before else None
    names = [name for name in snapshots_of(collection) if "-of-" not in name][-1:]
    found = manifests.load(collection / names[0]) if names else None
    return found.schema.dump() if found else None


def windows_named(names: Iterable[str]) -> dict[str, Window]:
    """Those of some names that folders of windows have, oldest first."""
    found = {}
    for name in names:
        match = WINDOW_FOLDER.fullmatch(name)
        start, end = (_time(match["start"]), _time(match["end"])) if match else (None, None)
        if start and end and start < end:
            found[name] = Window(start, end)
    return dict(sorted(found.items(), key=lambda each: (each[1].start, each[1].end)))


def _snapshots(names: list[str]) -> dict[str, datetime]:
    matches = {name: match for name in names if (match := _SNAPSHOT.fullmatch(name))}
    return {name: time for name, match in matches.items() if (time := _time(match[1]))}


def _time(compact: str) -> datetime | None:
    """A time as names of folders have it; ``None`` when it is no time that can be."""
    try:
        return datetime.fromisoformat(compact)
    except ValueError:
        return None


_FORMATS = {"jsonl": "JSON lines", "parquet": "Parquet files"}


def is_same(one: object, other: object) -> bool:
    """Whether two base URLs are of one server; one that is not known may be any."""
    return not one or not other or normal_form(str(one)) == normal_form(str(other))


def refuse_another(collection: Any, base_url: object, *, first: str = "") -> None:
    """Refuse the folder of a resource that contains records of another server.

    All that is written there has passed this, so one manifest is enough to know of all.

    :param base_url: of the server whose records are to come
    :param first: name of the folder that is looked at before the others
    :raises NexusConfigurationError: when a manifest there names another server
    """
    others = (name for name in _latest_first(collection) if name != first)
    for names in ([first] if first else [], others):
        stored = next(_servers(collection, names), "")
        if not is_same(stored, base_url):
            text = f"{collection} contains another copy: base url {stored!r}, not {base_url!r}"
            raise NexusConfigurationError(f"{text}. Give this one a path of its own.")


def refuse_table(collection: Any) -> None:
    """Refuse the folder of a Delta table, where windows in files of their own would be taken for its files.

    :raises NexusConfigurationError: when so
    """
    if TABLE_LOG in store.names(collection):
        raise NexusConfigurationError(
            f"{collection} contains a Delta table: go on with file_format='delta', or give another path. Nothing was changed"
        )


def _latest_first(collection: Any) -> Iterator[str]:
    """The folders of windows and snapshots, then those of readings; none is listed before it is asked for."""
    names = store.names(collection)
    yield from (name for name in reversed(names) if windows_named([name]) or _snapshots([name]))
    yield from (f"{READINGS}/{name}" for name in (store.names(collection / READINGS) if READINGS in names else ()))


def refuse_other_format(folder: Any, manifest: Manifest, file_format: str) -> None:
    """Refuse the folder of a window that is stored in another format, ``jsonl`` or ``parquet``, than the one that is to come.

    :raises NexusConfigurationError: when its manifest says so
    """
    stored = manifest.format
    if stored != file_format and stored in _FORMATS and file_format in _FORMATS:
        raise NexusConfigurationError(
            f"{folder} contains {_FORMATS[stored]}, and this run writes {_FORMATS[file_format]}: go on with "
            f"file_format={stored!r}, give another path, or move the folder away and sync its window again. Nothing was changed"
        )


def _servers(collection: Any, names: Iterable[str]) -> Iterator[str]:
    """The servers that manifests name; of a window whose manifest was withdrawn, those that it replaced."""
    for name in names:
        folder = collection / name
        replaced = (folder / SUPERSEDED / each for each in store.names(folder / SUPERSEDED))
        for path in (folder / NAME, *replaced):
            raw = store.read(path)
            try:
                server = "" if raw is None else manifests.parse(raw, str(path)).base_url
            except NexusDataError:
                continue
            if server:
                yield server
