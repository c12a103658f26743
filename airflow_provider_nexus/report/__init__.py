"""The report: one page that shows what the manifests of a folder tree prove, and what they don't."""

from airflow_provider_nexus.report.page import put_report, write_report

__all__ = ["put_report", "write_report"]
