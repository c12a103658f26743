"""Settings for every test. Nothing of Airflow is imported here: most tests run without it."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import lacking
from tests.repeated import times

if TYPE_CHECKING:
    from airflow_provider_nexus.sandbox import Sandbox

# How long an example takes says something of the machine, not of the code.
settings.register_profile(
    "any machine",
    parent=settings(),
    deadline=None,
    max_examples=times(50, 100),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")


LONGEST_FIRST = ("cluster", "standalone", "release", "browser", "long")
"""Markers of tests, those of which a file takes longest first: at the end the other workers would wait for it."""


def _use_own_airflow_home() -> None:
    """Give this process an Airflow of its own; Airflow reads this once, when it is first imported."""
    home = Path(tempfile.mkdtemp(prefix="nexus-tests-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "dags").mkdir()
    for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


_use_own_airflow_home()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each wait of this thread, without the waiting."""
    made: list[float] = []
    sleep, here = time.sleep, threading.get_ident()
    monkeypatch.setattr(time, "sleep", lambda seconds: made.append(seconds) if threading.get_ident() == here else sleep(seconds))
    return made


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    from tests.extract.serving import sandbox_and_client

    with sandbox_and_client() as (sandbox, _):
        yield sandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long first, and of slow tests where each worker begins; all else stays in its order."""
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in LONGEST_FIRST])
    longest = [item for item in items if item.get_closest_marker("long") and item.get_closest_marker("slow")]
    if not longest:
        return
    others = [item for item in items if item not in longest]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = -(-len(others) // workers)
    parts = [(*longest[each::workers], *others[each * share : (each + 1) * share]) for each in range(workers)]
    items[:] = [item for part in parts for item in part]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what could not be tested here; of workers the one tells that has their reports."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        return
    lacks = list(lacking.skipped(terminalreporter.getreports("skipped")))
    lacking.keep(lacks)
    for line in lacking.told(lacks):
        terminalreporter.write_line(line, red=True)
