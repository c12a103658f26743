"""A real Airflow for the tests of this folder: its database is made once per process, under the home of tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.airflow.figures import table_of
from tests.airflow.running import share_api_server

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder as one that needs Airflow."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("airflow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the tests have counted."""
    for line in table_of(terminalreporter.getreports("passed")):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def airflow_database() -> None:
    """Airflow's database, empty."""
    from airflow.utils.db import initdb

    initdb()
    share_api_server()


@pytest.fixture(scope="session")
def airflow_api(airflow_database: None) -> Iterator[TestClient]:
    """Airflow's own API server as the browser of an admin sees it."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with TestClient(create_app(apps="core")) as client:
        token = client.get("/auth/token").json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
