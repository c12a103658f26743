"""The report: one page that shows what the manifests of a folder tree prove, and what they don't."""

from airflow_provider_nexus.report.page import write_report
from airflow_provider_nexus.report.place import put_report

__all__ = ["put_report", "write_report"]
