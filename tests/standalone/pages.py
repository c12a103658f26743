"""Airflow's user interface as a person meets it: its forms, and the page of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.browser import browser

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, ViewportSize

IMAGES = Path(__file__).parents[2] / "docs" / "images"
VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
PATIENCE = 120_000
"""Milliseconds until an element has to be there: Airflow's pages are large, and the machine may be busy."""
RUN = 240_000
"""Milliseconds until a run has to be over."""


@contextmanager
def opened_page() -> Iterator[Page]:
    """A page in a browser of its own."""
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with browser() as running:
        page = running.new_page(viewport=VIEWPORT)
        page.set_default_timeout(PATIENCE)
        yield page


def picture(page: Page, name: str, of: Locator | None = None) -> None:
    """Keep what is seen as an image of the documentation, where ``NEXUS_SCREENSHOTS`` is set.

    :param of: the part that is kept; by default the page
    """
    from playwright.sync_api import expect

    if os.environ.get("NEXUS_SCREENSHOTS"):
        expect(page.get_by_role("status")).to_have_count(0)
        page.wait_for_load_state("networkidle")
        (of or page).screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def named(place: Locator, name: str) -> Locator:
    """The field that a provider or a DAG has named. Airflow ties no label to those that hold text."""
    return place.locator(f"[name=element_{name}]")


def pick(form: Locator, title: str, moment: str) -> None:
    """Choose a moment by a date picker.

    :param moment: as ``2026-01-31T12:00``, in UTC
    """
    day, _, hour = moment.partition("T")
    form.get_by_role("group").filter(has_text=title).get_by_test_id("datetime-input").click()
    form.page.get_by_placeholder("YYYY/MM/DD").fill(day.replace("-", "/"))
    form.page.get_by_placeholder("HH:mm").fill(hour[:5])
    form.get_by_role("heading").first.click()  # away from the calendar, which closes it
    form.page.get_by_placeholder("YYYY/MM/DD").wait_for(state="hidden")


class ConnectionForm:
    """The dialog for a new connection of our type, its extra fields unfolded or not.

    :param page: any page of Airflow's
    """

    def __init__(self, page: Page, url: str) -> None:
        page.goto(f"{url}/connections")
        page.get_by_role("button", name="Add Connection").click()
        self.page, self.dialog = page, page.get_by_role("dialog")
        self._choose("Connection Type", "Quantoz Nexus")

    def _choose(self, label: str, option: str) -> None:
        self.dialog.get_by_role("combobox", name=label).fill(option)
        self.page.get_by_role("option", name=option, exact=True).click()

    def fill(self, conn_id: str, host: str, token: str) -> None:
        """What every connection has."""
        self.dialog.get_by_label("Connection ID").fill(conn_id)
        self.dialog.get_by_label("Base URL").fill(host)
        self.dialog.get_by_label("API token").fill(token)

    def unfold(self, name: str) -> None:
        """Show the fields of a fold; Airflow folds the others away.

        :param name: how its title begins
        """
        self.dialog.get_by_role("button", name=name).click()

    def fill_extras(self, environment: str, expires: str, timeout: str, portal_url: str) -> None:
        """What is ours alone; writes are allowed."""
        self.unfold("Environment")
        self._choose("Environment", environment)
        self.dialog.get_by_text("Allow writes", exact=True).click()
        named(self.dialog, "key_expires").fill(expires)
        self.unfold("Calls")
        self.dialog.get_by_label("Read timeout").fill(timeout)
        named(self.dialog, "portal_url").fill(portal_url)

    def save(self) -> None:
        """Press the button, and see the dialog go."""
        self.dialog.get_by_role("button", name="Save").click()
        self.dialog.wait_for(state="hidden")


class RunPage:
    """The page of a run.

    :param url: its address
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    @classmethod
    def of_trigger(cls, page: Page, dag: str, params: Mapping[str, str], moments: Mapping[str, str] | None = None) -> RunPage:
        """Trigger a DAG by its form and land on the run's page.

        :param dag: address of the DAG's page
        :param params: texts and numbers, by name
        :param moments: by the title of their date picker
        """
        page.goto(dag)
        page.get_by_role("button", name="Trigger").click()
        form = page.get_by_role("dialog")
        for name, value in params.items():
            named(form, name).fill(value)
        for title, moment in (moments or {}).items():
            pick(form, title, moment)
        form.get_by_role("button", name="Trigger").click()
        page.wait_for_url(re.compile(r"/runs/"))
        return cls(page, page.url)

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.url.rpartition("/runs/")[2]

    @property
    def dag_id(self) -> str:
        """Its DAG."""
        return self.url.partition("/dags/")[2].partition("/")[0]

    def open(self) -> None:
        """Go back to it."""
        self.page.goto(self.url)

    def expect_success(self) -> None:
        """Wait until the run's own badge says so."""
        from playwright.sync_api import expect

        heading = self.page.get_by_role("heading", name=unquote(self.run_id))
        expect(heading.locator("xpath=..")).to_contain_text("Success", timeout=RUN)

    def expect_task(self, task_id: str, state: str) -> None:
        """Wait until a task has a state."""
        from playwright.sync_api import expect

        expect(self.page.get_by_role("row", name=task_id)).to_contain_text(state, timeout=RUN)

    def expect_line(self, task_id: str, text: str) -> None:
        """Wait until a task's log has a text."""
        from playwright.sync_api import expect

        self.page.goto(f"{self.url}/tasks/{task_id}")
        expect(self.page.get_by_test_id("virtualized-list")).to_contain_text(text)

    def link(self, task_id: str, name: str) -> Locator:
        """A button of a task that leads elsewhere."""
        self.page.goto(f"{self.url}/tasks/{task_id}/details")
        return self.page.get_by_role("link", name=name)
