"""The page of facts is the only one: what cites it names a section of it, and what it says of the code is so."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_nexus.api.resource import Resource
from airflow_provider_nexus.api.resources import RESOURCES
from airflow_provider_nexus.sandbox import SandboxSettings
from airflow_provider_nexus.sandbox.app import all_routes
from airflow_provider_nexus.writes.trades import TRADES
from tests.docs.pages import DOCS, ROOT
from tests.sandbox.replay.reading import READING
from tests.sandbox.replay.writing import WRITING

PAGE = DOCS / "api_facts.rst"
TEXT = PAGE.read_text()
FOLDERS = ("airflow_provider_nexus", "docs", "tests", "example_dags", "benchmarks", ".ci")
SUFFIXES = {"", ".py", ".rst", ".md", ".toml", ".txt", ".html", ".yaml", ".css", ".js"}
SETTINGS = {field.name for field in dataclasses.fields(SandboxSettings)}

_SECTION = re.compile(r"^\.\. _(facts[a-z-]*):\n\n(.+)\n([=~-])\3+$", re.MULTILINE)
LABELS = {label: title for label, title, _ in _SECTION.findall(TEXT)}
_CITED = re.compile(r"docs/api_facts\.rst,([\s#]+[^\s#]+(?:[\s#]+[a-z]+)*)")
_OLD = re.compile(r"fact[ _-]?sheet", re.IGNORECASE)
_TABLE = re.compile(r"^\.\. list-table::\n(?:   :.*\n)+\n((?:   .*\n)+)", re.MULTILINE)
_ROW = re.compile(r"^   \* - (.*?)(?=^   \* - |\Z)", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^     - ?", re.MULTILINE)
_LITERAL = re.compile(r"``([^`]+)``")
_CALLED = re.compile(r"\b(GET|POST|PUT|DELETE)\b")
_NAME = re.compile(r"(?:[a-z]\w*\.)?([a-z]\w*|DocumentStoreType)")
_OF_UNKNOWN_TYPE = {f"/interest/custodian/schedules/{{}}/{part}intervals/{{}}" for part in ("", "sub")}
"""No source has a value for the type, so no client's call is known."""


def _files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in {".md", ".toml", ".txt"})
    yield ROOT / "Makefile"
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in SUFFIXES and not {"_build", "_generated", "__pycache__"} & {*path.parts}:
                yield path


WRITTEN = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(_files())}


def _is_title(text: str) -> bool:
    """Whether a text begins with the title of a section."""
    words = re.sub(r"[\s#]+", " ", text).strip()
    return any(re.match(rf"{re.escape(title)}(?!\w)", words, re.IGNORECASE) for title in LABELS.values())


def _rows(label: str) -> list[list[str]]:
    """The rows of the tables in a section, but for their heads, each a list of cells."""
    begin = TEXT.index(f".. _{label}:")
    end = TEXT.find("\n.. _", begin + 1)
    tables = _TABLE.findall(TEXT[begin : end if end > 0 else None])
    return [[" ".join(cell.split()) for cell in _CELL.split(row)] for table in tables for row in _ROW.findall(table)[1:]]


def _shape(path: str) -> str:
    """A path without the names of what varies in it, nor the case of its letters."""
    return re.sub(r"\{\w+\}", "{}", path).lower()


def _table() -> Iterator[tuple[set[tuple[str, str]], set[str]]]:
    """Of each row of the tables of calls, method and path of its calls, and the names in their query or body."""
    for call, _, sent, *_ in (row for label in LABELS if label.endswith("-calls") for row in _rows(label)):
        paths = [_shape(literal) for literal in _LITERAL.findall(call) if literal.startswith("/")]
        yield {(method, path) for path in paths for method in _CALLED.findall(call)}, {*_LITERAL.findall(sent)}


def _calls() -> dict[tuple[str, str], set[str]]:
    """Method and path of every call in the tables, with the names in its query or body."""
    return {call: names for calls, names in _table() for call in calls}


def _named_in(body: Any) -> set[str]:
    """All names in a body, however deep, in lower case."""
    if isinstance(body, list):
        return {name for each in body for name in _named_in(each)}
    return {*map(str.lower, body)}.union(*map(_named_in, body.values())) if isinstance(body, dict) else set()


def _replayed() -> dict[tuple[str, str], set[str]]:
    """Method and path, as the page has it, of every call that is replayed, with the names that are sent with it."""
    found: dict[tuple[str, str], set[str]] = {}
    for _, call, _, *body in (*READING, *WRITING):
        method, path, query = re.fullmatch(r"(\w+) ([^?]+)\??(.*)", call).groups()  # type: ignore[union-attr]
        fits = [
            fact
            for fact in _calls()
            if fact[0] == method and re.fullmatch(re.escape(fact[1]).replace(r"\{\}", "[^/]+"), path.lower())
        ]
        named = {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)} | _named_in(body)
        fact = min(fits, key=lambda fact: fact[1].count("{}"))
        found[fact] = found.get(fact, set()) | named
    return found


def test_what_cites_a_fact_names_a_section() -> None:
    assert [(path, text) for path, body in WRITTEN.items() for text in _CITED.findall(body) if not _is_title(text)] == []


def test_facts_are_cited() -> None:
    assert sum(len(_CITED.findall(text)) for text in WRITTEN.values()) > 20


def test_every_citation_can_be_found() -> None:
    """In another form than the one that the test above reads, a citation could name anything."""
    odd = re.compile(r"api_facts\.rst(?!,[\s#]+\w)")
    pages = {"README.md", "CONTRIBUTING.md", "tests/docs/test_api_facts.py"}  # they lead to the page, not to a section
    assert [path for path, text in WRITTEN.items() if path not in pages and odd.search(text)] == []


def test_nothing_cites_what_no_reader_has() -> None:
    assert [path for path, text in WRITTEN.items() if _OLD.search(re.sub(r"[\s#]+", " ", text))] == []


def test_every_section_has_a_label_of_its_own() -> None:
    titles = re.findall(r"^(\S.*)\n(?:=+|-+|~+)$", TEXT, re.MULTILINE)
    assert titles == list(LABELS.values())
    assert len(titles) == len({title.casefold() for title in titles})


def test_every_source_that_is_named_is_explained() -> None:
    known = {name for name, *_ in _rows("facts-sources")}
    named = {
        source
        for label in LABELS
        if label.endswith("-calls")
        for *_, seen in _rows(label)
        for source in re.sub(r"\(.*?\)", "", seen.partition(":")[2]).replace(" ", "").split(",")
    }
    assert named <= known
    assert named


@pytest.mark.parametrize("question", _rows("facts-open-questions"), ids=lambda row: row[0][:60])
def test_an_open_question_names_what_there_is(question: list[str]) -> None:
    asked, done, where = question
    named = _LITERAL.findall(where)
    assert asked.endswith(("?", "documented.")), asked
    assert done
    assert named
    for name in named:
        setting = name.removeprefix("SandboxSettings.")
        assert setting in SETTINGS if setting != name else (ROOT / "airflow_provider_nexus" / name).is_file(), name


def test_there_are_open_questions() -> None:
    assert len(_rows("facts-open-questions")) > 20


def test_modules_that_the_page_names_are_there() -> None:
    named = {name for name in _LITERAL.findall(TEXT) if re.fullmatch(r"[a-z_/]+\.py", name)}
    assert [name for name in sorted(named) if not (ROOT / "airflow_provider_nexus" / name).is_file()] == []


def test_every_call_of_the_code_is_a_fact() -> None:
    catalogue = {("GET", path) for each in RESOURCES.values() for path in (each.path, each.member_path, each.totals_path) if path}
    cancelled = {(each.cancel[0], each.cancel[1]) for each in RESOURCES.values() if each.cancel}
    trades = {("POST", trade.path) for trade in TRADES.values()}
    simulated = {("POST", f"{trade.path}/simulate") for trade in TRADES.values() if trade.simulates}
    served = {(route.method, route.path) for route in all_routes()}
    code = catalogue | cancelled | trades | simulated | served
    assert sorted({(method, _shape(path)) for method, path in code} - _calls().keys()) == []


def test_single_records_can_be_read_where_there_is_a_call() -> None:
    with_call = {each.name for each in RESOURCES.values() if ("GET", _shape(f"{each.path}/{{}}")) in _calls() and not each.parent}
    by_other_codes = {"trade_pairs", "hot_wallet_balances"}  # all of an exchange; a path that looks like the mutations'
    assert with_call - by_other_codes == {each.name for each in RESOURCES.values() if each.member_path}


def test_every_call_is_replayed_as_the_clients_send_it() -> None:
    assert {path for _, path in _calls().keys() - _replayed().keys()} == _OF_UNKNOWN_TYPE


def test_every_name_of_a_query_or_body_is_sent_in_the_replay() -> None:
    replayed = _replayed()
    unsent = [
        (sorted(calls), name[1])
        for calls, names in _table()
        for name in map(_NAME.fullmatch, sorted(names))
        if name and name[1].lower() not in set().union(*(replayed.get(call, set()) for call in calls))
    ]
    assert unsent == []


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_query_names_of_the_catalogue_are_facts(resource: Resource) -> None:
    dates = [each for each in (resource.created, resource.finished) if each]
    names = {*resource.filters, *(name for each in dates for name in (each.since, each.until) if name), resource.parent_query}
    assert sorted(names - {""} - _calls()["GET", _shape(resource.path)]) == []
