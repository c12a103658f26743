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
    """Leads to the report that a sync has written, where the task has the address at which people read it (``report_url``).

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

        Airflow logs an XCom that is not there as an error, so tasks without an address are not asked for one.
        """
        if not getattr(operator, "report_url", True):
            return ""
        return _pushed(ti_key, REPORT_KEY)


def _pushed(ti_key: TaskInstanceKey, key: str) -> str:
    from airflow.sdk.execution_time.xcom import XCom

    return str(XCom.get_value(ti_key=ti_key, key=key) or "")
