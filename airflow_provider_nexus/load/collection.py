"""Finds the folders with manifests below any folder that a sync writes under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet import readings

WINDOW = re.compile(r"\d{8}T\d{6}Z-\d{8}T\d{6}Z")
"""Name of the folder of a window."""
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z(?:-of-[0-9a-f]{12})?")
_LEVELS = 2
"""Folders between the root and that of a resource."""


@dataclass(frozen=True)
class Collection:
    """Folders of one resource that are looked at.

    :param folder: of the resource
    :param windows: names of the folders of windows, oldest first
    :param snapshots: names of the folders of what was read whole
    :param readings: names of the folders of other readings, below ``_readings/``
    :param strangers: names of folders that no sync gives, and that hold a manifest
    :param is_whole: whether these are all that there are
    """

    folder: Any
    windows: tuple[str, ...]
    snapshots: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def folders(self) -> Iterator[Any]:
        """All of them."""
        yield from (self.folder / name for name in (*self.windows, *self.snapshots, *self.strangers))
        yield from (self.folder / readings.FOLDER / name for name in self.readings)

    @property
    def size(self) -> int:
        """How many they are."""
        return len(self.windows) + len(self.snapshots) + len(self.readings) + len(self.strangers)


def collections(root: Any) -> list[Collection]:
    """The resources below a folder.

    :param root: path of a sync, or the folder of an environment, a resource or one window
    :raises NexusConfigurationError: when there is none
    """
    single = _single(root)
    found = [single] if single else list(_below(root, _LEVELS))
    if not found:
        raise NexusConfigurationError(f"no windows lie in {root}: give the path of a sync, or a folder below it")
    return found


def _single(root: Any) -> Collection | None:
    """A root that is itself one window, snapshot or reading."""
    name, parent = root.name, root.parent
    if not (WINDOW.fullmatch(name) or _SNAPSHOT.fullmatch(name) or store.size(root / NAME) is not None):
        return None
    if not store.names(root):
        return None
    if parent.name == readings.FOLDER:
        return Collection(parent.parent, (), readings=(name,), is_whole=False)
    if WINDOW.fullmatch(name):
        return Collection(parent, (name,), is_whole=False)
    return Collection(parent, (), (name,), is_whole=False)


def _below(folder: Any, levels: int) -> Iterator[Collection]:
    names = store.names(folder)
    windows = tuple(name for name in names if WINDOW.fullmatch(name))
    snapshots = tuple(name for name in names if _SNAPSHOT.fullmatch(name))
    others = tuple(store.names(folder / readings.FOLDER)) if readings.FOLDER in names else ()
    known = {*windows, *snapshots, readings.FOLDER}
    strangers = tuple(name for name in names if name not in known and store.size(folder / name / NAME) is not None)
    if windows or snapshots or others or strangers:
        yield Collection(folder, windows, snapshots, others, strangers)
    elif levels:
        for name in names:
            if name[:1] not in "._" and (folder / name).is_dir():
                yield from _below(folder / name, levels - 1)
