"""Damaged files: a sync of their window mends them, no change is merged into them, and what is missing is read again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_nexus.exceptions import NexusStorageError
from airflow_provider_nexus.extract.request import SyncRequest
from airflow_provider_nexus.extract.window import choose_window
from airflow_provider_nexus.load.manifest import NAME
from airflow_provider_nexus.sync.capture import CaptureJob
from airflow_provider_nexus.verify.files import verify
from tests.extract.serving import client_of, sandbox_and_client
from tests.load.storing import hours_of, put
from tests.sync.capturing import DAY, Capture, into_files, living


def part_of(folder: Path) -> Path:
    return next(folder.glob("part-00000.*"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def edited(folder: Path, **members: Any) -> None:
    manifest = json.loads((folder / NAME).read_bytes())
    (folder / NAME).write_text(json.dumps(manifest | members))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a byte": lambda folder: flip(part_of(folder)),
    "the end": lambda folder: part_of(folder).write_bytes(part_of(folder).read_bytes()[:-9]),
    "all of it": lambda folder: part_of(folder).write_bytes(b"x" * part_of(folder).stat().st_size),
    "missing": lambda folder: part_of(folder).unlink(),
    "too many": lambda folder: shutil.copy(part_of(folder), folder / part_of(folder).name.replace("00000", "00001")),
    "rejects": lambda folder: flip(folder / "_rejected" / "records.jsonl"),
    "no rejects": lambda folder: (folder / "_rejected" / "records.jsonl").unlink(),
    "more rejects": lambda folder: (folder / "_rejected" / "more.jsonl").write_bytes(b"{}\n"),
    "a key digest": lambda folder: edited(folder, key_digest="sha256-sum:" + "1" * 64),
    "a base url": lambda folder: edited(folder, environment="production"),
}


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_rerun_mends_what_verify_names(tmp_path: Path, file_format: str, caplog: pytest.LogCaptureFixture) -> None:
    with sandbox_and_client(days=2, misfit_share=0.2, misfits=("amount",)) as (sandbox, client):
        span = hours_of(sandbox, start=24, until=0)

        def sync() -> Path:
            return put(client, tmp_path, "transactions", span, file_format, max_rejected=500)

        folder = sync()
        lines = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("part")}
        for name, damage in DAMAGE.items():
            damage(folder)
            assert not verify(folder).is_fine, name
            caplog.clear()
            sync()
            assert f"what was stored in {folder} was damaged and has been replaced" in caplog.text, name
            assert verify(tmp_path).problems == (), name
            if file_format == "jsonl":
                assert {name: (folder / name).read_bytes() for name in lines} == lines
        caplog.clear()
        before = (folder / NAME).read_bytes()
        sync()
        assert (folder / NAME).read_bytes() == before
        assert "damaged" not in caplog.text


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_manifest_that_was_lost_can_be_gone_on_from(tmp_path: Path, file_format: str) -> None:
    """The window behind it is the witness that there was another one: it has to be synced again on purpose."""
    with sandbox_and_client(days=3) as (sandbox, client):
        first, second = (hours_of(sandbox, start=start, until=until) for start, until in ((48, 24), (24, 0)))
        before = put(client, tmp_path, "transactions", first, file_format)
        edited(before, seconds=1000.5)  # as no other reading takes as long
        behind = put(client, tmp_path, "transactions", second, file_format)
        (before / NAME).unlink()
        put(client, tmp_path, "transactions", first, file_format)
        said = "\n".join(problem.what for problem in verify(tmp_path).problems)
        assert f"or sync the window {behind.name} again to go on from what is there" in said
        put(client, tmp_path, "transactions", second, file_format)
        assert verify(tmp_path).problems == ()
        assert len(list((behind / "_superseded").iterdir())) == 1


def grown(tmp_path: Path, sandbox: Any, resource: str, days: int = 3, **options: Any) -> tuple[Capture, list[Path]]:
    """A copy after some days, and the folders of its windows."""
    capture = into_files(sandbox, tmp_path, resource, **options)
    for day in range(days):
        sandbox.advance(DAY if day else 0)
        capture.run()
    return capture, sorted(tmp_path.glob("2*"))


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["the first", "one between", "the last"])
def test_a_window_that_was_deleted_is_read_again(
    tmp_path: Path, resource: str, which: int, caplog: pytest.LogCaptureFixture
) -> None:
    with living(per_day=20) as sandbox:
        capture, folders = grown(tmp_path, sandbox, resource, rereads=0)
        shutil.rmtree(folders[which])
        sandbox.advance(DAY)
        capture.run()
        assert "it is read again" in caplog.text
        assert folders[which].is_dir()
        assert capture.wrong() == []
        assert verify(tmp_path).problems == ()
        caplog.clear()
        capture.run()
        assert "read again" not in caplog.text


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
def test_windows_side_by_side_that_were_deleted_are_all_read_again(tmp_path: Path, resource: str) -> None:
    """No manifest that is left names the first ones of them; the index does."""
    with living(per_day=20) as sandbox:
        capture, folders = grown(tmp_path, sandbox, resource, days=6, rereads=0)
        for folder in folders[1:4]:
            shutil.rmtree(folder)
        assert all(folder.name in str(verify(tmp_path).problems) for folder in folders[1:4])
        sandbox.advance(DAY)
        capture.run()
        assert all(folder.is_dir() for folder in folders)
        assert capture.wrong() == []
        assert verify(tmp_path).problems == ()


@pytest.mark.parametrize("resource", ["broker_transactions", "orders"])
@pytest.mark.parametrize("damage", ["a byte", "missing", "the end"])
def test_changes_are_not_merged_into_a_damaged_window(tmp_path: Path, resource: str, damage: str) -> None:
    with living(per_day=60) as sandbox:
        capture, folders = grown(tmp_path, sandbox, resource, days=2, rereads=0)
        before = {folder: json.loads((folder / NAME).read_bytes())["window"] for folder in folders}
        DAMAGE[damage](folders[0])
        sandbox.advance(DAY)
        start, end = (before[folders[0]][name] for name in ("start", "end"))
        said = rf"part-00000\.parquet .*: sync the window from {start} to {end} of {resource} again"
        with pytest.raises(NexusStorageError, match=said):
            capture.run()
        copy, watermark = capture.place()
        asked = choose_window(arguments=(start, end))
        client = client_of(sandbox)
        request = SyncRequest(resource=capture.entry, requested=asked, page_size=20)
        summary = CaptureJob(client, request, copy, watermark=watermark, rereads=0).run()
        client.session.close()
        assert summary is not None
        assert (summary["repaired"], summary["changed"]) == (1, True)
        capture.run()
        assert capture.wrong() == []
        assert verify(tmp_path).problems == ()
