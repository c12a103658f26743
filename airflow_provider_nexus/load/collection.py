"""Finds what a sync has written: the folders of resources below any folder, and in them windows, snapshots and readings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import Window
from airflow_provider_nexus.load.manifest import NAME, READINGS, WINDOW_FOLDER, Previous, digest_of

_SNAPSHOT = re.compile(r"(\d{8}T\d{6}Z)(-of-[0-9a-f]{12})?")
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
    :raises NexusConfigurationError: when there is none
    """
    found = _single(root) or list(below(root, _LEVELS))
    if not found:
        raise NexusConfigurationError(f"no windows lie in {root}: give the path of a sync, or a folder below it")
    return found


def _single(root: Any) -> list[ResourceFolder]:
    """A root that is itself one window, snapshot or reading."""
    name, parent = root.name, root.parent
    windows, snapshots = _windows([name]), _snapshots([name])
    if not store.names(root) or not (windows or snapshots or store.size(root / NAME) is not None):
        return []
    if parent.name == READINGS:
        return [ResourceFolder(parent.parent, readings=(name,), is_whole=False)]
    strangers = () if windows or snapshots else (name,)
    return [ResourceFolder(parent, "", windows, snapshots, strangers=strangers, is_whole=False)]


def below(folder: Any, levels: int, path: str = "") -> Iterator[ResourceFolder]:
    """The folders of resources at or below a folder, by path.

    :param levels: how deep they may lie
    :param path: of the folder, relative to the root
    """
    found = content_of(folder, path)
    if found.folders:
        yield found
    elif levels:
        for name in store.names(folder):
            if name[:1] not in "._" and (folder / name).is_dir():
                yield from below(folder / name, levels - 1, f"{path}/{name}".lstrip("/"))


def content_of(folder: Any, path: str = "") -> ResourceFolder:
    """What lies in a folder, as far as it could be the folder of a resource."""
    names = store.names(folder)
    windows, snapshots = _windows(names), _snapshots(names)
    readings = store.names(folder / READINGS) if READINGS in names else []
    others = [name for name in names if name[:1] not in "._" and name not in windows and name not in snapshots]
    strangers = [name for name in others if store.size(folder / name / NAME) is not None]
    return ResourceFolder(folder, path, windows, snapshots, tuple(readings), tuple(strangers))


def windows_of(folder: Any) -> dict[str, Window]:
    """The folders of a resource that are named as windows are, oldest first, whether they contain a manifest or not."""
    return _windows(store.names(folder))


def snapshots_of(folder: Any) -> dict[str, datetime]:
    """The folders of a resource that are named as snapshots are, with the time of the reading, oldest first."""
    return _snapshots(store.names(folder))


def previous_of(folder: Any, window: Window) -> Previous | None:
    """The latest published window that ends at or before the start of another.

    :param folder: of the resource
    :return: its folder and the SHA-256 of its manifest
    """
    earlier = [(other.end, name) for name, other in windows_of(folder).items() if other.end <= window.start]
    for _, name in sorted(earlier, reverse=True):
        raw = store.read(folder / name / NAME)
        if raw is not None:
            return Previous(window=name, sha256=digest_of(raw))
    return None


def _windows(names: list[str]) -> dict[str, Window]:
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
        return datetime.strptime(compact, "%Y%m%dT%H%M%S%z")
    except ValueError:
        return None
