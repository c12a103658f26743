"""Records that were put aside come in when they fit, and the copy is then as if they had always fitted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from airflow_provider_nexus.api import resources
from airflow_provider_nexus.api.resources import get_resource
from airflow_provider_nexus.api.schemas import field
from airflow_provider_nexus.exceptions import NexusError, NexusStorageError
from airflow_provider_nexus.load import values as conform
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.load.parquet.writer import read_rows
from airflow_provider_nexus.load.rows import TypedDecoder
from airflow_provider_nexus.load.values import exact
from airflow_provider_nexus.replay.rejected import replay
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import capture, hours_of, put, with_field

NARROW: dict[str, dict[str, Any]] = {
    "jsonl": {"reason": {"kind": "money", "unit": "fiat"}},
    "parquet": {"crypto": 6},
    "both": {"reason": {"kind": "money", "unit": "fiat"}, "data": {"kind": "money", "unit": "fiat"}},
    "less narrow": {"crypto": 7},
}
"""How a version that is wrong understands a field of the orders, or how many digits of a coin it reads: some don't fit."""
FORMATS = ("jsonl", "parquet")
MEMBERS = ("records", "key_digest", "sums", "content", "totals", "rejected")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_and_client(days=3, transactions=1500) as (made, _):
        yield made


@contextmanager
def narrow(name: str) -> Iterator[None]:
    """Understand something wrongly for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for what, changes in NARROW[name].items():
            if isinstance(changes, int):
                _read_fewer_digits(patch, changes)
            else:
                known = {**resources.RESOURCES, "orders": with_field(get_resource("orders"), what, **changes)}
                patch.setattr(resources, "RESOURCES", known)
        yield


def _read_fewer_digits(patch: pytest.MonkeyPatch, most: int) -> None:
    """Refuse what a column has room for."""
    scale = field.SCALE
    patch.setattr(conform, "exact", lambda value, digits: exact(exact(value, most) if digits == scale else value, digits))
    patch.setattr(TypedDecoder, "values", lambda _, raws: [None] * len(raws))  # each is looked at closely then
    patch.setattr(conform, "_expected", lambda _: f"a decimal number of at most {most} after it")


def manifest_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / NAME).read_bytes()))


def data_of(folder: Path) -> list[Any]:
    if not (folder / "part-00000.parquet").exists():
        return [path.read_bytes() for path in sorted(folder.glob("part-*"))]
    rows = [row for path in sorted(folder.glob("part-*")) for some in read_rows(path) for row in some]
    return [(*row[:1], *row[3:]) for row in rows]


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_window_is_then_as_if_all_had_fitted(sandbox: Sandbox, tmp_path: Path, file_format: str) -> None:
    client, requests = client_of(sandbox), [hours_of(sandbox, start=48, until=24), hours_of(sandbox, start=24, until=0)]
    with narrow(file_format):
        folders = [put(client, tmp_path / "a", "orders", requested, file_format, max_rejected=1000) for requested in requests]
        assert all(sum(file["records"] for file in manifest_of(folder)["rejected"]) > 0 for folder in folders)
        assert all(manifest_of(folder)["records"] > 0 for folder in folders)
        before = tree(tmp_path)
        assert [each.fitted for each in replay(tmp_path / "a")] == [0, 0]
        assert tree(tmp_path) == before
    fresh = [put(client, tmp_path / "b", "orders", requested, file_format) for requested in requests]
    done = replay(tmp_path / "a")
    assert all(each.fitted > 0 and each.left == 0 for each in done)
    assert [each.where for each in done] == [str(folder) for folder in folders]
    for folder, other in zip(folders, fresh, strict=True):
        mine, theirs = manifest_of(folder), manifest_of(other)
        assert {name: mine.get(name) for name in MEMBERS} == {name: theirs.get(name) for name in MEMBERS}
        assert data_of(folder) == data_of(other)
        assert not (folder / "_rejected").exists()
    assert verify(tmp_path / "a").problems == ()
    after = tree(tmp_path / "a")
    assert replay(tmp_path / "a") == []
    put(client, tmp_path / "a", "orders", requests[0], file_format)
    assert tree(tmp_path / "a") == after
    client.session.close()


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_still_does_not_fit_stays_with_its_new_reason(sandbox: Sandbox, tmp_path: Path, file_format: str) -> None:
    client, is_typed = client_of(sandbox), file_format == "parquet"
    with narrow("parquet" if is_typed else "both"):
        folder = put(client, tmp_path, "orders", hours_of(sandbox, start=48, until=0), file_format, max_rejected=1000)
    client.session.close()
    aside = sum(file["records"] for file in manifest_of(folder)["rejected"])
    with narrow("less narrow" if is_typed else "jsonl"):
        (done,) = replay(tmp_path)
        assert done.fitted + done.left == aside
        assert done.left > 0
        assert any("7 after it" in reason or "reason is not" in reason for reason in done.reasons)
        kept = [json.loads(line) for line in (folder / "_rejected" / "records.jsonl").read_bytes().splitlines()]
        assert len(kept) == done.left
        assert {each["field"] for each in kept} == {"executed.amount" if is_typed else "reason"}
        assert verify(tmp_path).problems == ()
        after = tree(tmp_path)
        replay(tmp_path)
        assert tree(tmp_path) == after


def test_a_folder_that_was_tampered_with_is_not_touched(sandbox: Sandbox, tmp_path: Path) -> None:
    client = client_of(sandbox)
    with narrow("jsonl"):
        folder = put(client, tmp_path, "orders", hours_of(sandbox, start=48, until=0), max_rejected=1000)
    client.session.close()
    part = folder / "part-00000.jsonl.gz"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    before = tree(tmp_path)
    with pytest.raises(NexusStorageError, match="SHA-256"):
        replay(tmp_path)
    assert tree(tmp_path) == before


def test_files_in_the_columns_of_another_version_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    client = client_of(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast("dict[str, int]", field._SCALES), "crypto", 6)
        put(client, tmp_path, "orders", hours_of(sandbox, start=48, until=0), "parquet", max_rejected=1000)
    client.session.close()
    before = tree(tmp_path)
    with pytest.raises(NexusError, match=r"part-00000.parquet was written with other columns .* sync its window again"):
        replay(tmp_path)
    assert tree(tmp_path) == before


def test_what_other_readings_put_aside_comes_into_the_windows(sandbox: Sandbox, tmp_path: Path) -> None:
    start = hours_of(sandbox, start=40, until=0).start
    assert start is not None
    with narrow("parquet"):
        for _ in range(5):
            collection = capture(sandbox, tmp_path, "orders", start, history=True, max_rejected=1000)
            sandbox.advance(seconds=9_000)
    readings = [path.parent for path in collection.glob(f"_readings/*/{NAME}") if manifest_of(path.parent)["rejected"]]
    assert readings
    assert all(each.left == 0 for each in replay(tmp_path))
    assert verify(tmp_path).problems == ()
    keys = [row[0] for path in collection.glob("2*/part-*") for rows in read_rows(path) for row in rows]
    assert len(keys) == len(set(keys))
    assert replay(tmp_path) == []
    rows = [row for path in collection.glob("_readings/*/part-*") for some in read_rows(path) for row in some]
    assert {row[0] for row in rows} >= set(keys)
