"""A manifest, or what a failed try left, that names files elsewhere leads nobody there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusDataError
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.replay.rejected import replay
from airflow_provider_nexus.report import write_report
from airflow_provider_nexus.sandbox import Sandbox
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import hours_of, put

NAMES = [
    "../other/part-00000.jsonl.gz",
    "/dev/zero",
    "_superseded/../../../secret",
    "_rejected/../../secret",
    "part-00000.jsonl.gz/../x",
    "part-00000.jsonl.gz\n",
    "",
    ".",
    None,
    7,
    ["part-00000.jsonl.gz"],
]


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with sandbox_and_client(misfit_share=0.1, misfits=("amount",)) as (sandbox, _):
        yield sandbox


@pytest.fixture(scope="module")
def pattern(served: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for start, until in ((24, 12), (12, 0)):
        put(client_of(served), root, "transactions", hours_of(served, start=start, until=until), max_rejected=500)
    return root


@pytest.fixture
def folder(pattern: Path, tmp_path: Path) -> Path:
    """The later of two windows, with records put aside, and a file of somebody else's beside the tree."""
    (tmp_path / "secret").write_text('{"key":"theirs","field":"amount","reason":"x","raw":"{}"}\n')
    shutil.copytree(pattern, tmp_path / "tree")
    return max((tmp_path / "tree" / "sandbox" / "transactions").glob("*Z-*Z"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / NAME).read_bytes())
    change(manifest)
    (folder / NAME).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize("member", ["files", "rejected"])
def test_a_name_that_leads_elsewhere(folder: Path, member: str, name: Any) -> None:
    edit(folder, lambda manifest: manifest[member][0].update(name=name))
    root = folder.parents[2]
    problems = [line.what for line in verify(root).problems if line.where == str(folder / NAME)]
    assert any(
        f"field '{member}.name' holds {name!r}, which is not a name that a sync gives to a file" in line for line in problems
    )
    before = (folder / NAME).read_bytes()
    with pytest.raises(NexusDataError, match="not a name that a sync gives to a file"):
        replay(root)
    assert (folder / NAME).read_bytes() == before
    assert "theirs" not in write_report(root)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"previous": {"window": "../../../elsewhere", "sha256": "a" * 64}}, "the name of a window's folder"),
        ({"previous": {"window": "20260101T000000Z-20260102T000000Z", "sha256": "../x"}}, "a SHA-256"),
        ({"previous": "yesterday"}, "the window before"),
        ({"previous": "a" * 64}, "does not name the window before"),
        ({"replaces": "../../x"}, "a SHA-256"),
    ],
)
def test_a_link_that_leads_elsewhere(folder: Path, change: dict[str, Any], words: str) -> None:
    edit(folder, lambda manifest: manifest.update(change))
    assert any(words in line.what for line in verify(folder.parents[2]).problems)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    kept = path.parents[4] / path.name
    path.rename(kept)
    path.symlink_to(kept)


def _endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("put_there", [_pipe, _link, _endless])
@pytest.mark.parametrize("name", [NAME, "part-00000.jsonl.gz"])
def test_what_is_no_file_is_told_and_not_read(folder: Path, name: str, put_there: Callable[[Path], None]) -> None:
    put_there(folder / name)
    problems = verify(folder.parents[2]).problems
    assert any(line.where == str(folder / name) for line in problems)
    assert any("no regular file" in line.what or "it is a link" in line.what for line in problems)


@pytest.mark.parametrize("part", ["../../../../secret", "/dev/zero", ".", "part-00000.jsonl.gz/../../x"])
def test_what_a_failed_try_left_leads_nowhere_else(served: Sandbox, tmp_path: Path, part: str) -> None:
    from datetime import timedelta

    from airflow_provider_nexus.extract.checkpoint import Checkpoint, CheckpointFolder
    from airflow_provider_nexus.extract.jsonl import PartWriter

    said: list[str] = []
    log: Any = type("Log", (), {"warning": lambda _, text, *more: said.append(text % more)})()
    staging = CheckpointFolder(tmp_path / "staged", {"a": 1}, log)
    (tmp_path / "secret").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    staging.save(PartWriter().finish(0), Checkpoint("2026-01-01T00:00:00", served.now, 0, 0, 0, None, {}, [(part, empty)]))
    assert staging.load(served.now + timedelta(seconds=1)) is None
    assert "can't be read" in said[0]
