"""Links lead somewhere. Nothing is asked of the network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import DOCS, ROOT

HOSTS = {
    "127.0.0.1",
    "airflow.apache.org",
    "api.quantoznexus.com",
    "api.test.casp.quantoznexus.com",
    "docs.quantoznexus.com",
    "github.com",
    "keepachangelog.com",
    "openlineage.io",
    "semver.org",
    "www.quantoz.com",
}
"""Hosts that a page may lead to. Names under ``.example`` and ``example.com`` belong to nobody and lead nowhere."""

MARKDOWN = sorted(ROOT.glob("*.md"))
PAGES = [*MARKDOWN, *sorted(DOCS.glob("*.rst"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_URL = re.compile(r"https?://[^\s)>\"'`\]]+")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_LISTED = re.compile(r"^   (?:[^<\n]* <)?([a-z_]+)>?$", re.MULTILINE)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def _anchors(page: Path) -> set[str]:
    """The anchors of a Markdown page's headings, as they are made where it is shown."""
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in _HEADING.findall(page.read_text())}


def _is_sound(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in _anchors(target))


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not _is_sound(page, link)] == []


@every_page
def test_links_lead_to_known_hosts_only(page: Path) -> None:
    hosts = {urlsplit(url).hostname or "" for url in _URL.findall(page.read_text())}
    strange = {host for host in hosts - HOSTS if not re.fullmatch(r".*(\.|^)example(\.com)?", host)}
    assert strange == set()


def test_every_page_is_listed_once() -> None:
    listed = _LISTED.findall(
        "\n".join(re.findall(r"^\.\. toctree::.*?(?=^\S|\Z)", (DOCS / "index.rst").read_text(), re.M | re.S))
    )
    assert sorted(listed) == sorted(page.stem for page in DOCS.glob("*.rst") if page.stem != "index")


def test_the_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    more = text[text.index("## More") :]
    assert [page.stem for page in sorted(DOCS.glob("*.rst")) if page.stem != "index" and f"](docs/{page.name})" not in more] == []
