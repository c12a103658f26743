"""Storage of files: any path object that behaves like ``pathlib.Path``, Airflow's ``ObjectStoragePath`` included.

What can't be done raises :class:`NexusStorageError`, whatever the store itself raises.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError

TEMPORARY = r"\.{}\.[0-9a-f]{{16}}\.tmp"
"""Pattern of the names under which a file is written on a local disk before it has its own."""
_SILENCE = 600.0
"""Seconds after which a file that nothing was written to is no file that is being written."""
_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KNOWN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def is_local(path: Any) -> bool:
    """Whether a path is a file of this machine."""
    return (getattr(path, "protocol", "") or "file") in ("file", "local")


def put(path: Any, data: IO[bytes], what: str = "") -> None:
    """Write a file whole or not at all. Folders are made where they are missing; a bucket, or another container, never is.

    Object stores show an object only when it was closed. On a local file system a hidden neighbour is written and renamed.

    :param what: what it is, in an error; by default its path
    :raises NexusStorageError: also when another process that writes the same window has taken the neighbour for a leftover
    """
    with storage_errors(what or path, "written"):
        if is_local(path):
            _put_here(Path(_local(path)), data)
            return
        try:
            if not container_of(path.parent):  # where objects are in containers there are no folders to be made
                path.parent.fs.makedirs(path.parent.path, exist_ok=True)
            with path.open("wb") as target:
                shutil.copyfileobj(data, target, 1 << 20)
        except Exception:
            refuse_missing_container("path", path)
            raise


def _put_here(path: Path, data: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"
    try:
        with os.fdopen(os.open(neighbour, _FRESH, 0o666), "wb") as target:
            _remove_leftovers(path, os.fstat(target.fileno()).st_mtime)
            shutil.copyfileobj(data, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        try:
            neighbour.replace(path)
        except FileNotFoundError:
            raise another_run(f"{path} vanished while it was written") from None
    finally:
        remove(neighbour)


def _remove_leftovers(path: Path, now: float) -> None:
    """Remove what killed writes left by now, by the disk's clock, but nothing that is being written, be it on another machine."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}.tmp"):
        with suppress(FileNotFoundError):
            if left.lstat().st_mtime < now - _SILENCE:
                remove(left)


def another_run(what: str) -> NexusStorageError:
    """The error when something is not there as this run has read or written it: what is otherwise, and where."""
    return NexusStorageError(f"{what}: is another run writing there? Run it again")


def container_of(path: Any) -> str:
    """The bucket, or whatever else a store has its objects in; empty where there are folders alone."""
    if is_local(path) or path.protocol == "memory":
        return ""
    host = str(path).partition("://")[2].partition("/")[0].rpartition("@")[2]
    first = str(path.path).lstrip("/").partition("/")[0]
    return first if first == host else ""


def refuse_missing_container(name: str, path: Any) -> None:
    """Refuse a place in a bucket that is known not to be there. One that can't be looked at may be there.

    :param name: of the argument that the place was given in
    :raises NexusConfigurationError: it is never made, as its name may have been mistyped
    """
    container = container_of(path)
    try:
        # Stores report that what may not be listed does not exist, so both questions have to be answered so.
        if container and not path.fs.exists(container):
            path.fs.ls(container, detail=False)
    except FileNotFoundError:
        hint = "check the spelling, or make it first; it is not made here, as a name that was mistyped would make another one"
        raise NexusConfigurationError(f"{name} is {path}, and there is no bucket or container {container!r}: {hint}") from None
    except Exception:  # noqa: BLE001 - each store has errors of its own, and none of them says that it is missing
        return


def refuse_unfit(name: str, folder: Any) -> None:
    """Refuse a folder that nothing can be put into, before anything is read for it.

    :param name: of the argument that it was given in
    :raises NexusConfigurationError: when its bucket is missing
    :raises NexusStorageError: when there is a file in its way, or no right to write
    """
    if not is_local(folder):
        refuse_missing_container(name, folder)
        return
    path = Path(_local(folder))
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise NexusStorageError(f"{name} leads to {path}, and {there} is no folder: move it away, or give another path")
    if not os.access(there, os.W_OK | os.X_OK):
        raise NexusStorageError(f"{name} leads to {path}, and this user may not write to {there}: give it the right to")


def remove(path: Any) -> None:
    """Remove a file if it is there."""
    with storage_errors(path, "removed"), suppress(FileNotFoundError):
        path.unlink()


def remove_folder(path: Any) -> None:
    """Remove an empty folder; object stores have none."""
    if is_local(path):
        with suppress(OSError):
            path.rmdir()


def opened(path: Any) -> IO[bytes]:
    """A file, to be read. On this machine it has to be a regular one: a pipe would never end, and a link leads elsewhere.

    :raises FileNotFoundError: when there is none
    """
    if not (isinstance(path, os.PathLike) or hasattr(path, "protocol")):
        return path.open("rb")  # type: ignore[no-any-return]
    with storage_errors(path, "read"):
        try:
            if not is_local(path):
                return path.open("rb")  # type: ignore[no-any-return]
            handle = os.open(_local(path), _KNOWN)
        except (FileNotFoundError, NotADirectoryError):
            handle = -1
    if handle < 0:
        raise FileNotFoundError(str(path))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NexusStorageError(f"{path} is no regular file: a sync writes no other ones. Move it away")
    return os.fdopen(handle, "rb")


def read(path: Any) -> bytes | None:
    """A file's bytes, read as :func:`opened` does; ``None`` when there is none."""
    try:
        source = opened(path)
    except FileNotFoundError:
        return None
    with storage_errors(path, "read"), source:
        return bytes(source.read())


def size(path: Any) -> int | None:
    """A file's size in bytes; ``None`` when there is none."""
    with storage_errors(path, "looked at"):
        try:
            return int(path.stat().st_size)
        except (FileNotFoundError, NotADirectoryError):
            return None


def modified(path: Any) -> datetime:
    """When a file was written, by the clock of its store, in UTC.

    :raises NexusConfigurationError: when the store does not tell
    """
    with storage_errors(path, "looked at"):
        if is_local(path):
            return datetime.fromtimestamp(Path(_local(path)).stat().st_mtime, UTC)
        try:
            found = path.fs.modified(path.path)
        except NotImplementedError:
            hint = "name the windows by their span"
            raise NexusConfigurationError(f"the store of {path} does not tell when a file was written: {hint}") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def names(folder: Any) -> list[str]:
    """The names in a folder, sorted; none when it is not there."""
    with storage_errors(folder, "listed"), suppress(FileNotFoundError, NotADirectoryError):
        return sorted(child.name for child in folder.iterdir())
    return []


def _local(path: Any) -> str:
    return str(getattr(path, "path", path))


_WAYS = {
    errno.ENOSPC: "the disk is full: make room, or name another path, then run it again",
    errno.EDQUOT: "the quota of disk space is used up: raise it or make room, then run it again",
    errno.EROFS: "the disk may only be read from: name another path",
    errno.EACCES: "the user that runs this has no right to: give it that right, or name another path",
    errno.EPERM: "the user that runs this has no right to: give it that right, or name another path",
    errno.ENOTDIR: "there is a file where a folder is needed: move it away, or name another path",
    errno.EEXIST: "there is a file where a folder is needed: move it away, or name another path",
    errno.EISDIR: "there is a folder where a file is needed: move it away, or name another path",
    errno.ENAMETOOLONG: "the name is too long for this disk: name a shorter path",
    errno.ELOOP: "it is a link, and only files themselves are read and written: put the file in its place",
}
_KINDS = ((PermissionError, errno.EACCES), (NotADirectoryError, errno.ENOTDIR), (IsADirectoryError, errno.EISDIR))


@contextmanager
def storage_errors(where: Any, verb: str) -> Iterator[None]:
    """Turn what a store raises into one sentence. What is known to the last word has no cause that is shown as well.

    :param where: path
    :param verb: what is done there, such as ``written``
    """
    try:
        yield
    except NexusError:
        raise
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        known = (_WAYS[number] for kind, number in _KINDS if isinstance(error, kind))
        way = _WAYS.get(getattr(error, "errno", None)) or next(known, "")  # type: ignore[arg-type]
        text = f"{where} can't be {verb}: {way or f'{type(error).__name__}: {error}'}"
        raise NexusStorageError(text) from (None if way else error)
