"""Transfer to a table of a SQL database: PostgreSQL, MySQL, MariaDB or SQLite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.extract.protect import Treatment
from airflow_provider_nexus.extract.request import SETTLE_LAG, Contract
from airflow_provider_nexus.hooks._connections import engine_of, opened, sql_hook
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.operators._arguments import refuse_wrong
from airflow_provider_nexus.operators._base import rendered
from airflow_provider_nexus.operators._machines import look_at_place, open_database
from airflow_provider_nexus.transfers._base import Capture, NexusSyncBaseOperator, shared
from airflow_provider_nexus.transfers._memory import AssetMemory

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_nexus.sync.watermark import Watermark


class NexusToSqlOperator(NexusSyncBaseOperator):
    """Brings a window of a Nexus collection, or a snapshot, into a table and proves that nothing is missing.

    The table is made from the catalogue when it is not there: amounts are NUMERIC (TEXT in SQLite, which has no exact
    decimals), times have their zone. Rows go into a temporary table first and are merged by their key in one transaction,
    together with a row in ``nexus_manifest`` beside the table: a rerun changes nothing, and a load that is killed leaves
    nothing. Records that Nexus no longer has in a proved window are deleted. What does not fit is in ``nexus_rejected``.

    The window is found as by
    :class:`~airflow_provider_nexus.transfers.nexus_to_object_storage.NexusToObjectStorageOperator`. With
    ``capture="changes"`` rows of earlier windows are updated: see :doc:`/capture`.

    .. seealso:: :doc:`tables`, :doc:`report`

    :param sql_conn_id: connection of the database (templated)
    :param table: name of the table, after a schema and a dot if it has one (templated)
    :param staging_path: folder or URL where a large window's parts are stored for the next try; by default a failed try
        begins anew (templated)
    """

    template_fields: Sequence[str] = (*NexusSyncBaseOperator.template_fields, "sql_conn_id", "table", "staging_path")
    text_fields: ClassVar[Collection[str]] = (*NexusSyncBaseOperator.text_fields, "sql_conn_id", "table", "staging_path")

    def __init__(
        self,
        *,
        resource: str | XComArg,
        sql_conn_id: str | XComArg,
        table: str | XComArg,
        staging_path: str | XComArg | None = None,
        window_start: Moment | XComArg = None,
        window_end: Moment | XComArg = None,
        parent: str | Sequence[str] | XComArg | None = None,
        strict: bool = True,
        settle_lag: timedelta | float = SETTLE_LAG,
        readings: int = 1,
        parallel: int | None = None,
        page_size: int | None = None,
        contract: Contract = "report",
        max_rejected: int = 0,
        capture: Capture = "window",
        history: bool = False,
        rereads: int = 1,
        personal: Treatment = "keep",
        protect: Mapping[str, Treatment] | None = None,
        report_path: str | XComArg | None = None,
        report_url: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**shared(locals()), **kwargs)
        self.sql_conn_id, self.table, self.staging_path = rendered(sql_conn_id), rendered(table), rendered(staging_path)
        self.check(NexusToSqlOperator)

    def transfer(self, context: Context, hook: NexusHook, resource: Resource) -> dict[str, Any] | None:
        """Read and load."""
        refuse_wrong({"sql_conn_id": self.sql_conn_id, "table": self.table})
        with open_database(self, "sql_conn_id", self.sql_conn_id, needed=self.needed_by_others(context)) as engine:
            from airflow_provider_nexus.load.columns import Table
            from airflow_provider_nexus.load.sql.copy import SqlCopy
            from airflow_provider_nexus.sync.watermark import CopyWatermark

            environment = hook.settings.environment
            copy = SqlCopy(
                engine,
                self.table,
                Table(resource),
                environment=environment.name,
                base_url=environment.base_url,
                output="history" if self.history else "current",
                contract=self.contract,
            )
            watermark: Watermark = CopyWatermark(copy)
            if (state := self.asset_store(context)) is not None:
                # by the table's own name, as two spellings of one table have one watermark
                watermark = AssetMemory(state, f"nexus.watermark.{self.sql_conn_id}.{copy.place}")
            staged = None
            if self.staging_path is not None or self.is_given("staging_path"):
                staged = opened("staging_path", self.staging_path) / self.table / resource.name
                look_at_place(self, "staging_path", staged)
                store.refuse_unfit("staging_path", staged)
            return self.sync(context, hook, resource, copy, watermark, staged)

    def report(self, hook: NexusHook, resource: Resource, page: Any) -> str:  # noqa: ARG002 - files have links to lead from it
        """On all loads of the table, with their manifests."""
        from airflow_provider_nexus.report.table import write_table_report
        from airflow_provider_nexus.verify.tables import open_table

        engine = engine_of(self.sql_conn_id)
        try:
            return write_table_report(open_table(engine, self.table))
        finally:
            engine.dispose()

    def data_set(self, summary: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
        """The table in its database, by its own name."""
        table = str(summary["path"])
        hook = sql_hook(self.sql_conn_id)
        connection = hook.get_connection(self.sql_conn_id)
        try:
            place = hook.get_openlineage_database_info(connection)
        except NotImplementedError:
            place = None
        if place is None:
            return (f"{connection.conn_type}://{connection.host or ''}", ".".join(filter(None, (connection.schema, table)))), True
        namespace = f"{place.scheme}://{place.authority}" if place.authority else place.scheme
        schema = None if "." in table else hook.get_openlineage_default_schema()
        return (namespace, ".".join(filter(None, (place.database, schema, table)))), True
