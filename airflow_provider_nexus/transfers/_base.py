"""Base of the transfers: window, contract, personal data, watermark, report, and what Airflow is given of a run."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from airflow import __version__ as airflow_version
from airflow.sdk import Asset

from airflow_provider_nexus.api.codes import codes_of
from airflow_provider_nexus.api.moments import Moment, is_missing, span_of_time
from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.client.log import number_of
from airflow_provider_nexus.compat import AirflowSkipException
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError
from airflow_provider_nexus.extract.protect import Protection, Treatment, check_protection
from airflow_provider_nexus.extract.request import LONGEST_LAG, SETTLE_LAG, Contract, SyncRequest, refuse_parallel
from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.hooks.nexus import NexusHook
from airflow_provider_nexus.lineage.syncs import count_sync, lineage_of
from airflow_provider_nexus.links.nexus import REPORT_KEY, NexusReportLink
from airflow_provider_nexus.operators._arguments import check_address, known_part, refuse_backwards
from airflow_provider_nexus.operators._base import NexusBaseOperator, rendered, requested_window
from airflow_provider_nexus.operators._machines import look_at_place
from airflow_provider_nexus.transfers._report import link_report, page_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context, XComArg

    from airflow_provider_nexus.load.copy import Copy, Target
    from airflow_provider_nexus.sync.watermark import Watermark


Capture = Literal["window", "changes"]
"""What a run brings: the records of its window, or all that is new or different since the run before."""


class NexusSyncBaseOperator(NexusBaseOperator):
    """Reads a window of a Nexus collection, or a snapshot, and proves that nothing is missing. Not used by itself.

    With ``report_path`` each run that stores something, or finds it stored, then writes :doc:`the report </report>` on all
    that is stored at the same place. A report that can't be written does not fail the task, as the data is stored and proved by
    then: it is an error in the log, and ``report`` is null in the summary.

    :param resource: name in the catalogue, such as ``transactions`` (templated)
    :param window_start: start of the window, included (templated)
    :param window_end: end of the window, excluded (templated)
    :param parent: code of the record to read the children of, or several; all by default. One that Nexus does not know
        fails the task (templated)
    :param strict: whether an unproved window fails the task and stores nothing; else it is stored with that verdict
    :param settle_lag: ``timedelta`` or seconds after which a record that was created can surely be seen
    :param readings: how often in a row the window, or the snapshot, has to be read with the same records and contents; 2 for
        those who audit. It costs as many times the calls, a failed try begins anew, and it does not go with ``changes``
    :param parallel: parts of a large window that are read at once, from 1 to 16; by default four from 5,000 records on
    :param page_size: records asked for in one call; by default 250, or 100 where the server refuses so many
    :param contract: what is done about fields that come or go: ``report``, ``freeze`` or ``allow_new_fields``
    :param max_rejected: records that may be put aside because they don't fit; one more fails the task
    :param capture: ``window`` brings the window alone; ``changes`` also what changed in what earlier runs brought
    :param history: whether each version of a record that was seen is stored, not only the record as it is
    :param rereads: with ``changes``: old windows that are read again at each run where Nexus gives no totals
    :param personal: what is done with fields that the catalogue marks as personal: ``keep``, ``hash``, ``mask`` or ``drop``
    :param protect: the same by name of the field, as Nexus or as the column is called, which wins
    :param report_path: path or URL of an HTML file to write the report into; each task needs one of its own (templated)
    :param report_url: http or https address at which people read that file: the button *Proof report* leads there (templated)
    :param nexus_conn_id: connection of Nexus (templated)
    """

    template_fields: Sequence[str] = (
        *("resource", "window_start", "window_end", "parent", "nexus_conn_id"),
        *("report_path", "report_url"),
    )
    text_fields: ClassVar[Collection[str]] = ("resource", "parent", "nexus_conn_id", "report_path", "report_url")
    operator_extra_links: tuple[BaseOperatorLink, ...] = (NexusReportLink(),)  # a window is no one record

    _summary: dict[str, Any] | None = None

    def __init__(
        self,
        *,
        resource: str | XComArg,
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
        super().__init__(**kwargs)
        self.resource = rendered(resource)
        self.window_start = rendered(window_start)
        self.window_end = rendered(window_end)
        self.parent = rendered(parent)
        self.strict, self.page_size = strict, page_size
        self.settle_lag = span_of_time(settle_lag, "settle_lag", longest=LONGEST_LAG)
        self.readings, self.parallel = readings, parallel
        self.contract, self.max_rejected = contract, max_rejected
        self.capture, self.history, self.rereads = capture, history, rereads
        self.personal = personal
        self.protect = protect
        self.report_path = rendered(report_path)
        self.report_url = rendered(report_url)
        self.nexus_conn_id = rendered(nexus_conn_id)
        self.check(NexusSyncBaseOperator)
        refuse_backwards(window_start, window_end)
        if readings > 1 and capture == "changes":
            hint = "single records are read again there, which is no window to compare. Leave one of the two out"
            raise NexusConfigurationError(f"readings is {readings} and capture is 'changes': {hint}")
        link_report(self)
        if isinstance(known := known_part(resource), str):
            self._refuse_unfit(get_resource(known))

    def _refuse_unfit(self, resource: Resource) -> None:
        """Refuse what the resource can't follow: when the DAG is parsed if its name is no template, else in the task."""
        if self.capture == "changes" and not resource.is_windowed:
            what = "changes can be captured of records that have a window"
            raise NexusConfigurationError(f"{resource.name}: {what}; leave capture out: it is read whole at each run")
        if self.parent is not None and not resource.parent:
            what = "belong to no other record, so there can be no parent: leave it out"
            raise NexusConfigurationError(f"{resource.name} {what}")
        refuse_parallel(resource, self.parallel)
        check_protection(resource, Protection(self.personal, self.protect or {}))

    def execute(self, context: Context) -> dict[str, Any]:
        """Sync, then report.

        :return: a summary: resource, environment, window, verdict, records, calls, seconds, where it is, digest, report
        :raises NexusUnprovedError: when the window can't be proved complete and ``strict`` is on
        :raises NexusRejectedError: when more records don't fit than ``max_rejected``
        :raises NexusContractError: when the fields have changed and the contract is frozen
        :raises NexusWindowError: when there is no window
        :raises NexusConfigurationError: when changes are to be captured of a resource that has no windows
        :raises AirflowSkipException: when nothing is old enough to be read
        """
        resource = get_resource(self.resource)
        self._refuse_unfit(resource)
        if self.report_url:
            check_address("report_url", self.report_url)
        page = self.report_page() if self.report_path is not None or self.is_given("report_path") else None
        if page is not None:
            look_at_place(self, "report_path", page)
        with NexusHook(self.nexus_conn_id) as hook:
            summary = self.transfer(context, hook, resource)
            if summary is None:
                raise AirflowSkipException(f"nothing of {self.resource} is settled yet; the next run will bring it")
            if page is not None:
                summary |= {"report": self._report(context, page, lambda: self.report(hook, resource, page))}
        for asset in self.assets if context.get("outlet_events") is not None else ():
            context["outlet_events"][asset].extra = dict(summary)
        self._log(summary)
        self._summary = summary
        count_sync(summary)
        return summary

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:  # noqa: ARG002 - Airflow gives it
        """Lineage for OpenLineage: both data sets with their columns, how many records were written, and the verdict."""
        if self._summary is None:
            return None
        target, columns = self.data_set(self._summary)
        return lineage_of(self._summary, get_resource(self._summary["resource"]), target, columns=columns)

    @abstractmethod
    def data_set(self, summary: Mapping[str, Any]) -> tuple[tuple[str, str], bool]:
        """Namespace and name of what was written, by OpenLineage's naming, and whether it has typed columns."""

    @abstractmethod
    def transfer(self, context: Context, hook: NexusHook, resource: Resource) -> dict[str, Any] | None:
        """Read and store. The summary; ``None`` when nothing is old enough to be read."""

    @abstractmethod
    def report(self, hook: NexusHook, resource: Resource, page: Any) -> str:
        """The report on all that is stored where this task stores, as HTML; ``page`` is the file that it will lie in."""

    def needed_by_others(self, context: Context) -> str:
        """Why other tasks have to find what this one stores, as a clause; empty where none has to."""
        if self.capture == "changes":
            return "changes are merged into what earlier runs have stored"
        return "tasks that are mapped store one copy together" if self._is_one_of_several(context) else ""

    def report_page(self) -> Any:
        """The file of the report. ``NexusConfigurationError`` when its store is not known."""
        return page_of(self.report_path)

    def _report(self, context: Context, page: Any, write: Callable[[], str]) -> str | None:
        """Where the report was written; ``None`` when it could not be.

        That does not fail the task: the watermark has moved, so another try would bring another window, or none and skip.
        """
        from airflow_provider_nexus.report.page import address, put_page

        where = address(page)
        try:
            size = put_page(write, page)
        except NexusError as error:
            self.log.error("%s. The data is stored; what is there is no report on it", error)  # noqa: TRY400
            return None
        if self.report_url:
            context["ti"].xcom_push(key=REPORT_KEY, value=self.report_url)
        self.log.info("report: %s, in %s", number_of(size, "byte"), where)
        return where

    def sync(
        self, context: Context, hook: NexusHook, resource: Resource, copy: Target[Any], watermark: Watermark, staging: Any
    ) -> dict[str, Any] | None:
        """Bring the window alone, or all that is new or different since the run before.

        :param copy: what is stored already, and where what is read goes; changes need one with typed columns
        :param staging: folder for the parts of a large window, for the next try; ``None`` for none
        """
        from airflow_provider_nexus.load.loader import Loader
        from airflow_provider_nexus.sync.capture import CaptureJob
        from airflow_provider_nexus.sync.job import SyncJob

        names, instance = ("dag_id", "run_id", "task_id", "map_index", "try_number"), context.get("ti")
        request = SyncRequest(
            resource=resource,
            requested=self._requested(context, watermark, resource),
            parents=self._parents(),
            settle_lag=self.settle_lag,
            strict=self.strict,
            readings=self.readings,
            parallel=self.parallel,
            page_size=self.page_size,
            contract=self.contract,
            max_rejected=self.max_rejected,
            protection=Protection(self.personal, self.protect or {}, hook.settings.hash_secret.reveal()),
            run={name: getattr(instance, name) for name in names if getattr(instance, name, None) is not None},
            airflow_version=airflow_version,
        )
        if self.capture == "changes":
            parts = {"watermark": watermark, "rereads": self.rereads, "staging": staging}
            return CaptureJob(hook.client, request, cast("Copy", copy), log=self.log, **parts).run()
        loader = Loader(copy, self.max_rejected, contract=self.contract)
        moved = watermark if self._moves_watermark(context) else None
        return SyncJob(hook.client, request, loader, watermark=moved, staging=staging, log=self.log).run()

    def _parents(self) -> tuple[str, ...] | None:
        """The codes of the parents; ``None`` for all. Where there are none to read, the task is skipped."""
        if self.parent is None:
            if self.is_given("parent"):
                raise NexusConfigurationError("parent is None, as another task makes it of a missing value: nothing was read")
            return None
        codes = codes_of(self.parent, "code in parent")
        if not codes:
            raise AirflowSkipException("parent is empty, so there is nothing to read")
        return codes

    def _requested(self, context: Context, watermark: Watermark, resource: Resource) -> RequestedWindow | None:
        if not resource.is_windowed:
            if not (is_missing(self.window_start) and is_missing(self.window_end)):
                raise NexusConfigurationError(
                    f"{resource.name} has no window: Nexus returns only its present state. Leave it out"
                )
            return None
        for name in ("window_start", "window_end"):
            if self.is_mapped_to_nothing(name):
                raise NexusConfigurationError(f"{name} is None in what this task is mapped over: leave it out, or give a moment")
        return requested_window(context, self.window_start, self.window_end, watermark.get)

    def _moves_watermark(self, context: Context) -> bool:
        """Whether this run moves the watermark.

        Tasks that are mapped over windows, each with a start of its own, end in any order, so theirs could hide a gap. Those
        that are mapped over something else, such as resources, each go on from their own watermark and move it.
        """
        if self._is_one_of_several(context) and not is_missing(self.window_start):
            self.log.info("the watermark is not moved: this task is mapped, and was given the start of its window")
            return False
        return True

    @staticmethod
    def _is_one_of_several(context: Context) -> bool:
        return getattr(context.get("ti"), "map_index", -1) not in (None, -1)

    def asset_store(self, context: Context) -> Any:
        """Airflow's state store of this task's asset (3.3 on); ``None`` where there is none, or the task has no asset."""
        stores = context.get("asset_state_store")
        return stores[self.assets[0]] if stores is not None and self.assets else None

    @property
    def assets(self) -> list[Asset]:
        """The assets among the outlets."""
        return [outlet for outlet in self.outlets or [] if isinstance(outlet, Asset)]

    def _log(self, summary: dict[str, Any]) -> None:
        """The verdict, and behind a fold all else that is known of the run."""
        self.log.info(
            "%s: %s, %s in %s, %s, in %s",
            summary["resource"],
            summary["verdict"],
            number_of(summary["records"], "record"),
            number_of(summary["calls"], "call"),
            "stored" if summary["changed"] else "already there, unchanged",
            summary["path"],
        )
        self.log.info("::group::Summary")  # Airflow's user interface folds what lies between these
        for name, value in summary.items():
            self.log.info("%s: %s", name, value)
        self.log.info("::endgroup::")


def shared(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a transfer's arguments that the base takes too. Each transfer names them all, for people and type checkers."""
    known = inspect.signature(NexusSyncBaseOperator.__init__).parameters.values()
    return {each.name: arguments[each.name] for each in known if each.kind is each.KEYWORD_ONLY}
