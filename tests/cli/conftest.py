from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def airflow_is_imported() -> None:
    """Airflow 3.1 logs for ever to what stderr is when it is first imported, and that of one test is closed after it."""
    import airflow.settings  # noqa: F401
