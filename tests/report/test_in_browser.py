"""The page in a real browser: it asks for nothing, every mark leads to its window, all can be read and printed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.report import write_report
from airflow_provider_nexus.report.table import put_table_report
from airflow_provider_nexus.verify.tables import open_table
from tests.browser import browser
from tests.report.tables import Grown
from tests.report.trees import ENVIRONMENT, MADE_AT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SCREENSHOT = Path(__file__).parents[2] / "docs" / "images" / "report.png"

_CONTRAST = """
() => {
  const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
  const channels = colour => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const shape = element.previousElementSibling;
    if (element.tagName === 'text' && shape && shape.tagName === 'rect') return channels(getComputedStyle(shape).fill);
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    if (element.tagName === 'title') continue;
    const style = getComputedStyle(element);
    const colour = element.tagName === 'text' ? style.fill : style.color;
    const [high, low] = [light(channels(colour).slice(0, 3)), light(behind(element).slice(0, 3))].sort((a, b) => b - a);
    const name = element.tagName + '.' + element.getAttribute('class');
    found.push([(high + 0.05) / (low + 0.05), name, element.textContent.slice(0, 40)]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def address(grown: Path) -> Iterator[str]:
    path = grown / "report.html"
    path.write_text(write_report(grown, made_at=MADE_AT), encoding="utf-8")
    yield path.as_uri()
    path.unlink()


def opened(chromium: Browser, address: str, scheme: Literal["light", "dark"] = "light") -> Page:
    page = chromium.new_page(viewport={"width": 1240, "height": 1000}, color_scheme=scheme)
    page.goto(address)
    return page


def test_it_is_quiet_and_asks_for_nothing(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    asked, said = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert asked == [address]
    assert said == []
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).fontFamily").startswith("Georgia")
    page.close()


def test_every_mark_leads_to_its_window(chromium: Browser, address: str) -> None:
    page = opened(chromium, address)
    marks = page.locator("svg a")
    assert marks.count() > 50
    for number in range(marks.count()):
        mark = marks.nth(number)
        target, title = str(mark.get_attribute("href"))[1:], mark.locator("title").text_content() or ""
        mark.click()
        assert page.evaluate("location.hash") == f"#{target}"
        assert page.locator(f"#{target}").is_visible()
        assert page.locator(":target").inner_text().startswith(title.partition(": ")[0])
        assert page.evaluate("document.querySelector(':target').getBoundingClientRect().top < innerHeight")
    page.close()


def test_a_window_leads_to_its_manifest(chromium: Browser, address: str) -> None:
    page = opened(chromium, address)
    page.locator("tbody[id] a").first.click()
    page.wait_for_url(re.compile(r".*/_manifest\.json"))
    assert '"manifest_version"' in page.content()
    page.close()


def test_the_keyboard_reaches_marks_and_tables(chromium: Browser, address: str) -> None:
    page = opened(chromium, address)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('svg') ? 'mark' : document.activeElement.tagName"))
    assert {"mark", "SUMMARY", "A"} <= reached
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(chromium: Browser, address: str, scheme: Literal["light", "dark"]) -> None:
    page = opened(chromium, address, scheme)
    found = page.evaluate(_CONTRAST)
    assert len(found) > 500
    assert [each for each in found if each[0] < 4.5] == []
    page.close()


def test_light_and_dark_differ(chromium: Browser, address: str) -> None:
    shots = []
    for scheme in ("light", "dark"):
        page = opened(chromium, address, scheme)
        shots.append(page.screenshot())
        page.close()
    assert shots[0] != shots[1]


def test_a_narrow_screen_scrolls_tables_and_not_the_page(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_it_prints_with_all_details(chromium: Browser, address: str) -> None:
    page = opened(chromium, address)
    page.emulate_media(media="print")
    hidden = "[...document.querySelectorAll('details table')].filter(each => !each.getClientRects().length).length"
    assert page.evaluate(hidden) == 0
    wide = "[...document.querySelectorAll('table, svg')].filter(each => each.getBoundingClientRect().right > 1017).length"
    page.set_viewport_size({"width": 1017, "height": 700})  # what A4 in landscape holds within its margins
    assert page.evaluate(wide) == 0
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5
    page.close()


def test_a_page_on_a_table_opens_the_manifest_that_a_window_leads_to(chromium: Browser, both: Grown, tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{both[0]}")
    put_table_report(open_table(engine, "nexus_broker_transactions"), tmp_path / "report.html", made_at=MADE_AT)
    engine.dispose()
    page, said = chromium.new_page(viewport={"width": 1017, "height": 700}), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto((tmp_path / "report.html").as_uri())
    told = page.locator("pre")
    assert [each.is_visible() for each in told.all()] == [False] * told.count()
    page.locator("tbody[id] a").last.click()
    (opened,) = [each for each in told.all() if each.is_visible()]
    assert '"manifest_version"' in opened.inner_text()
    assert opened.evaluate("each => each.parentElement.getBoundingClientRect().top < innerHeight")
    assert said == []  # and nothing yet by what measures the contrast
    assert [each for each in page.evaluate(_CONTRAST) if each[0] < 4.5] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print")
    assert not any(each.is_visible() for each in told.all())
    page.close()


@pytest.mark.skipif(not os.environ.get("NEXUS_SCREENSHOTS"), reason="makes an image of the documentation")
def test_its_picture_for_the_documentation(chromium: Browser, grown: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(write_report(grown / ENVIRONMENT / "customers", made_at=MADE_AT), encoding="utf-8")
    page = opened(chromium, path.as_uri())
    page.set_viewport_size({"width": 1240, "height": 1360})
    SCREENSHOT.parent.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOT)
    page.close()
