"""Upload of a file to Nexus: sent once, and looked for when it is not known whether it arrived."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api import envelope
from airflow_provider_nexus.api.codes import is_same
from airflow_provider_nexus.api.records import at
from airflow_provider_nexus.client.body import MEGABYTE
from airflow_provider_nexus.client.call import Call, Form
from airflow_provider_nexus.client.download import LARGEST_DOWNLOAD, SpooledFile, refuse_size
from airflow_provider_nexus.client.log import Log
from airflow_provider_nexus.client.retry import ambiguous
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.storage import storage_errors
from airflow_provider_nexus.writes.once import PAUSES

if TYPE_CHECKING:
    from airflow_provider_nexus.client.session import NexusSession

LARGEST_UPLOAD = 64
"""Million bytes that a file which is sent may have, by default. It is packed in memory, about twice as large."""
DOCUMENT = "/integrations/documentstore/file"
"""The path of a file in the document store."""

_LIST = "/integrations/documentstore/list"
_NEWEST = {"limit": 100, "sortBy": "CreatedDate", "sortDirection": "Desc"}
_PLACES = {name: name for name in ("filePath", "customerCode", "alias", "description", "itemReference")}
_PLACES["documentStoreTypeCode"] = "documentStoreType.Code"
"""Fields of a document, and their places in its record."""


def load(place: Any, *, max_mb: int) -> bytes:
    """A file that is to be sent.

    :param place: path object of the file
    :param max_mb: million bytes that it may have
    :raises NexusStorageError: when there is none, or it can't be read
    :raises NexusConfigurationError: when it is empty, or too large
    """
    refuse_size(max_mb)
    try:
        with store.opened(place) as file, storage_errors(place, "read"):
            data = bytes(file.read(max_mb * MEGABYTE + 1))
    except FileNotFoundError:
        raise NexusStorageError(f"source is {place}, and there is no such file: nothing was sent") from None
    if not data:
        raise NexusConfigurationError(f"source is {place}, an empty file: nothing was sent")
    if len(data) > max_mb * MEGABYTE:
        raise NexusConfigurationError(
            f"source is {place}, which has more than {max_mb} MB: raise max_mb if Nexus takes files that large; nothing was sent"
        )
    return data


def send(
    session: NexusSession, call: Call, *, before: Callable[[], object] | None = None, log: Log, pauses: tuple[float, ...] = PAUSES
) -> Any:
    """Send a file once: the decoded ``values``.

    After a call of unknown outcome the document store is asked for the file. Its record of the file is the answer then.

    :param call: with a form
    :param before: called right before the first byte leaves; what it raises keeps the call here
    :param pauses: seconds before each look
    :raises NexusAmbiguousWriteError: when it is not known whether Nexus took it
    :raises NexusApiError: one class per cause
    """
    form, is_document = call.form, f"/{call.path.removeprefix('/').lower()}" == DOCUMENT
    can_be_found = form is not None and is_document and form.fields.get("filePath") and form.fields.get("customerCode")
    try:
        answer = session.send(call, envelope.unwrap, before=before).value
        if form is None or not can_be_found or _is_of(answer, form):
            return answer
        detail = "Nexus took it, and its answer is not of this document"
        unknown = NexusAmbiguousWriteError(call.method, call.label, detail=detail)
    except NexusAmbiguousWriteError as error:
        if form is None or not can_be_found:
            raise
        unknown = error
    for pause in pauses:
        log.info("not known whether Nexus took the file: looking for it in %.0f s", pause)
        time.sleep(pause)
        if record := _found(session, form, log):
            log.info("Nexus has the file, so it is not sent again")
            return record
    lookup = f"GET {_LIST} of the customer shows the document, by its filePath, if Nexus took it."
    raise ambiguous(unknown, lookup) from unknown


def _is_of(answer: Any, form: Form) -> bool:
    """Whether an answer is of the document that was sent; how Nexus spells its path back is not known."""
    if not isinstance(answer, Mapping):
        return False
    owner, path = at(answer, "customerCode"), at(answer, "filePath")
    is_owner = owner is None or is_same(form.fields["customerCode"], owner)
    is_path = path is None or PurePosixPath(str(path)).name.lower() == PurePosixPath(form.fields["filePath"]).name.lower()
    return is_owner and is_path and not (owner is None and path is None)


def _found(session: NexusSession, form: Form, log: Log) -> dict[str, Any] | None:
    """The record that the document store has of a file, when it has these bytes under this name, with these fields."""

    def is_like(record: Any) -> bool:
        wanted = {place: form.fields[name] for name, place in _PLACES.items() if name in form.fields}
        return isinstance(record, Mapping) and all(str(at(record, place)) == value for place, value in wanted.items())

    try:
        listed = session.send(Call("GET", _LIST, {"customerCode": form.fields["customerCode"], **_NEWEST}), envelope.unwrap).value
        records = at(listed, "records")
        record = next((each for each in records if is_like(each)), None) if isinstance(records, list) else None
        if record is None:
            return None
        with SpooledFile() as spool:
            session.fetch(Call("GET", DOCUMENT, {"filePath": form.fields["filePath"]}), spool, LARGEST_DOWNLOAD)
            return record if spool.sha256 == form.sha256 else None
    except NexusError as error:
        log.info("the look-up failed: %s", error)
        return None
