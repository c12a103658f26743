from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_nexus.api.resource import DateFilter, Resource, Shape
from airflow_provider_nexus.api.schemas.field import Schema, text
from airflow_provider_nexus.exceptions import NexusConfigurationError

THINGS = Resource(
    name="things",
    path="/things",
    member_path="/things/{code}",
    totals_path="/things/totals",
    not_members=("/things/kinds",),
    schema=Schema("Thing", (text("code", "Code"),)),
    meaning="Things",
    key=("code",),
    created=DateFilter("from", "till"),
)
PARTS = replace(THINGS, name="parts", path="/things/{parent}/parts", member_path="", parent="things", parent_field="code")


def test_defaults_are_those_of_most_resources() -> None:
    assert (THINGS.api_version, THINGS.shape, THINGS.envelope, THINGS.surface) == ("1.2", Shape.PAGED, True, "AB")


def test_an_entry_can_not_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        THINGS.name = "others"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("resource", "windowed"),
    [
        (THINGS, True),
        (replace(THINGS, created=None), False),
        (replace(THINGS, created=DateFilter("from", "")), False),
        (PARTS, False),
    ],
)
def test_a_window_needs_both_bounds_and_no_parent(resource: Resource, windowed: bool) -> None:
    assert resource.is_windowed is windowed


@given(st.text(min_size=1).filter(lambda code: code.isprintable() and code.strip() and code not in (".", "..")))
def test_a_code_is_one_part_of_the_path_whatever_it_holds(code: str) -> None:
    for path in (THINGS.record_path(code), PARTS.collection_path(code)):
        part = path.split("/")[2]
        assert path.count("/") == THINGS.record_path("x").count("/") + (path.endswith("/parts"))
        assert unquote(part) == code
        assert not set(part) & set("?#\\ ")


@pytest.mark.parametrize("code", ["", " ", ".", "..", "A\n", "\x00", "\ud800", None, 10000001, 1.5, True, b"A", ["A"]])
def test_what_is_no_code_makes_no_path(code: Any) -> None:
    for path_of, what in ((THINGS.record_path, "code of one of things"), (PARTS.collection_path, "code of one of things")):
        with pytest.raises(NexusConfigurationError, match=what):
            path_of(code)


def test_a_resource_without_single_records_says_so() -> None:
    with pytest.raises(LookupError, match="iterate over the collection"):
        PARTS.record_path("A")


@pytest.mark.parametrize("path", ["/things", "things", "/things/", "/THINGS", "/things/A-1", "/Things/a%2Fb/", "things/A-1"])
def test_a_resource_knows_its_paths(path: str) -> None:
    assert THINGS.owns_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/thing",
        "/thingsA",
        "/things/A/B",
        "/other/things",
        "/things/totals",
        "/Things/TOTALS/",
        "/things/kinds",
        "/things/A\n/B",
    ],
)
def test_other_paths_are_not_its_own(path: str) -> None:
    assert not THINGS.owns_path(path)


def test_a_child_knows_its_path_under_any_parent() -> None:
    assert PARTS.owns_path("/things/A-1/parts")
    assert not PARTS.owns_path("/things/parts")
    assert not PARTS.owns_path("/things//parts")
