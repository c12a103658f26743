"""What the tests at Airflow's pages share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.standalone.pages import opened_page

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page in a browser; the test is skipped where there is no Chromium, but fails where ``CI`` is set."""
    with opened_page() as page:
        yield page
