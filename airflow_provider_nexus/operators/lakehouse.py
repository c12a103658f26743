"""Operator that looks after a Delta table: few large files, and nothing that is not needed any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_nexus.api.moments import span_of_time
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

_LEAST, _LONGEST = timedelta(days=7), timedelta(days=36_500)


class NexusCompactOperator(NexusBaseOperator):
    """Compacts a Delta table that ``NexusToObjectStorageOperator`` writes with ``file_format="delta"``.

    Small files of a partition become few large ones. Files that no version within the retention needs are removed, and so are
    books that no load names. Rows, windows and proofs stay; time travel to older versions ends. Loads and readers may go on.

    Nexus is not called; its connection names the environment, which is a part of the path.

    .. seealso:: :doc:`lakehouse`

    :param resource: name in the catalogue, such as ``transactions`` (templated)
    :param path: folder or URL that the sync writes under (templated)
    :param retention: for how long versions can be gone back to, seven days at least; as ``timedelta`` or seconds
    :param storage_conn_id: connection of the object store (templated)
    :param nexus_conn_id: connection of Nexus (templated)
    """

    template_fields: Sequence[str] = ("resource", "path", "storage_conn_id", "nexus_conn_id")
    text_fields: ClassVar[Collection[str]] = template_fields
    operator_extra_links = ()  # a table is no one record

    def __init__(
        self,
        *,
        resource: str | XComArg,
        path: str | PathLike[str] | XComArg,
        retention: timedelta | float = _LEAST,
        storage_conn_id: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource, self.path = rendered(resource), rendered(path)
        self.retention = span_of_time(retention, "retention", longest=_LONGEST)
        self.storage_conn_id, self.nexus_conn_id = rendered(storage_conn_id), rendered(nexus_conn_id)
        self.check(NexusCompactOperator)
        if self.retention < _LEAST:
            raise NexusConfigurationError(
                f"retention is {self.retention}: give seven days at least, as a load or a reader may still need the files"
            )

    def execute(self, context: Context) -> dict[str, int]:  # noqa: ARG002 - Airflow gives it
        """Compact.

        :return: how many files were merged, made in their place, and removed, and how many books nothing names
        :raises NexusConfigurationError: when there is no such table
        :raises NexusStorageError: when the store fails
        """
        from airflow_provider_nexus.hooks._stores import delta_options
        from airflow_provider_nexus.load.delta.compact import compact
        from airflow_provider_nexus.load.delta.found import open_table
        from airflow_provider_nexus.sync.job import collection_folder

        with NexusHook(self.nexus_conn_id) as hook:
            environment = hook.settings.environment.name
        folder = collection_folder(opened("path", self.path, self.storage_conn_id), environment, get_resource(self.resource))
        done = asdict(compact(open_table(folder, delta_options(folder)), self.retention))
        files = [number_of(count, "file") for count in done.values()]
        self.log.info("%s: %s made %s; removed: %s, %s of books", folder, *files)
        return done
