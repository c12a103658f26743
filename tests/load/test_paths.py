from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.exceptions import NexusConfigurationError
from airflow_provider_nexus.load.paths import place_of

REFUSED: list[tuple[Any, str]] = [
    ("", "is empty"),
    ("  ", "is empty"),
    (" /data", "blanks around it"),
    ("/data\n", "blanks around it"),
    ("/da\x1b[31mta", "can't be seen"),
    (None, "missing value"),
    ("None", "missing value"),
    ("null", "missing value"),
    ("s3://None/x", "missing value"),
    ("s3://own@None/x", "missing value"),
    ("/data/None/x", "missing value"),
    ("/data/day=None/x", "missing value"),
    ("/data/None.html", "missing value"),
    ("/data/undefined", "missing value"),
    ("~/x", "home folder"),
    ("~", "home folder"),
    ("file://~/x", "home folder"),
    ("file://data/x", "begins at no known folder"),
    ("s3://", "names no place"),
    ("file:///", "names no place"),
    (1e5, "a float, and has to be a path or URL: give it in quotes"),
    (20260101, "an int, and has to be a path or URL"),
    (True, "a bool"),
    ({"a": 1}, "a dict"),
    (["/data"], "a list"),
    (b"/data", "a bytes"),
]
TAKEN = [
    "/data/nexus",
    "/data/no ne/x",
    "/data/Nonexistent/x",
    "/data/nullable",
    "file:///data/x",
    "s3://lake/nexus",
    "s3://own@lake/nexus",
    "s3://lake",
    Path("/data/x"),
    PurePosixPath("/data/x"),
    ObjectStoragePath("file:///data/x"),
]


@pytest.mark.parametrize(("value", "words"), REFUSED, ids=repr)
@pytest.mark.parametrize("relative", [False, True])
def test_what_leads_nowhere_is_refused(value: Any, words: str, relative: bool) -> None:
    with pytest.raises(NexusConfigurationError) as caught:
        place_of("staging_path", value, relative=relative)
    assert str(caught.value).startswith("staging_path is ")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", TAKEN, ids=str)
def test_what_is_a_place_is_taken_as_it_is(value: Any) -> None:
    assert place_of("path", value) == str(value)


@pytest.mark.parametrize("value", ["data/x", "./x", "x", "s3:/lake/x", Path("data/x")])
def test_a_path_that_begins_somewhere(value: Any) -> None:
    with pytest.raises(NexusConfigurationError, match="the folder that a worker runs in is not yours"):
        place_of("path", value)
    assert place_of("path", value, relative=True) == str(value)
