"""Where files are published: any path object that behaves like ``pathlib.Path``, Airflow's ``ObjectStoragePath`` included."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import IO, Any

from airflow_provider_nexus.exceptions import NexusStorageError


def is_local(path: Any) -> bool:
    """Whether a path is a file of this machine."""
    return (getattr(path, "protocol", "") or "file") in ("file", "local")


def put(path: Any, data: IO[bytes]) -> None:
    """Write a file whole or not at all.

    Object stores show an object only when it was closed. On a local file system a hidden neighbour is written and renamed.

    :raises NexusStorageError: when another process that writes the same window has taken the neighbour for a leftover
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not is_local(path):
        with path.open("wb") as target:
            shutil.copyfileobj(data, target, 1 << 20)
        return
    neighbour = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with neighbour.open("wb") as target:
            shutil.copyfileobj(data, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        _rename(neighbour, path)
    finally:
        remove(neighbour)


def _rename(neighbour: Any, path: Any) -> None:
    try:
        os.replace(_local(neighbour), _local(path))  # noqa: PTH105 - pathlib's own does not take an ObjectStoragePath
    except FileNotFoundError:
        raise NexusStorageError(f"{path} vanished while it was written: is another run writing there? Run it again") from None


def remove(path: Any) -> None:
    """Remove a file if it is there."""
    with suppress(FileNotFoundError):
        path.unlink()


def remove_folder(path: Any) -> None:
    """Remove an empty folder; object stores have none."""
    if is_local(path):
        with suppress(OSError):
            path.rmdir()


def read(path: Any) -> bytes | None:
    """A file's bytes; ``None`` when there is none."""
    try:
        with path.open("rb") as source:
            return bytes(source.read())
    except FileNotFoundError:
        return None


def size(path: Any) -> int | None:
    """A file's size in bytes; ``None`` when there is none."""
    try:
        return int(path.stat().st_size)
    except FileNotFoundError:
        return None


def names(folder: Any) -> list[str]:
    """The names in a folder, sorted; none when it is not there."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(child.name for child in folder.iterdir())
    return []


def _local(path: Any) -> str:
    return str(getattr(path, "path", path))
