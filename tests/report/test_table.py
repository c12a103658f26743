"""The page on a table says what the page on files of the same readings says, and holds every manifest."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.report import write_report
from airflow_provider_nexus.report.table import put_table_report, write_table_report
from airflow_provider_nexus.verify.tables import open_table, verify_table
from tests.load.sql.loading import TABLE, copy_of, later, load, small
from tests.report.pages import Page
from tests.report.tables import DAYS, LEFT_OUT, UNPROVED, Grown, change
from tests.report.trees import ENVIRONMENT, MADE_AT, midnight


@pytest.fixture
def engine(both: Grown, tmp_path: Path) -> Iterator[Engine]:
    """A database of its own for each test."""
    made = sa.create_engine(f"sqlite:///{shutil.copy(both[0], tmp_path / 'copy.db')}")
    yield made
    made.dispose()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    made = sa.create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    yield made
    made.dispose()


def html_of(engine: Engine, table: str) -> str:
    return write_table_report(open_table(engine, table), made_at=MADE_AT)


def page_of(engine: Engine, table: str) -> Page:
    return Page.of(html_of(engine, table))


def part(page: Page, first: str, last: str) -> str:
    """The text from one heading to another."""
    return page.text.rpartition(f" {first} ")[2].partition(f" {last} ")[0]


PARTS = {
    "orders": [("Calendar", "Money"), ("Records and amounts by day", "Gaps"), ("Records put aside", "Chain of manifests")],
    "broker_transactions": [("Open records", "Fields"), ("Read again and patched", "Open records")],
}


@pytest.mark.parametrize("name", PARTS)
def test_a_table_tells_what_files_tell(both: Grown, engine: Engine, name: str) -> None:
    table = page_of(engine, f"nexus_{name}")
    files = Page.of(write_report(both[1] / ENVIRONMENT / name, made_at=MADE_AT))
    for first, last in PARTS[name]:
        # A reading may begin in another second, and a table has no patches.
        varying = re.compile(r"\d+ patch(es)? |(?<=T0010)0\d(?=Z)|(?<=00:10):0\d")
        told, of_files = (varying.sub("", part(page, first, last)) for page in (table, files))
        assert len(told) > 40
        assert told == of_files.partition(" Windows that were patched")[0]
    summary = re.compile(r"UTC\. (.*?\.) Read up to.*? complete")
    assert summary.findall(table.text) == summary.findall(files.text) != []


def test_gaps_and_what_is_unproved_are_told_first(engine: Engine) -> None:
    look = page_of(engine, "nexus_orders").text.partition("To look into")[2].partition(" Calendar ")[0]
    assert f"{midnight(UNPROVED):%Y-%m-%d} to {midnight(UNPROVED + 1):%Y-%m-%d} is unproved" in look
    assert f"{midnight(LEFT_OUT):%Y-%m-%d} to {midnight(LEFT_OUT + 1):%Y-%m-%d} is in no window" in look


def test_readings_of_the_whole_are_told(engine: Engine) -> None:
    text = page_of(engine, "nexus_balances").text
    assert f"All is well. Read up to 2026-01-0{DAYS + 1}" in text
    assert f"{DAYS} of {DAYS} readings are proved complete" in text
    assert "these records have no status by which they come to an end" in text


@pytest.mark.parametrize("name", ["orders", "broker_transactions", "balances"])
def test_every_mark_leads_to_its_manifest(engine: Engine, name: str) -> None:
    html = html_of(engine, f"nexus_{name}")
    page = Page.of(html)
    assert len(page.ids) == len(set(page.ids))
    assert {link[:1] for link in page.links} == {"#"}
    assert {link[1:] for link in page.links} <= set(page.ids)
    with engine.connect() as connection:
        query = sa.text(f"SELECT number, manifest, sha256 FROM nexus_manifest WHERE table_name = 'nexus_{name}' ORDER BY number")
        books = [tuple(row) for row in connection.execute(query)]
    told = [text for text in page.texts if text.startswith("{")]
    books.reverse()  # the newest comes first
    assert told == [text for _, text, _ in books]
    assert [hashlib.sha256(text.encode()).hexdigest() for text in told] == [digest for *_, digest in books]
    assert [each for each in page.ids if re.fullmatch(rf"nexus_{name}-\d+", each)] == [f"nexus_{name}-{n}" for n, *_ in books]
    windows = [each for each in page.ids if re.fullmatch(r"r0-w\d+", each)]
    assert windows
    assert len([link for link in page.links if link.startswith(f"#nexus_{name}-")]) == len(windows)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "form", "base"}


def test_keys_that_are_personal_are_left_out(engine: Engine) -> None:
    html = html_of(engine, "nexus_customers")
    with engine.connect() as connection:
        keys = list(connection.execute(sa.text("SELECT _key FROM nexus_customers")).scalars())
    assert keys
    assert [key for key in keys if key in html] == []
    assert "without keys, as those are personal" in html


DAMAGE = {
    "text": (
        "UPDATE nexus_manifest SET manifest = replace(manifest, '\"records\"', '\"recordz\"') WHERE {here} AND number = 2",
        "load 2, 20260102T000000Z-20260103T000000Z: was edited: its text is not what its digest is of",
    ),
    "column": (
        "UPDATE nexus_manifest SET verdict = 'proved' WHERE {here} AND number = 2",
        "something else than its columns verdict",
    ),
    "window": (
        "UPDATE nexus_manifest SET window_start = '2026-01-02T01:00:00.000000Z' WHERE {here} AND number = 2",
        "was edited: its text says something else than its columns window_start",
    ),
    "unreadable": (
        "UPDATE nexus_manifest SET manifest = '{{' WHERE {here} AND number = 1",
        "load 1, 20260101T000000Z-20260102T000000Z: can't be read",
    ),
    "link": (
        "UPDATE nexus_manifest SET previous = 'x' WHERE {here} AND number = 3",
        "does not carry the digest of the one before it",
    ),
    "lost": ("DELETE FROM nexus_manifest WHERE {here} AND number = 2", "should be number 2: manifests are missing"),
    "last lost": ("DELETE FROM nexus_manifest WHERE {here} AND number = 4", "had 4 loads, but its last manifest is number 3"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_tampered_books_are_named(engine: Engine, name: str) -> None:
    statement, said = DAMAGE[name]
    assert "The chain of manifests is whole: 3 digests lead to what they name." in page_of(engine, "nexus_orders").text
    change(engine, statement.format(here="table_name = 'nexus_orders'"))
    text = page_of(engine, "nexus_orders").text
    assert "The chain of manifests is broken in" in text
    assert said in text.partition("To look into")[2].partition(" Calendar ")[0]
    assert said in part(Page([], [], [], [text]), "Chain of manifests", "Register of windows")
    assert name == "window" or not verify_table(open_table(engine, "nexus_orders")).is_fine


def loaded(engine: Engine, *codes: str, **changes: Any) -> None:
    """A load of its own, whose manifest says what it is given."""
    verdict = changes.get("verdict", "proved")
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    told = {"manifest_version": 1, "proof": {"verdict": verdict}, "window": window, "records": len(codes)}
    rows = small(*((code, "Completed") for code in codes), read_at=later(len(codes)))
    load(copy_of(engine), rows, **{**changes, "manifest": told | changes.pop("manifest", {})})


@pytest.mark.parametrize("verdict", ["proved", "proved_shrunk", "unproved"])
def test_the_last_load_of_a_window_counts(empty: Engine, verdict: str) -> None:
    loaded(empty, "A", verdict="unproved")
    loaded(empty, "A", "B", verdict=verdict)
    page = page_of(empty, TABLE)
    words = {"proved": "1 of 1 window is proved", "proved_shrunk": "1 of them though", "unproved": "0 of 1 window is proved"}
    assert words[verdict] in page.text
    shapes = [attributes.get("class") for tag, attributes in page.tags if tag == "rect"]
    assert shapes.count({"proved": "P", "proved_shrunk": "S", "unproved": "U"}[verdict]) == 2  # one is of the legend
    assert ("circle", "again") in [(tag, attributes.get("class")) for tag, attributes in page.tags]
    assert "1 digest was followed and leads to what it names, 1 of them to manifests that were replaced later" in page.text
    assert f"#{TABLE}-2" in page.links


def test_a_window_read_again_whole_is_still_that_window(empty: Engine) -> None:
    loaded(empty, "A", verdict="unproved")
    loaded(empty, "A", "B", feed="reread", label="reread-20260101T000000Z-20260102T000000Z-20260103T000000Z")
    text = page_of(empty, TABLE).text
    assert "1 of 1 window is proved complete" in text
    assert "No window was changed by a later reading" in text


def test_hostile_manifests_stay_text(empty: Engine) -> None:
    hostile = "</pre></details><script>alert(1)</script>{{ 7*7 }}"
    loaded(empty, "A", manifest={"run": {hostile: hostile}, "environment": hostile}, label=hostile)
    page = page_of(empty, TABLE)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count("{{ 7*7 }}") > 3


def test_a_reader_who_may_not_write_can_report(engine: Engine) -> None:
    reader = sa.create_engine(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true")
    said = list[str]()
    sa.event.listen(reader, "before_cursor_execute", lambda *told: said.append(told[2]))
    assert html_of(reader, "nexus_broker_transactions") == html_of(engine, "nexus_broker_transactions")
    assert {text for text in said if not text.startswith(("SELECT", "WITH", "PRAGMA"))} == {"BEGIN", "COMMIT"}
    reader.dispose()


def test_what_cannot_be_reported_is_said(empty: Engine, tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match="is no table that a sync has made"):
        open_table(empty, TABLE)
    copy_of(empty).prepare()
    with pytest.raises(NexusConfigurationError, match=f"no manifest of table {TABLE}"):
        html_of(empty, TABLE)
    loaded(empty, "A")
    (tmp_path / "taken").write_text("no folder")
    with pytest.raises(NexusStorageError, match="there is a file where a folder is needed"):
        put_table_report(open_table(empty, TABLE), tmp_path / "taken" / "x.html")
    assert put_table_report(open_table(empty, TABLE), tmp_path / "x.html") == (tmp_path / "x.html").stat().st_size
