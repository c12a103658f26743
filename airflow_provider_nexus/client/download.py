"""Files from Nexus: on this machine's disk while they come, and then in their place, whole, or the error of their cause."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.body import MEGABYTE, BadBodyError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.reply import PAGES, bad_body, content_type, read, refusal
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import (
    NexusConfigurationError,
    NexusInterruptedError,
    NexusResponseError,
    NexusStorageError,
)
from airflow_provider_nexus.storage import storage_errors

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession

FOUND = 200
"""The one status of an answer that brings a whole file."""
LARGEST_DOWNLOAD = 1024
"""Million bytes that a file which is fetched may have, by default. It passes through the disk of the worker."""

_MOST_MEGABYTES, _LOOKED_AT, _LONGEST_COMPLAINT = 100_000, 65_536, 1_000_000
_OBJECT = re.compile(rb"[\xef\xbb\xbf\xfe\xff\x00 \r\n\t]*\{")
"""How an object begins, in any encoding of JSON."""
_ENVELOPE = frozenset({"message", "errors", "values"})
_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml.*?\?>)*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL)
_PAGES = (".htm", ".html")


class SpooledFile(AbstractContextManager["SpooledFile"]):
    """A file on this machine's disk, under no name, for as long as its ``with`` block lasts."""

    def __init__(self) -> None:
        with _disk_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the block
        self.size, self._digest = 0, hashlib.sha256()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    @property
    def sha256(self) -> str:
        """The digest of what has come."""
        return self._digest.hexdigest()

    def clear(self) -> None:
        """Forget what has come, as the file comes anew."""
        with _disk_errors():
            self._file.seek(0)
            self._file.truncate()
        self.size, self._digest = 0, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Store the next piece; :class:`NexusStorageError` when the disk is full."""
        with _disk_errors():
            self._file.write(piece)
        self.size += len(piece)
        self._digest.update(piece)

    def first(self, size: int) -> bytes:
        """What came first, so many bytes at most."""
        with _disk_errors():
            return self.content().read(size)

    def content(self) -> IO[bytes]:
        """All of it, from the beginning."""
        with _disk_errors():
            self._file.seek(0)
        return self._file


def _disk_errors() -> Any:
    return storage_errors(f"the file on its way, in {tempfile.gettempdir()},", "stored")


def read_file(call: Call, received: Received, settings: ClientSettings, file: SpooledFile) -> str:
    """The kind of a file that has come whole.

    :param file: has its bytes
    :raises NexusApiError: for a refusal, and for what is no whole file
    """
    status, headers, body = received.status, received.headers, received.body
    if not 200 <= status < 300:
        read(call, received, settings, envelope.unwrap)
    if status != FOUND:
        raise NexusResponseError(call.method, call.label, detail=f"HTTP {status} brings no whole file")
    try:
        body.check()
    except BadBodyError as fault:
        raise bad_body(call, fault, status) from None
    is_chunked = headers.get("Transfer-Encoding", "").strip().lower() == "chunked"
    is_measured = is_chunked or headers.get("Content-Length", "").strip().isdigit()
    if not body.size and not is_measured:
        raise NexusInterruptedError(call.method, call.label, status=status, detail="the answer broke off in its head")
    if not body.size:
        raise NexusResponseError(call.method, call.label, detail=f"HTTP {status} with an empty body: there is no file in it")
    if not is_measured and not body.is_packed:
        detail = f"HTTP {status}, and the answer does not state where it ends, so that a part could pass for the whole file"
        raise NexusResponseError(call.method, call.label, detail=detail)
    is_problem = content_type(headers) == "application/problem+json"
    if is_problem or (body.size <= settings.max_answer_mb * MEGABYTE and _is_complaint(file, body.size)):
        raise refusal(call, status, headers, file.first(min(body.size, _LONGEST_COMPLAINT)), settings)
    return content_type(headers)


def _is_complaint(file: SpooledFile, size: int) -> bool:
    """Whether a body is an envelope with errors in it, and nothing but that; a file can be JSON, too."""
    if not _OBJECT.match(file.first(_LOOKED_AT)):
        return False
    body = file.first(size)
    try:
        answer = envelope.decode(body.decode(json.detect_encoding(body)).encode())
    except (envelope.MalformedAnswerError, UnicodeError):
        return False
    folded = {name.lower(): value for name, value in answer.items()}
    return bool(folded.get("errors")) and folded.keys() <= _ENVELOPE


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
        hint = f"name the file in it, such as {str(given).rstrip('/')}/C1.pdf"
        raise NexusConfigurationError(f"{name} is {given}, a folder: {hint}")


def fetch(session: NexusSession, call: Call, place: Any, *, overwrite: bool, max_mb: int) -> dict[str, Any]:
    """Fetch a file and put it in its place, whole or not at all.

    :param overwrite: whether a file that is there with other bytes is replaced
    :param max_mb: million bytes that it may have
    :return: ``place``, ``bytes``, ``sha256`` and ``content_type``
    :raises NexusStorageError: when another file is there, or it can't be written
    :raises NexusApiError: one class per cause
    """
    if call.changes_something:
        hint = "make it with run"
        raise NexusConfigurationError(f"{call.method} {call.label} changes something, and a download only reads: {hint}")
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
