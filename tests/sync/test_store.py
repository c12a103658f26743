from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_nexus.sync import store


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
    with pytest.raises(OSError, match="fire"):
        store.put(target, Broken())
    assert store.read(target) == b"whole"
    assert store.names(tmp_path) == ["b.json"]


SLOW = """
import sys, time, io
from pathlib import Path
from airflow_provider_nexus.sync import store

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
