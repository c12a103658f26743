"""Download of a file from Nexus into its place: whole or not at all."""

from __future__ import annotations

import hashlib
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.files import SpooledFile
from airflow_provider_nexus.client.reply import PAGES
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusResponseError, NexusStorageError
from airflow_provider_nexus.storage import storage_errors

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession

LARGEST_DOWNLOAD = 1024
"""Million bytes that a file which is fetched may have, by default. It passes through the disk of the worker."""

_MOST_MEGABYTES = 100_000
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml.*?\?>)*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
_LOOKED_AT = 65_536
_PAGES = (".htm", ".html")


def refuse_no_file(name: str, given: Any, place: Any) -> None:
    """Refuse a place that can't be a file.

    :param name: of the argument that it was given in
    :raises NexusConfigurationError: when it is a folder or a bucket
    """
    container = store.container_of(place)
    is_bucket = bool(container) and str(place.path).strip("/") == container
    mode = None
    if store.is_local(place):
        with storage_errors(place, "looked at"), suppress(FileNotFoundError, NotADirectoryError):
            mode = Path(getattr(place, "path", place)).lstat().st_mode
    if mode is not None and not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise NexusConfigurationError(f"{name} is {given}, a link or a device: name a file itself")
    if str(given).endswith(("/", "\\")) or is_bucket or (mode is not None and stat.S_ISDIR(mode)):
        raise NexusConfigurationError(
            f"{name} is {given}, a folder: name the file in it, such as {str(given).rstrip('/')}/C1.pdf"
        )


def fetch(session: NexusSession, call: Call, place: Any, *, overwrite: bool, max_mb: int) -> dict[str, Any]:
    """Fetch a file and put it in its place, whole or not at all.

    :param place: path object of the file
    :param overwrite: whether a file that is there with other bytes is replaced
    :param max_mb: million bytes that it may have
    :return: ``place``, ``bytes``, ``sha256`` and ``content_type``
    :raises NexusStorageError: when another file is there, or it can't be written
    :raises NexusApiError: one class per cause
    """
    if call.changes_something:
        raise NexusConfigurationError(
            f"{call.method} {call.label} changes something, and a download only reads: make it with run"
        )
    if not isinstance(overwrite, bool):
        raise NexusConfigurationError(f"overwrite is {overwrite!r}: give True or False")
    refuse_size(max_mb)
    store.refuse_unfit("target", place.parent)
    with SpooledFile() as spool:
        kind = session.fetch(call, spool, max_mb)
        if (kind in PAGES or _PAGE.match(spool.first(_LOOKED_AT))) and not place.name.lower().endswith(_PAGES):
            detail = f"a page of HTML came, and target is {place}: if the file is a page, end target in .html"
            raise NexusResponseError(call.method, call.label, detail=detail)
        if overwrite or not _is_there(place, spool):
            store.put(place, spool.content())
        if store.size(place) != spool.size:
            raise NexusStorageError(f"{place} is not there as it was written: is another task writing there? Run it again")
        return {"place": str(place), "bytes": spool.size, "sha256": spool.sha256, "content_type": kind}


def refuse_size(max_mb: int) -> None:
    """Refuse what is no size of a file in million bytes, by a :class:`NexusConfigurationError`."""
    if isinstance(max_mb, bool) or not isinstance(max_mb, int) or not 1 <= max_mb <= _MOST_MEGABYTES:
        raise NexusConfigurationError(f"max_mb is {max_mb!r}: give a whole number from 1 to {_MOST_MEGABYTES}")


def _is_there(place: Any, spool: SpooledFile) -> bool:
    """Whether a place has the same file already; :class:`NexusStorageError` when it has another."""
    try:
        with store.opened(place) as file, storage_errors(place, "read"):
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except FileNotFoundError:
        return False
    if digest != spool.sha256:
        raise NexusStorageError(f"target is {place}, and another file is there: name another place, or give overwrite=True")
    return True
