"""What a disk or an object store refuses, as one sentence that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_nexus.exceptions import NexusError, NexusStorageError

_WAYS = {
    errno.ENOSPC: "the disk is full: make room, or name another path, then run it again",
    errno.EDQUOT: "the quota of disk space is used up: raise it or make room, then run it again",
    errno.EROFS: "the disk may only be read from: name another path",
    errno.EACCES: "the user that runs this has no right to: give it that right, or name another path",
    errno.EPERM: "the user that runs this has no right to: give it that right, or name another path",
    errno.ENOTDIR: "a file lies where a folder is needed: move it away, or name another path",
    errno.EEXIST: "a file lies where a folder is needed: move it away, or name another path",
    errno.EISDIR: "a folder lies where a file is needed: move it away, or name another path",
    errno.ENAMETOOLONG: "the name is too long for this disk: name a shorter path",
    errno.ELOOP: "it is a link, and only files themselves are read and written: put the file in its place",
}
_KINDS = ((PermissionError, errno.EACCES), (NotADirectoryError, errno.ENOTDIR), (IsADirectoryError, errno.EISDIR))


@contextmanager
def telling(where: Any, verb: str) -> Iterator[None]:
    """Turn what a store raises into one sentence.

    :param where: path
    :param verb: what is done there, such as ``written``
    :raises NexusStorageError: instead of any other error; what is known to the last word has no cause that is shown as well
    """
    try:
        yield
    except NexusError:
        raise
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        way = _way(error)
        text = f"{where} can't be {verb}: {way or f'{type(error).__name__}: {error}'}"
        raise NexusStorageError(text) from (None if way else error)


def _way(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number not in _WAYS:
        number = next((number for kind, number in _KINDS if isinstance(error, kind)), None)
    return _WAYS.get(number, "") if number is not None else ""
