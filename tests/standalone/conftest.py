"""What the tests at Airflow's pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.standalone.pages import opened_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A whole Airflow needs a minute on an idle machine, and several on a busy one."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a browser; the test is skipped where there is no Chromium, but fails where ``CI`` is set."""
    with opened_page() as page:
        yield page
