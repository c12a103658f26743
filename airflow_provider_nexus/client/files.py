"""Answers that are files: put on this machine's disk while they come, and whole, or the error of its cause."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.client.body import MEGABYTE, BadBodyError, OversizeError, Received
from airflow_provider_nexus.client.call import Call
from airflow_provider_nexus.client.reply import bad_body, content_type, read, refusal
from airflow_provider_nexus.client.settings import ClientSettings
from airflow_provider_nexus.exceptions import NexusInterruptedError, NexusResponseError
from airflow_provider_nexus.storage import storage_errors

if TYPE_CHECKING:
    from airflow_provider_nexus.client.wire import Bounds

FOUND = 200
"""The one status of an answer that brings a whole file."""

_SHOWN, _LONGEST_COMPLAINT = 65_536, 1_000_000
_OBJECT = re.compile(rb"[\xef\xbb\xbf\xfe\xff\x00 \r\n\t]*\{")
"""How an object begins, in any encoding of JSON."""
_ENVELOPE = frozenset({"message", "errors", "values"})


class SpooledFile:
    """A file on this machine's disk, under no name, for as long as its ``with`` block lasts."""

    def __init__(self) -> None:
        with _disk_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the block
        self.size, self._digest = 0, hashlib.sha256()

    def __enter__(self) -> Self:
        return self

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


def read_file(call: Call, received: Received, settings: ClientSettings, file: SpooledFile, bounds: Bounds) -> str:
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
    except OversizeError:
        raise bad_body(call, OversizeError(bounds.size, bounds.by), status) from None
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
    if not _OBJECT.match(file.first(_SHOWN)):
        return False
    body = file.first(size)
    try:
        answer = envelope.decode(body.decode(json.detect_encoding(body)).encode())
    except (envelope.MalformedAnswerError, UnicodeError):
        return False
    folded = {name.lower(): value for name, value in answer.items()}
    return bool(folded.get("errors")) and folded.keys() <= _ENVELOPE
