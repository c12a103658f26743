"""Lists of files as loaders take them: exact to the sign, parted at what one statement may name, and refused elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from airflow.sdk.io.store import _STORE_CACHE
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.cli.definition import COMMANDS
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.load.forms import FORMS, RELATIVE, in_form, refuse_inside, to_text
from airflow_provider_nexus.load.listing import ListedWindow, Listing
from airflow_provider_nexus.load.manifest import File
from tests.load.manifests import manifest_of

SHA = "0" * 64
WINDOW = "20260101T000000Z-20260102T000000Z"
SCHEMES = ("s3", "s3a", "gs", "gcs", "abfs")


@pytest.fixture(autouse=True)
def stores() -> Iterator[None]:
    before = dict(_STORE_CACHE)
    _STORE_CACHE.clear()  # what is there already is not replaced
    for scheme in SCHEMES:
        attach(protocol=scheme, fs=MemoryFileSystem())
    yield
    _STORE_CACHE.clear()
    _STORE_CACHE.update(before)


def made(root: str = "s3://lake/nexus", *, windows: int = 1, files: int = 2, below: str = "test/transactions") -> Listing:
    place: Any = ObjectStoragePath(root) if "://" in root else Path(root)
    names = [File(name=f"part-{number:05}.parquet", bytes=10 + number, records=3, sha256=SHA) for number in range(files)]
    manifest = manifest_of(files=[name.dump() for name in names], format="parquet")
    folders = [place / below / f"{WINDOW}" if windows == 1 else place / below / f"w{number}" for number in range(windows)]
    return Listing(place, tuple(ListedWindow(folder, manifest) for folder in folders), (), ())


def names_in(clause: Any) -> list[str]:
    inside = re.fullmatch(r"FILES = \((.*)\)", clause)
    assert inside
    return re.findall(r"'((?:[^'\\]|''|\\.)*)'", inside[1])


def test_redshift_takes_a_manifest_that_names_sizes() -> None:
    (part,) = in_form(made("s3a://conn@lake/nexus"), "redshift")
    folder = f"s3://lake/nexus/test/transactions/{WINDOW}"
    assert json.loads(to_text([part], "redshift")) == {
        "entries": [
            {"url": f"{folder}/part-00000.parquet", "mandatory": True, "meta": {"content_length": 10}},
            {"url": f"{folder}/part-00001.parquet", "mandatory": True, "meta": {"content_length": 11}},
        ]
    }


@pytest.mark.parametrize("root", ["gs://lake/nexus", "gcs://conn@lake/nexus"])
def test_bigquery_takes_uris(root: str) -> None:
    (part,) = in_form(made(root), "bigquery")
    assert part == [f"gs://lake/nexus/test/transactions/{WINDOW}/part-0000{number}.parquet" for number in (0, 1)]


@pytest.mark.parametrize("form", RELATIVE)
def test_files_are_named_relative_to_the_stage(form: str) -> None:
    (part,) = in_form(made(), form)
    assert part == (f"FILES = ('test/transactions/{WINDOW}/part-00000.parquet', 'test/transactions/{WINDOW}/part-00001.parquet')")
    (nearer,) = in_form(made(), form, ObjectStoragePath("s3://other_conn@lake/nexus/test"))
    assert names_in(nearer)[0] == f"transactions/{WINDOW}/part-00000.parquet"
    for elsewhere in ("s3://lake/nex", "s3://other/nexus", "gs://lake/nexus"):
        with pytest.raises(NexusConfigurationError, match="does not lie below"):
            in_form(made(), form, ObjectStoragePath(elsewhere))


@pytest.mark.parametrize(("form", "most"), [("snowflake", 1_000), ("databricks", 1_000), ("bigquery", 10_000)])
def test_what_is_too_long_for_one_statement_is_parted(form: str, most: int) -> None:
    root = "gs://lake/nexus" if form == "bigquery" else "s3://lake/nexus"
    for number, expected in ((most - 1, [most - 1]), (most, [most]), (most + 1, [most, 1]), (2 * most + 3, [most, most, 3])):
        parts: list[Any] = in_form(made(root, files=number), form)
        named = parts if form == "bigquery" else [names_in(part) for part in parts]
        assert [len(each) for each in named] == expected
        assert [name[-13:-8] for each in named for name in each] == [f"{place:05}" for place in range(number)]


@pytest.mark.parametrize(("form", "written"), [("snowflake", r"it''s a\\b, c"), ("databricks", r"it\'s a\\b, c")])
def test_names_are_quoted_as_the_loader_reads_them(form: str, written: str) -> None:
    (part,) = in_form(made(below="it's a\\b, c", files=1), form)
    assert part == f"FILES = ('{written}/{WINDOW}/part-00000.parquet')"


@pytest.mark.parametrize(
    ("form", "scheme"),
    [("redshift", scheme) for scheme in ("gs", "abfs", "")] + [("bigquery", scheme) for scheme in ("s3", "abfs", "")],
)
def test_a_loader_that_does_not_read_there_is_refused(form: str, scheme: str, tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match=r"can't be loaded by .* alone"):
        in_form(made(f"{scheme}://lake/nexus" if scheme else str(tmp_path)), form)


def test_a_star_in_a_uri_would_be_a_pattern() -> None:
    with pytest.raises(NexusConfigurationError, match="a star in its name"):
        in_form(made("gs://lake/n*"), "bigquery")


@pytest.mark.parametrize("form", sorted(set(FORMS) - set(RELATIVE)))
def test_a_stage_is_for_relative_names_alone(form: str) -> None:
    with pytest.raises(NexusConfigurationError, match="leave out relative_to"):
        in_form(made("gs://lake" if form == "bigquery" else "s3://lake"), form, ObjectStoragePath("s3://lake"))


def test_local_files_are_named_by_their_paths(tmp_path: Path) -> None:
    (window,) = made(str(tmp_path)).windows
    expected = [str(window.folder / file.name) for file in window.manifest.files]
    assert in_form(made(str(tmp_path)), "list") == expected
    assert in_form(made(tmp_path.as_uri()), "list") == expected
    assert to_text(expected, "list").splitlines() == expected


def test_json_tells_what_is_known_of_each_window() -> None:
    part: Any
    (part,) = in_form(made(), "json")
    assert {**part, "files": len(part["files"])} == {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-02T00:00:00Z",
        "read_at": "2026-01-03T00:00:00Z",
        "verdict": "proved",
        "format": "parquet",
        "files": 2,
    }
    assert json.loads(to_text([part], "json")) == [part]


@pytest.mark.parametrize("form", sorted(FORMS))
def test_of_no_files_nothing_is_made(form: str) -> None:
    nothing = made("gs://lake" if form == "bigquery" else "s3://lake", files=0)
    assert in_form(nothing, form) == []
    text = to_text([], form)
    assert text == "" if form in ("list", *RELATIVE) else json.loads(text) in ([], {"entries": []})


def test_the_command_offers_all_forms() -> None:
    command = next(each for each in COMMANDS if each.name == "files")
    assert next(each for each in command.arguments if each.flag == "--form").options["choices"] == tuple(FORMS)


def test_a_store_tells_when_a_file_was_written(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"1")
    os.utime(tmp_path / "x.json", (1_000_000_000, 1_000_000_000))
    assert store.modified(tmp_path / "x.json") == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    before = datetime.now(UTC)
    store.put(place := ObjectStoragePath("s3://lake/x.json"), io.BytesIO(b"1"))
    assert before <= store.modified(place) <= datetime.now(UTC)
    for missing in (tmp_path / "y.json", ObjectStoragePath("s3://lake/y.json")):
        with pytest.raises(NexusStorageError, match="can't be looked at"):
            store.modified(missing)


@pytest.mark.parametrize("spelled", ["s3://lake/nexus/orders", "s3://conn@lake/nexus/orders", "s3a://lake/nexus/orders"])
def test_a_bucket_is_the_same_one_by_any_connection(spelled: str) -> None:
    folder = ObjectStoragePath(spelled)
    found = Listing(folder, (), (), (folder,))
    for target in ("s3://lake/nexus/orders/a.txt", "s3://other@lake/nexus/orders/w/a.txt", "s3a://lake/nexus/orders/a.txt"):
        with pytest.raises(NexusConfigurationError, match="lies in the copy itself"):
            refuse_inside(found, ObjectStoragePath(target))
    for target in ("s3://lake/nexus/orders.txt", "s3://pond/nexus/orders/a.txt", "gs://lake/nexus/orders/a.txt"):
        refuse_inside(found, ObjectStoragePath(target))
