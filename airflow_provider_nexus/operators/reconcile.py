"""Operator that reconciles copies with what Nexus states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_nexus.api.moments import Moment
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusReconciliationError, NexusUnprovedError
from airflow_provider_nexus.hooks._connections import engine_of, opened
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.links.nexus import REPORT_KEY, NexusReportLink
from airflow_provider_nexus.load.paths import place_of
from airflow_provider_nexus.load.sql.name import split_name
from airflow_provider_nexus.operators._arguments import known_part, moment_of
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered
from airflow_provider_nexus.operators._machines import look_at_place, open_database
from airflow_provider_nexus.reconcile.request import Tolerance, check_copies
from airflow_provider_nexus.transfers._report import link_report, page_of

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context, XComArg

    from airflow_provider_nexus.reconcile.copied import CopiedRecords
    from airflow_provider_nexus.reconcile.reconciled import Reconciled


class NexusReconcileOperator(NexusBaseOperator):
    """Compares what Nexus states at a moment with what proved records add up to, to the last digit.

    Compared are, by the copies that are given:

    * ``transactions``: the custodian balances, in total and by customer, with the mutations of completed transactions;
    * ``hot_wallet_mutations``: the hot wallet with its ledger;
    * ``orders``, ``transfers`` and ``hot_wallet_mutations`` together: the reserves by exchange, hot wallet and cold store with
      what was executed and moved;
    * always: the reserves of each crypto with what customers own of it (proof of reserves).

    A copy has to be proved without a gap over the whole span. Where a customer's balance differs only as transactions were
    completed around the moment, the outcome is ``timing``, once a second look has shown that Nexus agrees with itself by now.
    Everything else that differs by more than the tolerance fails the task, with the records that could explain it. So does a hot
    wallet that moved each time it was read, as it was not compared.

    .. seealso:: :doc:`reconciliation`

    :param copies: paths that syncs write to, or with ``sql_conn_id`` tables, by the resource's name (templated)
    :param sql_conn_id: connection of the database in which the copies are tables (templated)
    :param moment: what is compared; by default the latest moment up to which all copies are proved (templated)
    :param start: from when on records are added up, on top of what Nexus stated then; by default the earliest moment from which
        on all copies are proved (templated)
    :param tolerance: how much a place may differ: an amount, or amounts by currency or crypto code; 0 by default (templated)
    :param customers: whether the balance of each customer with a completed transaction is compared, one call each. If not, only
        of those whose newest transactions could explain why a total differs
    :param fail_on_difference: whether differences fail the task; if not, ``is_fine`` of what it returns is false, for an approval
    :param results_table: table that a row for each place is written into, customers' codes among them; needs ``sql_conn_id`` or
        ``results_conn_id`` (templated)
    :param results_conn_id: connection of that table's database; by default ``sql_conn_id`` (templated)
    :param results_path: folder or URL that the same is written into as a file of JSON (templated)
    :param report_path: path or URL of an HTML file that a page for people is written into, without customers (templated)
    :param report_url: http or https address at which people read that file: the button *Proof report* leads there (templated)
    :param nexus_conn_id: connection of Nexus (templated)
    """

    template_fields: Sequence[str] = (
        *("copies", "sql_conn_id", "moment", "start", "tolerance"),
        *("results_table", "results_conn_id", "results_path", "report_path", "report_url", "nexus_conn_id"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"copies": "json"}
    text_fields = tuple(name for name in template_fields if name not in ("moment", "start"))
    operator_extra_links: tuple[BaseOperatorLink, ...] = (NexusReportLink(),)  # it is about no one record

    def __init__(
        self,
        *,
        copies: Mapping[str, str] | XComArg,
        sql_conn_id: str | XComArg | None = None,
        moment: Moment | XComArg = None,
        start: Moment | XComArg = None,
        tolerance: Any = 0,
        customers: bool = True,
        fail_on_difference: bool = True,
        results_table: str | XComArg | None = None,
        results_conn_id: str | XComArg | None = None,
        results_path: str | XComArg | None = None,
        report_path: str | XComArg | None = None,
        report_url: str | XComArg | None = None,
        nexus_conn_id: str | XComArg = NexusHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.copies = rendered(copies)
        self.sql_conn_id = rendered(sql_conn_id)
        self.moment, self.start = rendered(moment), rendered(start)
        self.tolerance = tolerance
        self.customers, self.fail_on_difference = customers, fail_on_difference
        self.results_table, self.results_conn_id = rendered(results_table), rendered(results_conn_id)
        self.results_path = rendered(results_path)
        self.report_path, self.report_url = rendered(report_path), rendered(report_url)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusReconcileOperator)
        if isinstance(copies, Mapping):
            check_copies(copies)
            for name, target in known_part(copies).items():
                self._target(name, target)
        if results_table is not None and results_conn_id is None and sql_conn_id is None:
            raise NexusConfigurationError("results_table needs a database: give results_conn_id, its connection")
        link_report(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Reconcile.

        :return: a summary: moment, start, whether all is fine, how many places have which outcome, the differences in words
            without the codes of customers, where the results are, and calls
        :raises NexusReconciliationError: when something differs and ``fail_on_difference`` is on; the results are stored then
        :raises NexusWindowError: when not all that is added up is proved, or records of it were put aside
        :raises NexusUnprovedError: when what is read of Nexus itself changes too fast, or a hot wallet did and
            ``fail_on_difference`` is on
        :raises NexusConfigurationError: when a copy is none that can be reconciled with the connection's server
        """
        self.refuse_missing()
        check_copies(self.copies)
        with ExitStack() as stack:
            store = self._store(stack)
            hook = stack.enter_context(NexusHook(self.nexus_conn_id))
            found = self._reconcile(hook, stack)
            summary = found.summary() | store(found)
        if self.report_url:
            context["ti"].xcom_push(key=REPORT_KEY, value=self.report_url)
        for line in summary["differences"]:
            self.log.error(line)
        for note in found.notes:
            self.log.warning(note)
        if found.differences and self.fail_on_difference:
            raise NexusReconciliationError(found.text)
        if found.notes and self.fail_on_difference:  # another try may find it still
            raise NexusUnprovedError(f"{found.text}: {'; '.join(found.notes)}", found.notes)
        return summary

    def _reconcile(self, hook: NexusHook, stack: ExitStack) -> Reconciled:
        from airflow_provider_nexus.reconcile.reconciliation import Reconciliation

        return Reconciliation(
            client=hook.client,
            copies=self._copies(stack),
            tolerance=Tolerance(self.tolerance),
            customers=self.customers,
            log=self.log,
            start=moment_of("start", self.start),
            moment=moment_of("moment", self.moment),
        ).run()

    def _copies(self, stack: ExitStack) -> dict[str, CopiedRecords]:
        from airflow_provider_nexus.reconcile.copied import copied_files, copied_table

        targets = {name: self._target(name, target) for name, target in self.copies.items()}
        if self.sql_conn_id is None:
            from airflow_provider_nexus.hooks._stores import delta_table

            return {name: copied_files(opened(f"{name} in copies", path), name, delta_table) for name, path in targets.items()}
        engine = engine_of(self.sql_conn_id)
        stack.callback(engine.dispose)
        return {name: copied_table(engine, table, name) for name, table in targets.items()}

    def _target(self, name: str, target: Any) -> str:
        """A path or a table, checked."""
        if self.sql_conn_id is None:
            return place_of(f"{name} in copies", target)
        split_name(target, f"{name} in copies")
        return str(target)

    def _store(self, stack: ExitStack) -> Callable[[Reconciled], dict[str, Any]]:
        """What stores the results and returns where they are. A place that is none is refused before anything is read."""
        from airflow_provider_nexus.reconcile.results import make_table, store_file, store_rows
        from airflow_provider_nexus.report.page import address, put_page
        from airflow_provider_nexus.report.reconciliation import write_reconciliation

        folder = None if self.results_path is None else opened("results_path", self.results_path)
        page = None if self.report_path is None else page_of(self.report_path)
        for name, place in (("results_path", folder), ("report_path", page)):
            if place is not None:
                look_at_place(self, name, place)
        engine = None
        if self.results_table is not None:
            conn_id = self.results_conn_id or self.sql_conn_id or ""
            engine = stack.enter_context(open_database(self, "results_conn_id", conn_id))
            make_table(engine, self.results_table)

        def store(found: Reconciled) -> dict[str, Any]:
            stored: dict[str, Any] = {}
            if engine is not None:
                rows = store_rows(engine, str(self.results_table), found)
                stored["results_table"] = self.results_table
                self.log.info("%s rows written into %s", f"{rows:,}", self.results_table)
            if folder is not None:
                stored["results_file"] = str(store_file(folder, found))
            if page is not None:
                put_page(lambda: write_reconciliation(found), page)
                stored["report"] = address(page)
            return stored

        return store
