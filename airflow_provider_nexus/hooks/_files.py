"""Downloads and uploads of the hook: a file from Nexus to a local folder or an object store, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from airflow_provider_nexus.client.call import Call, form_of
from airflow_provider_nexus.client.download import LARGEST_DOWNLOAD, fetch, refuse_no_file
from airflow_provider_nexus.client.values import method_of
from airflow_provider_nexus.compat import AirflowFailException, get_hook_lineage_collector
from airflow_provider_nexus.exceptions import NexusAmbiguousWriteError, NexusConfigurationError
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.writes.upload import LARGEST_UPLOAD, load, send

_SENDING = ("POST", "PUT", "PATCH")
_AS_IN_URLS = "/:@!$&'()*+,;=~%?#[]"


class _AmbiguousRunError(NexusAmbiguousWriteError, AirflowFailException):
    """It is not known whether a call of a user's own task changed something.

    Airflow does not try a task again that ends in it, as such a task does not look before it sends.
    """


@contextmanager
def sent_once() -> Iterator[None]:
    """Make a call in the block whose task is not tried again when it is not known what became of it."""
    try:
        yield
    except NexusAmbiguousWriteError as error:
        failure = _AmbiguousRunError.__new__(_AmbiguousRunError)
        failure.__dict__, failure.args = error.__dict__, error.args
        raise failure from error.__cause__


def upload_call(
    path: str,
    source: str | PathLike[str],
    fields: Mapping[str, Any],
    method: str,
    file_field: str,
    headers: Mapping[str, Any] | None,
    max_mb: int,
    storage_conn_id: str | None,
) -> Call:
    """The call that sends a file: see :meth:`FileCalls.upload`."""
    place = opened("source", source, storage_conn_id)
    refuse_no_file("source", source, place)
    data = load(place, max_mb=max_mb)
    form = form_of(fields, file_field=file_field, file_name=place.name, data=data)
    return Call(sending_method(method), path, headers=headers, form=form)


def sending_method(given: object) -> str:
    """The method of a call that sends a file, in capitals; :class:`NexusConfigurationError` for any other."""
    method = method_of(given)
    if method not in _SENDING:
        raise NexusConfigurationError(f"method is {given!r}, and a file is sent by {' or '.join(_SENDING)}: nothing was sent")
    return method


class FileCalls(BaseHook):
    """The file calls of a hook."""

    def download(
        self,
        path: str,
        target: str | PathLike[str],
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        max_mb: int = LARGEST_DOWNLOAD,
        storage_conn_id: str | None = None,
    ) -> dict[str, Any]:
        """Fetch a file with a GET, byte for byte, and put it in its place: whole or not at all.

        It is written to the worker's disk first, never whole in memory, and is fetched anew when the connection breaks. What is
        no whole file is an error and leaves the target as it is: a complaint of Nexus under status 200, an empty body, a body
        without its end, a page of HTML for a target that is not named so.

        :param path: path from the root, such as ``/integrations/documentstore/file``
        :param target: path, from ``/`` on, or URL of the file to write, such as ``s3://lake/C1.pdf``. Folders are made
        :param params: query, such as ``{"filePath": "C1/passport.pdf"}``
        :param headers: further headers
        :param overwrite: whether another file that is there is replaced. One with the same bytes is always fine, so that a task
            can be tried again
        :param max_mb: million bytes that the file may have, packed and unpacked; the connection's ``max_answer_mb`` is for
            answers that are read into memory. The answer has a second more for each of them
        :param storage_conn_id: connection of the object store
        :return: ``place``, ``bytes``, ``sha256`` and ``content_type`` (empty when Nexus names none)
        :raises NexusStorageError: when another file is there, or it can't be written
        :raises NexusApiError: one class per cause
        """
        place = opened("target", target, storage_conn_id)
        refuse_no_file("target", target, place)
        call = Call("GET", path, params, headers=headers)
        found = fetch(self.get_conn().session, call, place, overwrite=overwrite, max_mb=max_mb)
        uri = found["place"] if "://" in found["place"] else f"file://{found['place']}"
        with suppress(ValueError):  # not all addresses can be those of an asset
            get_hook_lineage_collector().add_output_asset(context=self, uri=quote(uri, safe=_AS_IN_URLS))
        return found

    def upload(
        self,
        path: str,
        source: str | PathLike[str],
        *,
        fields: Mapping[str, Any],
        method: str = "POST",
        file_field: str = "file",
        headers: Mapping[str, Any] | None = None,
        max_mb: int = LARGEST_UPLOAD,
        storage_conn_id: str | None = None,
    ) -> Any:
        """Send a file as a multipart form, once. It is packed in memory.

        When the answer is lost, the document store is asked whether it has the file: the same fields, and the same bytes under
        its ``filePath``. If so, that is the answer.

        :param path: path from the root, such as ``/integrations/documentstore/file``
        :param source: path, from ``/`` on, or URL of the file to send
        :param fields: the form's other fields, such as ``filePath``, ``customerCode`` and ``documentStoreTypeCode``: texts,
            numbers, flags and moments; ``None`` is left out
        :param file_field: name of the field that the file goes into
        :param headers: further headers
        :param max_mb: million bytes that the file may have
        :param storage_conn_id: connection of the object store
        :return: the decoded ``values``: of the document store, its record of the document
        :raises NexusAmbiguousWriteError: when it is not known whether Nexus took it; Airflow does not try the task again then
        :raises NexusWriteRefusedError: when the connection does not allow writes
        :raises NexusStorageError: when there is no such file, or it can't be read
        :raises NexusApiError: one class per cause
        """
        call = upload_call(path, source, fields, method, file_field, headers, max_mb, storage_conn_id)
        with sent_once():
            return send(self.get_conn().session, call, log=self.log)
