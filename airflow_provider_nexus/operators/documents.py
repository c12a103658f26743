"""Operators that download a file from Nexus, and upload one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus.api.records import as_plain
from airflow_provider_nexus.client.call import form_of
from airflow_provider_nexus.client.download import LARGEST_DOWNLOAD
from airflow_provider_nexus.hooks._files import sending_method, upload_call
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import known_part
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._machines import look_at_place
from airflow_provider_nexus.operators._once import send_once
from airflow_provider_nexus.writes.upload import DOCUMENT, LARGEST_UPLOAD, send

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class NexusDownloadOperator(NexusBaseOperator):
    """Fetches a file from Nexus, byte for byte, and puts it in its place: whole or not at all.

    Returns ``place``, ``bytes``, ``sha256`` and ``content_type``. The file is written to the worker's disk first, and is fetched
    anew when the connection breaks. It is the task's output in Airflow's lineage.

    .. seealso:: :doc:`calling`

    :param target: path, from ``/`` on, or URL of the file to write, such as ``s3://lake/{{ params.customer }}.pdf`` (templated)
    :param endpoint: path from the root; by default that of files in the document store (templated)
    :param query: query, such as ``{"filePath": "C1/passport.pdf"}`` (templated); a name without a value is refused
    :param headers: further headers (templated)
    :param overwrite: whether another file that is there is replaced; one with the same bytes is always fine
    :param max_mb: million bytes that the file may have
    :param storage_conn_id: connection of the object store (templated)
    :param nexus_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = ("target", "endpoint", "query", "headers", "storage_conn_id", "nexus_conn_id")
    text_fields = template_fields
    template_fields_renderers = {"query": "json", "headers": "json"}  # noqa: RUF012 - as BaseOperator declares it

    def __init__(
        self,
        *,
        target: str | PathLike[str] | XComArg,
        endpoint: str | XComArg = DOCUMENT,
        query: Mapping[str, Any] | XComArg | None = None,
        headers: Mapping[str, Any] | XComArg | None = None,
        overwrite: bool = False,
        max_mb: int = LARGEST_DOWNLOAD,
        storage_conn_id: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target = str(target) if isinstance(target, PathLike) else rendered(target)
        self.endpoint = rendered(endpoint)
        self.query = rendered(query)
        self.headers = rendered(headers)
        self.overwrite = overwrite
        self.max_mb = max_mb
        self.storage_conn_id = rendered(storage_conn_id)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusDownloadOperator)

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - given by Airflow
        """Fetch it.

        :raises NexusStorageError: when another file is there, or it can't be written
        :raises NexusApiError: one class per cause
        """
        self.refuse_missing(query="the query's", headers="the header")
        look_at_place(self, "target", self.target)
        with NexusHook(self.nexus_conn_id) as nexus:
            return nexus.download(
                self.endpoint,
                self.target,
                params=self.query,
                headers=self.headers,
                overwrite=self.overwrite,
                max_mb=self.max_mb,
                storage_conn_id=self.storage_conn_id,
            )


class NexusUploadOperator(NexusBaseOperator):
    """Sends a file to Nexus as a multipart form, once, and returns Nexus' record of it.

    Where the answer is lost, the document store is asked whether it has the same bytes with the same fields; if so, that is the
    answer. Where it can't be known, the task fails at once with ``NexusAmbiguousWriteError``, and so does its next try when the
    one before was lost on the way. The connection must allow writes.

    .. seealso:: :doc:`calling`

    :param source: path, from ``/`` on, or URL of the file to send (templated)
    :param fields: the form's other fields (templated): of a document ``filePath``, ``customerCode``, ``documentStoreTypeCode``,
        and perhaps ``alias``, ``description``, ``itemReference``. One without a value is refused
    :param endpoint: path from the root; by default that of files in the document store (templated)
    :param method: HTTP method
    :param file_field: name of the field that the file goes into
    :param headers: further headers (templated)
    :param max_mb: million bytes that the file may have; it is packed in memory
    :param storage_conn_id: connection of the object store (templated)
    :param nexus_conn_id: the connection (templated)
    """

    template_fields: Sequence[str] = ("source", "fields", "endpoint", "headers", "storage_conn_id", "nexus_conn_id")
    text_fields = template_fields
    template_fields_renderers = {"fields": "json", "headers": "json"}  # noqa: RUF012 - as BaseOperator declares it
    ui_color = "#fdebd0"

    def __init__(
        self,
        *,
        source: str | PathLike[str] | XComArg,
        fields: Mapping[str, Any] | XComArg,
        endpoint: str | XComArg = DOCUMENT,
        method: str = "POST",
        file_field: str = "file",
        headers: Mapping[str, Any] | XComArg | None = None,
        max_mb: int = LARGEST_UPLOAD,
        storage_conn_id: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = str(source) if isinstance(source, PathLike) else rendered(source)
        self.fields = rendered(fields)
        self.endpoint = rendered(endpoint)
        self.method = method
        self.file_field = file_field
        self.headers = rendered(headers)
        self.max_mb = max_mb
        self.storage_conn_id = rendered(storage_conn_id)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusUploadOperator)
        sending_method(method)
        if isinstance(known := known_part(fields), Mapping):
            form_of(known, file_field=file_field, file_name="", data=b"")

    def execute(self, context: Context) -> Any:
        """Send it.

        :raises NexusAmbiguousWriteError: when it is not known whether Nexus took it, now or in an earlier try
        :raises NexusStorageError: when there is no such file, or it can't be read
        :raises NexusApiError: one class per cause
        """
        self.refuse_missing(fields="the field", headers="the header")
        look_at_place(self, "source", self.source)
        call = upload_call(
            self.endpoint,
            self.source,
            self.fields,
            method=self.method,
            file_field=self.file_field,
            headers=self.headers,
            max_mb=self.max_mb,
            storage_conn_id=self.storage_conn_id,
        )
        with NexusHook(self.nexus_conn_id) as nexus:
            session = nexus.client.session
            if call.is_repeatable:
                return as_plain(send(session, call, log=self.log))
            return send_once(context, call, lambda before: send(session, call, before=before, log=self.log), as_plain)
