"""Operator that lists the files of proved windows for the task that loads them into a warehouse."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.load.forms import RELATIVE, Part, address, in_form, refuse_inside, to_text
from airflow_provider_nexus.load.listing import Wanted, listing
from airflow_provider_nexus.operators._arguments import moment_of, refuse_backwards
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._machines import look_at_place

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

LARGEST_XCOM = 48 * 1024
"""Bytes that a list may have to be handed on as an XCom."""


class NexusListFilesOperator(NexusBaseOperator):
    """Lists the data files of proved windows, in the form that the loader of a warehouse takes.

    A load by prefix, such as ``COPY ... FROM 's3://lake/nexus/'``, also takes windows that a run is just replacing, older
    versions, and records that were put aside. What this lists are windows that have a manifest and are proved; each file is read
    to its end and compared with the SHA-256 in the manifest. A window that is damaged or not proved, windows that overlap, and
    one that lies only partly in the span fail the task. Nexus is not called.

    It returns a list with one item for each statement of the loader, so the loading task can be mapped over it, and is skipped
    when there are no files:

    * ``list``: the paths or URLs of the files;
    * ``json``: each window with its files, their sizes, records and SHA-256;
    * ``redshift``: the URL of the manifest that is written to ``output_path``;
    * ``snowflake``, ``databricks``: clauses ``FILES = (...)`` of at most 1,000 names;
    * ``bigquery``: lists of at most 10,000 ``gs://`` URIs.

    With ``output_path``, all of it is written into that file, as ``airflow nexus files`` prints it, and the only item is the
    path or URL of the file.

    .. seealso:: :doc:`warehouses`

    :param path: path of a sync, or a folder below it (templated)
    :param resource: name in the catalogue (templated)
    :param form: see above
    :param window_start: windows that begin then or later; by default all (templated)
    :param window_end: windows that end then or earlier; by default all (templated)
    :param changed_since: windows whose manifest was written then or later, by the clock of the store, such as
        ``{{ prev_start_date_success }}`` (templated)
    :param relative_to: the place that a stage leads to, for ``snowflake`` and ``databricks``; by default ``path`` (templated)
    :param output_path: path or URL of the file to write; a list of more than 48 KiB needs one (templated)
    :param strict: whether a window that was never proved fails the task; if not, it is listed, with a warning in the log
    :param storage_conn_id: connection of the object store (templated)
    """

    template_fields: Sequence[str] = (
        *("path", "resource", "window_start", "window_end", "changed_since"),
        *("relative_to", "output_path", "storage_conn_id"),
    )
    text_fields = ("path", "resource", "relative_to", "output_path", "storage_conn_id")
    operator_extra_links = ()  # a list is no one record

    def __init__(
        self,
        *,
        path: str | XComArg,
        resource: str | XComArg,
        form: str = "list",
        window_start: Moment | XComArg = None,
        window_end: Moment | XComArg = None,
        changed_since: Moment | XComArg = None,
        relative_to: str | XComArg | None = None,
        output_path: str | XComArg | None = None,
        strict: bool = True,
        storage_conn_id: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path, self.resource, self.form = rendered(path), rendered(resource), form
        self.window_start, self.window_end = rendered(window_start), rendered(window_end)
        self.changed_since = rendered(changed_since)
        self.relative_to, self.output_path = rendered(relative_to), rendered(output_path)
        self.strict, self.storage_conn_id = strict, rendered(storage_conn_id)
        self.check(NexusListFilesOperator)
        refuse_backwards(window_start, window_end)
        if form == "redshift" and output_path is None:
            raise NexusConfigurationError("form is 'redshift', which is a file that Redshift reads: give output_path, its URL")
        if relative_to is not None and form not in RELATIVE:
            raise NexusConfigurationError(f"form is {form!r}, which names whole addresses: leave out relative_to")

    def execute(self, context: Context) -> Sequence[Part]:  # noqa: ARG002 - Airflow's signature
        """List them.

        :return: one item for each statement of the loader; none when there are no files
        :raises NexusConfigurationError: when there is no sync, the loader can't take what is there, or the list is too long
        :raises NexusUnprovedError: when a window is not proved, and ``strict`` is on
        :raises NexusStorageError: when a file is not as its manifest states
        """
        self.refuse_missing()
        start, end = moment_of("window_start", self.window_start), moment_of("window_end", self.window_end)
        since = moment_of("changed_since", self.changed_since)
        wanted = Wanted(self.resource, RequestedWindow(start, end, "arguments"), since, self.strict)
        base, target = (
            None if (given := getattr(self, name)) is None else opened(name, given, self.storage_conn_id)
            for name in ("relative_to", "output_path")
        )
        root = opened("path", self.path, self.storage_conn_id)
        look_at_place(self, "path", root, needed="a sync may have run on another one")
        if target is not None:
            look_at_place(self, "output_path", target)
        found = listing(root, wanted)
        for note in found.notes:
            self.log.warning("%s", note)
        self.log.info("%s: %s", self.resource, found.text)
        parts = in_form(found, self.form, base)
        if target is not None:
            refuse_inside(found, target)
            store.put(target, io.BytesIO(to_text(parts, self.form).encode()))
            return [address(target)] if parts else []
        size = len(json.dumps(parts).encode())
        if size > LARGEST_XCOM:
            raise NexusConfigurationError(
                f"the list has {size:,} bytes, and {LARGEST_XCOM:,} at most are handed on from task to task: give output_path, "
                "a file to write it into, or a shorter span"
            )
        return parts
