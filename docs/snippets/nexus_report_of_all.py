"""One report on everything under a path, written by a task that has a button to it."""

from __future__ import annotations

# [START report_of_all]
from collections.abc import Sequence
from typing import Any

from airflow.sdk import DAG, BaseOperator, Context, ObjectStoragePath

from airflow_provider_nexus.links.nexus import REPORT_KEY, NexusReportLink
from airflow_provider_nexus.report import put_report


class ReportOperator(BaseOperator):
    """Writes the report on all resources under a path."""

    template_fields: Sequence[str] = ("path", "report_path", "address")
    operator_extra_links = (NexusReportLink(),)

    def __init__(self, *, path: str, report_path: str, address: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path, self.report_path, self.address = path, report_path, address

    def execute(self, context: Context) -> None:
        """Write the page, then link to it."""
        put_report(ObjectStoragePath(self.path), ObjectStoragePath(self.report_path))
        context["ti"].xcom_push(key=REPORT_KEY, value=self.address)


# [END report_of_all]

with DAG("nexus_report_of_all", schedule=None, params={"path": "s3://lake/nexus"}) as dag:
    ReportOperator(
        task_id="report",
        path="{{ params.path }}",
        report_path="{{ params.path }}/report.html",
        address="https://reports.example.com/nexus/report.html",
    )
