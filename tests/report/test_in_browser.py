"""The page in a real browser: it asks for nothing, every mark leads to its window, all can be read and printed."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import sqlalchemy as sa

from airflow_provider_nexus.extract.window import RequestedWindow
from airflow_provider_nexus.report import put_report, write_report
from airflow_provider_nexus.report.reconciliation import write_reconciliation
from airflow_provider_nexus.report.table import put_table_report
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.sandbox.settings import WRONG_BOOKS
from airflow_provider_nexus.verify.tables import open_table
from tests.browser import browser
from tests.extract.serving import client_of
from tests.load.storing import put
from tests.reconcile.worlds import world
from tests.report.tables import Grown, put_table
from tests.report.trees import ENVIRONMENT, MADE_AT, midnight, spread

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
    page.evaluate("document.querySelectorAll('.resource').forEach(each => each.open = true)")
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
    page.evaluate("location.hash = document.querySelector('tbody[id]').id")
    page.locator("tbody[id] a").first.click()
    page.wait_for_url(re.compile(r".*/_manifest\.json"))
    assert '"manifest_version"' in page.content()
    page.close()


def test_the_keyboard_reaches_marks_and_tables(chromium: Browser, address: str) -> None:
    page = opened(chromium, address)
    page.evaluate("document.querySelector('.resource').open = true")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('svg') ? 'mark' : document.activeElement.tagName"))
    assert {"mark", "SUMMARY", "A"} <= reached
    page.locator(".fold > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".fold").first.get_attribute("open") is not None
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
    for _ in range(2):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(_CUT) == []
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.close()


_CUT = """
() => [...document.querySelectorAll('body *')].filter(each => each.getClientRects().length
    && !each.closest('.wide *, .skip, .cards thead, svg *') && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))
"""
"""What is to be seen and reaches beyond the screen, but in what scrolls by itself."""
SIZES: dict[str, tuple[dict[str, Any], int, int]] = {
    "one day": ({"number": 1, "hours": 24}, 1800, 2600),
    "17 days in one window": ({"number": 1, "hours": 17 * 24}, 1800, 2600),
    "400 days": ({"number": 400, "hours": 24}, 1900, 3100),
    "400 hours": ({"number": 400, "hours": 1}, 2100, 2900),
    "four years of days with gaps": ({"number": 1460, "hours": 24, "missing": range(5, 1400, 9)}, 2100, 3400),
    "a year of four hours": ({"number": 2190, "hours": 4}, 2300, 3500),
    "thirty resources": ({"number": 20, "hours": 24, "resources": [f"r{n}" for n in range(29)] + ["r_" * 60]}, 4000, 8000),
}


@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_short_whatever_it_is_of(chromium: Browser, grown: Path, tmp_path: Path, size: str) -> None:
    arguments, tall, tall_on_a_phone = SIZES[size]
    spread(tmp_path, grown, **arguments)
    (tmp_path / "report.html").write_text(write_report(tmp_path, made_at=MADE_AT), encoding="utf-8")
    page = opened(chromium, (tmp_path / "report.html").as_uri())
    assert "problem" not in page.locator(".verdict").inner_text()
    height = "document.documentElement.scrollHeight"
    assert page.evaluate(height) < tall
    first = page.evaluate("document.querySelector('.panels svg, .resources tr + tr').getBoundingClientRect().bottom")
    assert first < 1000  # a screen shows the verdict, what to look into, and the calendar
    assert page.locator(".fresh").is_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate(height) < tall_on_a_phone
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(_CUT) == []
    page.close()


@pytest.fixture(scope="module")
def seventeen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database and files of one window of 17 days."""
    folder, end = tmp_path_factory.mktemp("seventeen"), midnight(0)
    with Sandbox(now=end + timedelta(hours=1), clock_speed=0, customers=20, transactions=400, days=17) as sandbox:
        client, requested = client_of(sandbox), RequestedWindow(end - timedelta(days=17), end, "arguments")
        engine = sa.create_engine(f"sqlite:///{folder / 'copy.db'}")
        put_table(client, engine, "transactions", requested)
        put_table_report(open_table(engine, "nexus_transactions"), folder / "table.html", made_at=MADE_AT)
        engine.dispose()
        put(client, folder / "lines", "transactions", requested)
        put(client, folder / "typed", "transactions", requested, "parquet")
        client.session.close()
    for name in ("lines", "typed"):
        put_report(folder / name, folder / f"{name}.html", made_at=MADE_AT)
    return folder


@pytest.mark.parametrize("name", ["table", "lines", "typed"])
def test_sums_by_day_are_those_of_the_database(chromium: Browser, seventeen: Path, name: str) -> None:
    query = "SELECT substr(created, 1, 10), currency_code, executed_amounts_fiat_value FROM nexus_transactions"
    counts, sums = Counter[str](), defaultdict[tuple[str, str], Decimal](Decimal)
    with sqlite3.connect(seventeen / "copy.db") as database:
        for day, currency, value in database.execute(query):
            counts[day] += 1
            sums[day, currency] += Decimal(value or 0)
    database.close()
    page = opened(chromium, (seventeen / f"{name}.html").as_uri())
    read = """(name) => {
      const table = [...document.querySelectorAll('table.digits')].find(each => name === 'Records'
        ? each.caption?.textContent.startsWith('Records per') : each.parentElement.ariaLabel === `${name} per day`);
      return [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.trim().replaceAll(',', '')));
    }"""
    assert {day: int(number) for day, number in page.evaluate(read, "Records")[1:]} == counts
    assert len(counts) == 17
    head, *rows = page.evaluate(read, "executedAmounts.fiatValue")
    found = {(day, code): Decimal(value) for day, *each in rows for code, value in zip(head[1:], each, strict=True) if value}
    assert {at: value for at, value in found.items() if value} == {at: value for at, value in sums.items() if value}
    page.close()


def test_the_browser_finds_what_is_folded_and_copies_whole_digests(chromium: Browser, seventeen: Path) -> None:
    """A text fragment is found as a search in the page is, and opens what it lies in."""
    manifest = next((seventeen / "typed").rglob("2*/_manifest.json")).read_bytes()
    digest, address = hashlib.sha256(manifest).hexdigest(), (seventeen / "typed.html").as_uri()
    page = opened(chromium, address)
    assert not page.locator(".sha").first.is_visible()
    page.close()
    page = opened(chromium, f"{address}#:~:text={digest}")
    shown = page.locator(".sha").first
    shown.wait_for(state="visible")
    assert shown.evaluate("each => each.getBoundingClientRect().width") < 120
    assert shown.get_attribute("title") == digest
    shown.click()
    assert page.evaluate("getSelection().toString()") == digest
    assert shown.evaluate("each => each.scrollWidth <= each.clientWidth + 1")  # and all of it is shown now
    page.close()


def test_without_colour_verdicts_differ_in_shape(chromium: Browser, grown: Path, tmp_path: Path) -> None:
    signs = set()
    for name in ("broker_transactions", "customers", "orders"):  # sound, with a gap, unproved
        (tmp_path / "report.html").write_text(write_report(grown / ENVIRONMENT / name, made_at=MADE_AT), encoding="utf-8")
        page = opened(chromium, (tmp_path / "report.html").as_uri())
        signs.add(page.locator(".sign").inner_html())
        page.close()
    assert len(signs) == 3


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
    page.evaluate("location.hash = document.querySelector('tbody[id]').id")
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
def test_its_picture_for_the_documentation(chromium: Browser, tmp_path: Path) -> None:
    days, end = 75, datetime(2026, 3, 17, tzinfo=UTC)
    with Sandbox(now=end + timedelta(hours=1), clock_speed=0, customers=60, transactions=days * 40, days=days) as sandbox:
        for day in range(days):
            client, start = client_of(sandbox), end - timedelta(days=days - day)
            if day != 48:
                put(client, tmp_path, "transactions", RequestedWindow(start, start + timedelta(days=1), "arguments"))
            client.session.close()
    put_report(tmp_path, tmp_path / "report.html", made_at=end + timedelta(hours=3))
    page = opened(chromium, (tmp_path / "report.html").as_uri())
    page.set_viewport_size({"width": 1240, "height": 1440})
    SCREENSHOT.parent.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOT)
    page.close()


def reconciled(tmp_path: Path) -> Path:
    """The page of a reconciliation of books that are wrong in all ways that the sandbox knows."""
    with world(tmp_path / "copies", lives="long", wrong_books=list(WRONG_BOOKS), transactions=600) as made:
        made.put("jsonl", number=1)
        page = tmp_path / "reconciliation.html"
        page.write_text(write_reconciliation(made.reconcile(made.files("jsonl")), made_at=made.end), encoding="utf-8")
    return page


def test_a_reconciliation_can_be_read_on_a_phone_and_in_the_dark(chromium: Browser, tmp_path: Path) -> None:
    page = opened(chromium, reconciled(tmp_path).as_uri(), "dark")
    assert page.get_by_role("heading", name="To look into").is_visible()
    assert [each for each in page.evaluate(_CONTRAST) if each[0] < 4.5] == []
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if os.environ.get("NEXUS_SCREENSHOTS"):
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = false)")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1240, "height": 760})
        page.screenshot(path=SCREENSHOT.with_name("reconciliation.png"))
    page.close()
