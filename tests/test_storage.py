from __future__ import annotations

import io
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_nexus import storage as store
from airflow_provider_nexus.api.rows import Row
from airflow_provider_nexus.exceptions import NexusConfigurationError, NexusError, NexusStorageError
from airflow_provider_nexus.extract.jsonl import JsonLinesWriter
from tests.load.buckets import BucketFileSystem, bucket_of


def test_put_read_names_remove(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.json"
    store.put(target, io.BytesIO(b"1"))
    store.put(target, io.BytesIO(b"22"))
    assert store.read(target) == b"22"
    assert store.names(target.parent) == ["b.json"]
    store.remove(target)
    store.remove(target)
    assert store.read(target) is None
    assert store.names(tmp_path / "nowhere") == []


def test_a_source_that_breaks_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("disk on fire")

    target = tmp_path / "b.json"
    store.put(target, io.BytesIO(b"whole"))
    with pytest.raises(NexusStorageError, match="fire"):
        store.put(target, Broken())
    assert store.read(target) == b"whole"
    assert store.names(tmp_path) == ["b.json"]


SLOW = """
import sys, time, io
from pathlib import Path
from airflow_provider_nexus import storage as store

class Slow(io.RawIOBase):
    given = 0
    def read(self, size=-1):
        self.given += 1
        if self.given == 2:
            print("half", flush=True)
            time.sleep(30)
        return b"x" * 1000

store.put(Path(sys.argv[1]), Slow())
"""


def test_killed_in_the_middle_shows_no_half_file(tmp_path: Path) -> None:
    target = tmp_path / "part"
    with subprocess.Popen([sys.executable, "-c", SLOW, str(target)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not target.exists()


def test_a_bucket_is_never_made() -> None:
    files = BucketFileSystem("lake-prod")
    with pytest.raises(NexusConfigurationError, match="there is no bucket or container 'laek-prod': check the spelling"):
        store.put(bucket_of(files), io.BytesIO(b"1"))
    with pytest.raises(NexusConfigurationError, match=r"^report_path is s3://laek-prod/nexus/a\.json, and there is no bucket"):
        store.refuse_unfit("report_path", bucket_of(files))
    assert files.buckets == {"lake-prod"}


@pytest.mark.parametrize("denied", [False, True], ids=["may list", "may not list"])
def test_a_bucket_that_is_there_is_written_to(denied: bool) -> None:
    path = bucket_of(BucketFileSystem("lake-prod", denied=denied), "s3://lake-prod/new/folder/a.json")
    store.refuse_unfit("path", path.parent)
    store.put(path, io.BytesIO(b"1"))
    assert store.read(path) == b"1"


def test_a_bucket_that_can_not_be_looked_at_is_not_said_to_be_missing() -> None:
    with pytest.raises(NexusStorageError, match="laek-prod"):
        store.put(bucket_of(BucketFileSystem("lake-prod", denied=True)), io.BytesIO(b"1"))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def sentence(error: NexusError) -> str:
    assert error.__suppress_context__, "the store's own traceback is not shown above ours"
    text = str(error)
    assert "\n" not in text
    return text


def test_a_full_disk(full_disk: Path) -> None:
    store.put(full_disk / "a" / "kept", io.BytesIO(b"kept"))
    with pytest.raises(NexusStorageError) as caught:
        store.put(full_disk / "a" / "kept", io.BytesIO(b"x" * (2 << 20)))
    assert sentence(caught.value) == (
        f"{full_disk}/a/kept can't be written: the disk is full: make room, or name another path, then run it again"
    )
    assert store.names(full_disk / "a") == ["kept"]
    assert store.read(full_disk / "a" / "kept") == b"kept"


def test_a_full_disk_of_temporary_files(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(full_disk))
    writer = JsonLinesWriter()
    rows = [Row(f"k{number}", "", secrets.token_bytes(700).hex().encode()) for number in range(3_000)]
    with pytest.raises(NexusStorageError) as caught:
        writer.write(rows)
    assert sentence(caught.value).startswith(f"temporary files in {full_disk} can't be written: the disk is full")
    writer.close()


def test_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(NexusStorageError) as caught:
        JsonLinesWriter().parts()
    assert "TMPDIR" in sentence(caught.value)


@pytest.mark.parametrize("below", ["part", "part/deeper/still"])
def test_a_file_where_a_folder_is_needed(tmp_path: Path, below: str) -> None:
    (tmp_path / "part").write_text("in the way")
    with pytest.raises(NexusStorageError) as caught:
        store.put(tmp_path / below / "a", io.BytesIO(b"1"))
    assert "there is a file where a folder is needed: move it away" in sentence(caught.value)
    with pytest.raises(NexusStorageError, match=r"^path leads to .*, and .*/part is no folder"):
        store.refuse_unfit("path", tmp_path / below)
    assert store.read(tmp_path / below / "a") is None


def test_a_folder_where_a_file_is_needed(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").mkdir()
    with pytest.raises(NexusStorageError) as caught:
        store.put(tmp_path / "_manifest.json", io.BytesIO(b"1"))
    assert "there is a folder where a file is needed" in sentence(caught.value)
    with pytest.raises(NexusStorageError, match="is no regular file"):
        store.read(tmp_path / "_manifest.json")
    assert store.names(tmp_path) == ["_manifest.json"]


def test_no_right_to_write() -> None:
    """The kernel's own folders may not be written to, not even by root."""
    with pytest.raises(NexusStorageError) as caught:
        store.put(Path("/proc/sys/nexus/a"), io.BytesIO(b"1"))
    assert "/proc/sys/nexus/a can't be written" in sentence(caught.value) or "No such file" in str(caught.value)


def test_pipes_devices_and_links_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"another's")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, words in (("pipe", "no regular file"), ("link", "it is a link"), ("zero", "it is a link")):
        with pytest.raises(NexusStorageError, match=words):
            store.read(tmp_path / name)
        with pytest.raises(NexusStorageError, match=words):
            store.read(ObjectStoragePath(f"file://{tmp_path}/{name}"))
    with pytest.raises(NexusStorageError, match="no regular file"):
        store.read(Path("/dev/zero"))


def test_the_temporary_name_can_not_be_laid_in_wait_for(tmp_path: Path) -> None:
    """Links at the names that could be guessed lead nowhere, and no two writes use the same name."""
    victim, seen = tmp_path / "victim", set[str]()
    victim.write_text("precious")

    class Watching(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.update(name for name in store.names(tmp_path) if name.endswith(".tmp"))
            return super().read(size)

    (tmp_path / f"._manifest.json.{os.getpid()}.tmp").symlink_to(victim)
    for _ in range(2):
        store.put(tmp_path / "_manifest.json", Watching(b"1"))
    assert victim.read_text() == "precious"
    assert len(seen) == 3, "the link and two others"


def test_a_write_that_goes_on_elsewhere_is_left_alone_and_one_that_was_killed_is_not(tmp_path: Path) -> None:
    target = tmp_path / "_watermark.json"
    dead = tmp_path / f"._watermark.json.{16 * 'a'}.tmp"
    dead.write_text("half")
    os.utime(dead, (0, 0))

    class OnAnotherHost(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if not target.exists():
                store.put(target, io.BytesIO(b"theirs"))
            return super().read(size)

    store.put(target, OnAnotherHost(b"ours"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {target.name: b"ours"}
