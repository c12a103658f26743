"""The commands over copies in a store that imitates S3, opened by a connection of Airflow; and two writers at once there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus.__main__ import main
from airflow_provider_nexus.hooks._stores import delta_options
from airflow_provider_nexus.sandbox import Sandbox
from tests.airflow.nexus import connection
from tests.load.delta.writing import copy_in, day, load_day
from tests.object_store import PASSWORD, object_store
from tests.report.pages import Page

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
ROOT = "s3://lake_conn@lake/nexus"
DAY = ("--window-start", "2026-02-28", "--window-end", "2026-03-01")


@pytest.fixture(scope="module")
def lake() -> Iterator[Any]:
    """A store with a bucket, and the connection to it, which alone knows the keys."""
    with object_store("lake_conn") as store:
        yield store.client


@pytest.fixture(scope="module")
def sandbox(lake: Any) -> Iterator[Sandbox]:
    with Sandbox(customers=10, transactions=120, days=2, clock_speed=0, now=NOW) as running, connection(running):
        yield running


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(list(arguments))
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err
    return code, said.out, said.err


def test_a_table_is_synced_verified_shown_and_reconciled(sandbox: Sandbox, lake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sync", "transactions", f"{ROOT}/delta", *DAY, "--file-format", "delta")[0] == 0
    code, out, err = run(capsys, "verify", f"{ROOT}/delta", "--against-nexus", "--output", "json")
    assert (code, json.loads(out)["verdict"]) == (0, "All is well"), err
    assert run(capsys, "report", f"{ROOT}/delta", "-o", f"{ROOT}/delta/proof.html")[0] == 0
    page = lake.get_object(Bucket="lake", Key="nexus/delta/proof.html")["Body"].read().decode()
    (link,) = [link for link in Page.of(page).links if not link.startswith("#")]
    assert lake.head_object(Bucket="lake", Key=f"nexus/delta/{link}")
    code, out, err = run(capsys, "reconcile", f"transactions={ROOT}/delta", "--totals-only")
    assert (code, "none differs" in out or "agree" in out) == (0, True), err


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_manifest_of_redshift_names_what_is_there(
    sandbox: Sandbox, lake: Any, file_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"{ROOT}/{file_format}"
    assert run(capsys, "sync", "transactions", root, *DAY, "--file-format", file_format)[0] == 0
    assert run(capsys, "files", root, "--form", "redshift", "-o", f"{ROOT}/loads/{file_format}.manifest")[0] == 0
    stored = json.loads(lake.get_object(Bucket="lake", Key=f"nexus/loads/{file_format}.manifest")["Body"].read())
    assert stored["entries"]
    for entry in stored["entries"]:
        assert entry["mandatory"] is True
        there = lake.head_object(Bucket="lake", Key=entry["url"].removeprefix("s3://lake/"))
        assert there["ContentLength"] == entry["meta"]["content_length"]
    code, out, _ = run(capsys, "files", root, "--changed-since", "2020-01-01")
    assert (code, out.splitlines()) == (0, [entry["url"] for entry in stored["entries"]])
    assert run(capsys, "files", root, "--changed-since", "2100-01-01")[1] == ""


def test_of_two_writers_at_once_none_loses_a_row(lake: Any) -> None:
    folder: Any = ObjectStoragePath(f"{ROOT}/two/sandbox/broker_transactions")
    options = delta_options(folder)
    load_day(folder, 0, day(0, 50), storage_options=options)
    with ThreadPoolExecutor(2) as pool:
        for pair in ((1, 2), (3, 4), (5, 6)):
            each = [pool.submit(load_day, folder, number, day(number, 50), storage_options=options) for number in pair]
            assert all(done.result().changed for done in each)
    copy = copy_in(folder, storage_options=options)
    assert copy.check().problems == ()
    assert sorted(row[0] for row in copy.current()) == sorted(row[0] for number in range(7) for row in day(number, 50))
    assert len(copy.windows()) == 7
