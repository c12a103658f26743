"""Buttons that lead from a task to its record in the Nexus portal, and to the report on what it has synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


PORTAL_KEY = "nexus_portal_url"
"""The XCom with the address of a record; a task pushes it as soon as it knows the record."""
REPORT_KEY = "nexus_report_url"
"""The XCom with the address of a report; a task pushes it when the report is written."""


class NexusPortalLink(BaseOperatorLink):
    """Leads to a record in the Nexus portal, where the connection has a ``portal_url``.

    .. seealso:: :doc:`connection`
    """

    name = "Nexus portal"
    xcom_key = PORTAL_KEY
    """Where Airflow's API server looks. It is the task's own key, so that the button works before the task is done."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed. It is looked for only where there is a portal, as Airflow logs a missing XCom."""
        from airflow_provider_nexus.hooks.nexus import NexusHook

        conn_id = getattr(operator, "nexus_conn_id", None)
        if conn_id and not NexusHook(conn_id).settings.portal_url:
            return ""
        return _pushed(ti_key, self.xcom_key)


class NexusReportLink(BaseOperatorLink):
    """Leads to the report that a sync has written, where the task has the address at which people read it (``report_url``).

    .. seealso:: :doc:`report`
    """

    name = "Proof report"
    xcom_key = REPORT_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed. It is looked for only where it was given, as Airflow logs a missing XCom."""
        return _pushed(ti_key, self.xcom_key) if getattr(operator, "report_url", True) else ""


def _pushed(ti_key: TaskInstanceKey, key: str) -> str:
    """What was pushed; empty when nothing was, which Airflow logs as an error."""
    from airflow.sdk.execution_time.xcom import XCom

    return str(XCom.get_value(ti_key=ti_key, key=key) or "")
