"""The way from a task to the record that it dealt with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

PORTAL_KEY = "nexus_portal_url"
"""The XCom that holds the address; a task pushes it as soon as it knows its record."""


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

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The address that the task pushed; empty when it pushed none."""
        from airflow.sdk.execution_time.xcom import XCom

        return str(XCom.get_value(ti_key=ti_key, key=PORTAL_KEY) or "")
