"""The ways from a task to the record that it dealt with, and to the report on what it has synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


PORTAL_KEY = "nexus_portal_url"
"""The XCom that holds the address; a task pushes it as soon as it knows its record."""
REPORT_KEY = "nexus_report_url"
"""The XCom that holds the address of a report; a task pushes it when the report is written."""


class NexusPortalLink(BaseOperatorLink):
    """Leads to a record in the Nexus portal, where the connection says how the portal's addresses look (``portal_url``).

    .. seealso:: :doc:`connection`
    """

    @property
    def name(self) -> str:
        """The button's text."""
        return "Nexus portal"

    @property
    def xcom_key(self) -> str:
        """Where Airflow's API server looks. It is the task's own key, so that the button works before the task is done."""
        return PORTAL_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed; empty when it pushed none.

        Airflow logs an XCom that is not there as an error, so it is looked for only where there is a portal.
        """
        from airflow_provider_nexus.hooks.nexus import NexusHook

        conn_id = getattr(operator, "nexus_conn_id", None)
        if conn_id and not NexusHook(conn_id).settings.portal_url:
            return ""
        return _pushed(ti_key, PORTAL_KEY)


class NexusReportLink(BaseOperatorLink):
    """Leads to the report that a sync has written, where the task says at which address people read it (``report_url``).

    .. seealso:: :doc:`report`
    """

    @property
    def name(self) -> str:
        """The button's text."""
        return "Proof report"

    @property
    def xcom_key(self) -> str:
        """Where Airflow's API server looks."""
        return REPORT_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed; empty when it pushed none.

        Airflow logs an XCom that is not there as an error, so tasks that say no address are not asked for theirs.
        """
        if not getattr(operator, "report_url", True):
            return ""
        return _pushed(ti_key, REPORT_KEY)


def _pushed(ti_key: TaskInstanceKey, key: str) -> str:
    from airflow.sdk.execution_time.xcom import XCom

    return str(XCom.get_value(ti_key=ti_key, key=key) or "")
