from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def airflow_is_imported() -> None:
    """Airflow 3.1 logs for ever to what stderr is when it is first imported, and that of one test is closed after it."""
    import airflow.settings  # noqa: F401


@pytest.fixture(autouse=True)
def as_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are as long as they need to be, whatever the terminal that the tests are run from exports."""
    monkeypatch.delenv("COLUMNS", raising=False)
