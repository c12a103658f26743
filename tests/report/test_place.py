"""The page lies anywhere, and its links lead to the manifests from there."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusStorageError
from airflow_provider_nexus.report import put_report, write_report
from airflow_provider_nexus.report.page import address, put_page, way
from tests.load.buckets import BucketFileSystem, bucket_of
from tests.report.pages import Page
from tests.report.trees import MADE_AT

WAYS: dict[str, tuple[str, str, str]] = {
    "in the folder": ("/data/nexus/report.html", "/data/nexus", ""),
    "below it": ("/data/nexus/a/b/report.html", "/data/nexus", "../../"),
    "above it": ("/data/report.html", "/data/nexus", "nexus/"),
    "beside it": ("/data/reports/x.html", "/data/nexus", "../nexus/"),
    "file URL and path": ("file:///data/reports/x.html", "/data/nexus", "../nexus/"),
    "what a URL must escape": ("/data/x.html", "/data/a:b #1?/é", "a%3Ab%20%231%3F/%C3%A9/"),
    "one bucket": ("s3://lake/reports/x.html", "s3://lake/nexus", "../nexus/"),
    "one bucket by two connections": ("s3://mine@lake/reports/x.html", "s3://yours@lake/nexus", "../nexus/"),
    "two buckets": ("s3://site/x.html", "s3://yours@lake/a b", "s3://lake/a%20b/"),
    "the root of a bucket": ("gs://site/x.html", "s3://lake", "s3://lake/"),
    "page on this machine": ("/data/x.html", "s3://lake/nexus", "s3://lake/nexus/"),
    "manifests on this machine": ("s3://lake/x.html", "/data/nexus #1", "file:///data/nexus%20%231/"),
}


@pytest.mark.parametrize("name", WAYS)
def test_the_way_from_the_page_to_the_folder(name: str) -> None:
    page, root, expected = WAYS[name]
    assert way(page, root) == expected


@pytest.mark.parametrize(
    ("path", "words"),
    [("/data/x.html", "/data/x.html"), ("s3://conn@lake/x.html", "s3://lake/x.html"), ("memory://a/b", "memory://a/b")],
)
def test_an_address_names_no_connection(path: str, words: str) -> None:
    assert address(path) == words


@pytest.mark.parametrize("where", ["report.html", "sandbox/customers/report.html", "../report.html", "../new/folder/report.html"])
def test_all_links_lead_to_manifests(tree: Path, where: str) -> None:
    page = tree / where
    assert put_report(tree, page, made_at=MADE_AT) == page.stat().st_size
    links = [link for link in Page.of(page.read_text()).links if not link.startswith("#")]
    assert {(page.parent / link).resolve() for link in links} == set(tree.glob("*/*/2*/_manifest.json"))


def test_in_its_folder_it_is_the_page_that_write_report_makes(tree: Path) -> None:
    put_report(tree, tree / "report.html", made_at=MADE_AT)
    assert (tree / "report.html").read_text() == write_report(tree, made_at=MADE_AT)


class Broken(BucketFileSystem):
    """A store in which files break while they are written, with an error that only it knows."""

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        raise RuntimeError("SlowDown: reduce your request rate")


def test_a_store_that_fails_is_named(tree: Path) -> None:
    with pytest.raises(NexusStorageError, match=r"reports/report\.html can't be written: RuntimeError: SlowDown"):
        put_report(tree, bucket_of(Broken("reports"), "s3://reports/report.html"))


def test_a_full_disk_leaves_the_page_before(tree: Path) -> None:
    page = tree / "report.html"
    page.write_text("before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        with pytest.raises(NexusStorageError, match="File too large"):
            put_report(tree, page)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert page.read_text() == "before"
    assert [each.name for each in tree.iterdir() if "report" in each.name] == ["report.html"]


def test_nothing_to_report_on_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(NexusConfigurationError, match="no manifest under"):
        put_report(tmp_path / "nowhere", tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["_manifest.json", "part-00000.jsonl.gz", "report", "report.html.txt"])
def test_a_name_that_is_no_pages_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_text("held")
    with pytest.raises(NexusConfigurationError, match=r"can't lie in .*: name a file that ends in \.html"):
        put_page(lambda: "<!doctype html>", target)
    assert target.read_text() == "held"
