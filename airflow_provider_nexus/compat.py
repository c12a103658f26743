"""What moved between the versions of Airflow that are supported, 3.1 on."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import AirflowSkipException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowSkipException  # type: ignore[no-redef]

__all__ = ["AirflowSkipException"]
