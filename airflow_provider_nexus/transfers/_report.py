"""Report page of a sync or a reconciliation: the file that it is written to, and the button that leads to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.hooks._connections import opened
from airflow_provider_nexus.load.paths import place_of

if TYPE_CHECKING:
    from airflow_provider_nexus.operators.reconcile import NexusReconcileOperator
    from airflow_provider_nexus.transfers._base import NexusSyncBaseOperator


def link_report(operator: NexusSyncBaseOperator | NexusReconcileOperator) -> None:
    """Leave the button *Proof report* to an operator only where it leads somewhere: an address, which needs a file, was given."""
    if operator.report_url is None:
        operator.operator_extra_links = ()
    elif operator.report_path is None:
        raise NexusConfigurationError("report_url is where people read the report: give report_path, where to write it, too")


def page_of(report_path: Any, beside: Any = "", conn_id: str | None = None) -> Any:
    """The file of a report.

    :param beside: path or URL of the data, where those are files
    :param conn_id: connection of the data's store; it opens the report's too where both are of one kind and the report's URL
        names no other
    """
    text = place_of("report_path", report_path)
    shared = _scheme(text) == _scheme(str(beside)) and "@" not in text.partition("://")[2].partition("/")[0]
    page = opened("report_path", text, conn_id if shared else None)
    store.refuse_missing_container("report_path", page)
    return page


def _scheme(path: str) -> str:
    scheme, mark, _ = path.partition("://")
    return scheme if mark else "file"
